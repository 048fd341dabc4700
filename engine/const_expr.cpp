// The evaluator of constant expressions.
#include "engine/const_expr.hpp"

#include "decoder/immediates.hpp"
#include "decoder/lone_const.hpp"
#include "decoder/opcodes.hpp"
#include "decoder/reader.hpp"

namespace wrun::engine {

namespace {

template <Immediate kind>
[[nodiscard]] auto immediate(TrustedReader& reader) {
    return std::get<0>(read_immediates<kind>(reader).take());
}

class Evaluator {
public:
    Evaluator(const Instance::State& instance, ConstExpr expr)
        : instance_{instance}, reader_{instance.decoded().bytes, expr} {}

    [[nodiscard]] u64 run() {
        while (true) {
            const Op op = read_op(reader_).take().op();
            if (op == Op::end) return pop();
            step(op);
        }
    }

private:
    void step(Op op) {
        switch (op) {
            case Op::i32_const: push(static_cast<u32>(immediate<Immediate::i32>(reader_))); break;
            case Op::i64_const: push(static_cast<u64>(immediate<Immediate::i64>(reader_))); break;
            case Op::f32_const: push(immediate<Immediate::f32>(reader_)); break;
            case Op::f64_const: push(immediate<Immediate::f64>(reader_)); break;
            case Op::global_get:
                push(*instance_.globals[immediate<Immediate::global>(reader_).value]->cell);
                break;
            case Op::ref_null:
                (void)immediate<Immediate::heap_type>(reader_);
                push(0);
                break;
            case Op::ref_func:
                push(reinterpret_cast<u64>(
                    instance_.function_reference(immediate<Immediate::func>(reader_))));
                break;
            case Op::i32_add:
                binary([](u64 left, u64 right) { return u64{static_cast<u32>(left + right)}; });
                break;
            case Op::i32_sub:
                binary([](u64 left, u64 right) { return u64{static_cast<u32>(left - right)}; });
                break;
            case Op::i32_mul:
                binary([](u64 left, u64 right) { return u64{static_cast<u32>(left * right)}; });
                break;
            case Op::i64_add: binary([](u64 left, u64 right) { return left + right; }); break;
            case Op::i64_sub: binary([](u64 left, u64 right) { return left - right; }); break;
            case Op::i64_mul: binary([](u64 left, u64 right) { return left * right; }); break;
            // The validator lets no other operation into a constant expression.
            default: WRUN_CHECK(op == Op::end);
        }
    }

    void push(u64 value) { stack_.push_back(value); }
    [[nodiscard]] u64 pop() {
        WRUN_CHECK(!stack_.empty());
        const u64 value = stack_.back();
        stack_.pop_back();
        return value;
    }
    template <class Function>
    void binary(Function function) {
        const u64 right = pop();
        const u64 left = pop();
        push(function(left, right));
    }

    const Instance::State& instance_;
    TrustedReader reader_;
    std::vector<u64> stack_;
};

}  // namespace

u64 evaluate(const Instance::State& instance, ConstExpr expr) {
    const LoneConst lone = lone_i32_const(instance.decoded().slice(expr));
    if (lone.bytes != 0) return static_cast<u32>(lone.value);
    return Evaluator{instance, expr}.run();
}

}  // namespace wrun::engine
