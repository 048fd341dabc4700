// See module.hpp.
#include "tests/matrix/module.hpp"

#include <map>

namespace wrun::matrix {

using namespace build;

namespace {

constexpr ValType numbers[] = {type_i32, type_i64, type_f32, type_f64};
constexpr u32 poison = 0xa5a5'a5a5;

std::string text_of(const Bytes& bytes) {
    return {bytes.begin(), bytes.end()};
}

/// Lists of operands, each list once.
class Tuples {
public:
    /// Its address, or nothing when there is no more room.
    [[nodiscard]] std::optional<u32> add(const Bytes& list) {
        const auto found = places_.find(list);
        if (found != places_.end()) return found->second;
        if (bytes_.size() + list.size() > world::tuples_max * 24) return std::nullopt;
        const u32 at = world::tuples + static_cast<u32>(bytes_.size());
        append(bytes_, list);
        places_.emplace(list, at);
        return at;
    }
    [[nodiscard]] const Bytes& bytes() const { return bytes_; }

private:
    Bytes bytes_;
    std::map<Bytes, u32> places_;
};

/// All combinations of the variant's values, 24 bytes each.
Bytes tuples_of(const Case& tested, const Variant& variant, bool few) {
    std::vector<std::vector<u64>> values;
    std::size_t count = 1;
    for (u32 i = 0; i < operands_max; ++i) {
        values.push_back(
            i < tested.operands.size() ? values_of(tested, variant, i, few) : std::vector<u64>{i});
        count *= values.back().size();
    }
    Bytes list;
    for (std::size_t n = 0; n < count; ++n) {
        std::size_t rest = n;
        for (u32 i = operands_max; i-- > 0;) {
            const std::size_t at = rest % values[i].size();
            rest /= values[i].size();
            const bool narrow = i < tested.operands.size() && tested.operands[i] != type_i64 &&
                                tested.operands[i] != type_f64;
            const u64 bits = values[i][at] | (narrow ? u64{poison} << 32 : 0);
            const Bytes word = fixed(bits, 8);
            list.insert(
                list.begin() + static_cast<std::ptrdiff_t>(24 * n), word.begin(), word.end());
        }
    }
    return list;
}

class ModuleMaker {
public:
    ModuleMaker(const std::vector<Case>& cases, bool few) : cases_{cases}, few_{few} {}

    TestModule make(std::span<const Variant>& rest) {
        add_types();
        add_imports_and_variables();
        add_functions();
        while (!rest.empty() && made_.entries.size() < functions_max) {
            const Variant& variant = rest.front();
            const Case& tested = cases_[variant.case_index];
            const Bytes list = tuples_of(tested, variant, few_);
            const std::optional<u32> at = tuples_.add(list);
            if (!at) break;
            const Body body = make_body(tested, variant,
                [this](const std::vector<ValType>& results) { return block_type(results); });
            module_.function(world::type_tested, body.code, body.locals);
            const u32 index = static_cast<u32>(made_.entries.size());
            made_.entries.push_back({&variant, index, *at, static_cast<u32>(list.size() / 24)});
            rest = rest.subspan(1);
        }
        add_segments();
        made_.wasm = module_.bytes();
        return std::move(made_);
    }

private:
    void add_types() {
        for (const ValType type : numbers)
            module_.type({type}, {type});
        module_.type({type_i64}, {type_i32});
        module_.type({}, {});
        module_.type({type_i64}, many_results());
        module_.type(mixed_params(), {type_i64});
        module_.type({type_i64, type_i64, type_i64, type_i32}, {});
        module_.type({type_i32, type_i32, type_i32, type_i32}, {});
        next_type_ = module_.type({}, {type_i32}) + 1;
    }

    static std::vector<ValType> many_results() {
        return {type_i32, type_i64, type_f32, type_f64, type_i32, type_i64, type_f32, type_f64};
    }
    static std::vector<ValType> mixed_params() {
        return {type_i32, type_f64, type_i64, type_f32, type_i32, type_i64, type_i64, type_i32,
            type_i64};
    }

    u32 block_type(const std::vector<ValType>& results) {
        for (const auto& [known, number] : block_types_) {
            if (known == results) return number;
        }
        block_types_.emplace_back(results, next_type_);
        module_.type({}, results);
        return next_type_++;
    }

    void add_imports_and_variables() {
        for (u32 i = 0; i < 4; ++i)
            module_.import_function("host", "same" + std::to_string(i), world::type_unary + i);
        for (u32 i = 0; i < 4; ++i)
            module_.import_global("host", "global" + std::to_string(i), numbers[i], true);
        module_.global(type_i32, true, body(i32_const(0)));
        module_.global(type_i64, true, body(i64_const(0)));
        module_.global(type_f32, true, body(f32_const(0)));
        module_.global(type_f64, true, body(f64_const(0)));
        module_.table(type_funcref, functions_max, functions_max);
        module_.table(type_funcref, world::tried_size, world::tried_size);
        module_.table(type_funcref, 4, 4);
        module_.memory(3, 3);
        module_.export_item("memory", ExternKind::memory, 0);
    }

    void add_functions() {
        for (u32 i = 0; i < 4; ++i)
            module_.function(world::type_unary + i, body(local_get(0)));
        module_.function(world::type_wrap, body(local_get(0), i32_wrap_i64()));
        module_.function(world::type_nothing, body());
        // Results that all differ.
        Bytes many;
        for (u32 i = 0; i < 8; ++i) {
            append(many, join(local_get(0), i64_const(i * 0x1'0000'0001ll), i64_xor()));
            switch (many_results()[i].kind()) {
                case Kind::i32: append(many, i32_wrap_i64()); break;
                case Kind::f32: append(many, f32_convert_i64_s()); break;
                case Kind::f64: append(many, f64_convert_i64_s()); break;
                default: break;
            }
        }
        module_.function(world::type_many, body(many));
        Bytes mixed = i64_const(0);
        for (u32 i = 0; i < mixed_params().size(); ++i) {
            append(mixed, local_get(i));
            switch (mixed_params()[i].kind()) {
                case Kind::i32: append(mixed, i64_extend_i32_u()); break;
                case Kind::f32:
                    append(mixed, join(i32_reinterpret_f32(), i64_extend_i32_u()));
                    break;
                case Kind::f64: append(mixed, i64_reinterpret_f64()); break;
                default: break;
            }
            append(mixed, join(i64_xor(), i64_const(11), i64_rotl()));
        }
        module_.function(world::type_mixed, body(mixed));
        module_.function(world::type_none_i32, body(i32_const(4711)));
        module_.export_item(
            "run", ExternKind::func, module_.function(world::type_driver, driver()));
    }

    /// run(function, address of its tuples, first tuple, number of tuples): the results go to
    /// world::results. After a trap the host asks for the next tuple on.
    static Bytes driver() {
        constexpr u32 function = 0;
        constexpr u32 list = 1;
        constexpr u32 at = 2;
        constexpr u32 count = 3;
        const Bytes result = join(local_get(at), i32_const(4), i32_shl());
        const Bytes operands =
            join(local_get(list), local_get(at), i32_const(24), i32_mul(), i32_add());
        const auto constant_address = [](u32 address) {
            return i32_const(static_cast<i32>(address));
        };
        Bytes step;
        for (const u32 half : {0u, 8u}) {
            append(step, join(constant_address(world::out + half), i64_const(0x5555'5555'5555'5555),
                             i64_store()));
            append(step, join(result, i64_const(0x7777'7777'7777'7777),
                             i64_store(u64{world::results} + half)));
        }
        for (const u32 operand : {0u, 8u, 16u})
            append(step, join(operands, i64_load(u64{operand})));
        append(step, join(operands, local_get(function),
                         call_indirect(world::type_tested, world::table_tested)));
        for (const u32 half : {0u, 8u}) {
            append(step, join(result, constant_address(world::out + half), i64_load(),
                             i64_store(u64{world::results} + half)));
        }
        return body(block(), loop(), local_get(at), local_get(count), i32_ge_u(), br_if(1),
            constant_address(world::cursor), local_get(at), i32_store(), step, local_get(at),
            i32_const(1), i32_add(), local_set(at), br(0), end(), end());
    }

    void add_segments() {
        // Segments 0 and 1 are passive; the cases name them.
        const Bytes tried = join(leb_u(5), body(ref_func(world::none_i32)),
            body(ref_null(type_funcref)), body(ref_func(world::none_i32)),
            body(ref_null(type_funcref)), body(ref_func(world::wrap)));
        module_.element(join(5, val_type(type_funcref), tried));
        module_.element(join(5, val_type(type_funcref), tried));
        std::vector<u32> functions;
        for (u32 i = 0; i < made_.entries.size(); ++i)
            functions.push_back(world::first_tested + i);
        module_.active_elements(body(i32_const(0)), functions);
        module_.element(
            join(6, leb_u(world::table_tried), body(i32_const(0)), val_type(type_funcref), tried));
        module_.declared_elements({world::nothing});

        module_.data_count(5);
        module_.passive_data("0123456789abcdef");
        module_.passive_data("0123");
        for (const u64 begin : {u64{0}, world::memory_bytes - world::tried_bytes}) {
            Bytes pattern;
            for (u32 i = 0; i < world::tried_bytes; ++i)
                pattern.push_back(static_cast<u8>(i * 37 + (i >> 8) * 11 + 129));
            module_.active_data(body(i32_const(static_cast<i32>(begin))), text_of(pattern));
        }
        module_.active_data(
            body(i32_const(static_cast<i32>(world::tuples))), text_of(tuples_.bytes()));
    }

    const std::vector<Case>& cases_;
    bool few_;
    ModuleBuilder module_;
    TestModule made_;
    Tuples tuples_;
    u32 next_type_ = 0;
    std::vector<std::pair<std::vector<ValType>, u32>> block_types_;
};

}  // namespace

TestModule make_module(const std::vector<Case>& cases, std::span<const Variant>& rest, bool few) {
    return ModuleMaker{cases, few}.make(rest);
}

}  // namespace wrun::matrix
