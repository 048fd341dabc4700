// See body.hpp.
#include "tests/matrix/body.hpp"

#include "fuzz/differential/plan.hpp"

namespace wrun::matrix {

using namespace build;

namespace {

constexpr u32 integer_homes = 8;
constexpr u32 float_homes = 12;

/// Where the result goes.
enum class Result : u8 {
    store,     // to memory as it is
    set,       // into a home
    tee,       // into a home and on
    into_0,    // into the local of operand 0 …
    into_1,    // … or 1
    branch,    // an if on it
    choose,    // a select on it
    address,   // an address of a load
    added,     // a loaded value: the right-hand side of an addition into a home …
    compared,  // … or of a comparison
};

Bytes constant(ValType type, u64 bits) {
    switch (type.kind()) {
        case Kind::i32: return i32_const(static_cast<i32>(bits));
        case Kind::i64: return i64_const(static_cast<i64>(bits));
        case Kind::f32: return join(opcode(Op::f32_const), fixed(bits, 4));
        case Kind::f64: return join(opcode(Op::f64_const), fixed(bits, 8));
        default: return ref_null(type);
    }
}

class BodyMaker {
public:
    BodyMaker(const Case& tested, const Variant& variant, const BlockTypes& types)
        : tested_{tested}, variant_{variant}, types_{types}, random_{variant.number * 7919ull + 1} {
        for (u32 i = 0; i < operands(); ++i)
            needs_full_ |= place(i) == Place::local;
        full_ = needs_full_ || random_.once_in(2);
        calls_ = random_.once_in(3);
        choose_result();
    }

    Body make() {
        declare_locals();
        emit_prologue();
        if (calls_) add(call(world::nothing));
        push_pressure();
        if (tested_.result) add(i32_const(static_cast<i32>(world::out)));
        if (result_ == Result::choose) add(join(i64_const(33), i64_const(44)));
        if (result_ == Result::added || result_ == Result::compared) push_left();
        add(tested_.before);
        push_operands();
        if (random_.once_in(3)) change_locals();
        add(tested_.code);
        take_result();
        pop_pressure();
        fold_locals();
        add(join(i32_const(static_cast<i32>(world::out)), local_get(world::checksum),
            i64_store(8u, 0u), end()));
        return std::move(body_);
    }

private:
    void add(const Bytes& bytes) { append(body_.code, bytes); }
    [[nodiscard]] u32 operands() const { return static_cast<u32>(tested_.operands.size()); }
    [[nodiscard]] Place place(u32 i) const { return variant_.places[i]; }
    /// The local that holds operand `i`.
    [[nodiscard]] u32 local_of(u32 i) const {
        return world::operand + (variant_.same && i == 1 ? 0 : i);
    }
    [[nodiscard]] u32 result_local() const { return world::result + index_of(*tested_.result); }

    void choose_result() {
        if (!tested_.result) return;
        const ValType type = *tested_.result;
        std::vector<Result> all = {Result::store, Result::set, Result::tee};
        for (u32 i = 0; i < 2 && i < operands(); ++i) {
            if (tested_.operands[i] == type && tested_.before.empty())
                all.push_back(i == 0 ? Result::into_0 : Result::into_1);
        }
        if (tested_.accesses) {
            // So that a load happens, and traps, in the operation that takes it.
            all.insert(all.end(), 2, Result::compared);
            if (!type.is_float()) all.insert(all.end(), 2, Result::added);
        }
        if (tested_.before.empty() && type == type_i32) {
            all.push_back(Result::branch);
            if (!tested_.accesses) all.push_back(Result::choose);
            if (tested_.is_boolean) all.push_back(Result::address);
        }
        result_ = all[random_.below(static_cast<u32>(all.size()))];
    }

    // ---- locals -------------------------------------------------------------------------------

    void declare_locals() {
        for (const ValType type : {type_i32, type_i64, type_f32, type_f64, type_i64, type_funcref})
            body_.locals.push_back({1, type});
        for (const ValType type : tested_.operands)
            body_.locals.push_back({1, type});
        u32 next = world::operand + operands();
        u32 integers = 0;
        u32 floats = 0;
        const auto heat = [&](u32 local, ValType type, u32 times) {
            hot_.push_back({local, times});
            ++(type.is_float() ? floats : integers);
        };
        for (u32 i = 0; i < operands(); ++i) {
            if (place(i) == Place::home && local_of(i) == world::operand + i)
                heat(local_of(i), tested_.operands[i], 4);
        }
        if (result_ == Result::set || result_ == Result::tee || result_ == Result::added)
            heat(result_local(), *tested_.result, 3);
        if (!full_) return;
        for (; integers < integer_homes; ++next) {
            const ValType type = integers % 2 == 0 ? type_i64 : type_i32;
            body_.locals.push_back({1, type});
            fillers_.push_back({next, type});
            heat(next, type, 2);
        }
        const bool has_floats = needs_full_ || random_.once_in(2);
        for (; has_floats && floats < float_homes; ++next) {
            const ValType type = floats % 2 == 0 ? type_f64 : type_f32;
            body_.locals.push_back({1, type});
            fillers_.push_back({next, type});
            heat(next, type, 2);
        }
    }

    void emit_prologue() {
        u32 number = 1;
        for (const auto& [local, type] : fillers_) {
            const u64 bits = differ::mix(variant_.number, number++);
            // No NaN: 0x3f… and 0x3ff… lie between 1/2 and 2.
            const u64 finite = type == type_f64   ? (bits >> 12) | (u64{0x3ff} << 52)
                               : type == type_f32 ? (bits & 0x007f'ffff) | 0x3f80'0000
                                                  : bits;
            add(join(constant(type, finite), local_set(local)));
        }
        for (u32 i = 0; i < operands(); ++i) {
            add(convert_raw(i));
            add(local_set(world::operand + i));
        }
        if (hot_.empty()) return;
        add(join(loop(), loop()));
        for (const auto& [local, times] : hot_) {
            for (u32 i = 0; i < times; ++i)
                add(join(local_get(local), drop()));
        }
        add(join(end(), end()));
    }

    /// Operand `i` from its 64 bits, the upper half of a narrow one poisoned, as a temporary.
    [[nodiscard]] Bytes convert_raw(u32 i) const {
        const Bytes raw = local_get(world::raw + (variant_.same && i == 1 ? 0 : i));
        switch (tested_.operands[i].kind()) {
            case Kind::i32: return join(raw, i32_wrap_i64());
            case Kind::i64: return raw;
            case Kind::f32: return join(raw, i32_wrap_i64(), f32_reinterpret_i32());
            case Kind::f64: return join(raw, f64_reinterpret_i64());
            // A null, or a function.
            default:
                return join(
                    raw, i32_wrap_i64(), i32_const(1), i32_xor(), table_get(world::table_tried));
        }
    }

    // ---- what lies below ------------------------------------------------------------------------

    void push_pressure() {
        const Pressure& pressure = pressures[variant_.pressure];
        bool has_floats = tested_.result && tested_.result->is_float();
        for (const ValType type : tested_.operands)
            has_floats |= type.is_float();
        const u32 floats = has_floats ? pressure.floats : std::min(pressure.floats, 2u);
        for (u32 i = 0; i < pressure.integers || i < floats; ++i) {
            const i32 number = static_cast<i32>(i) * 3 + 1;
            const Bytes narrow = join(local_get(world::tuple), i32_const(number), i32_add());
            if (i < pressure.integers && i % 2 == 0) {
                add(join(local_get(world::raw), i64_const(number), i64_add()));
                pressure_.push_back(type_i64);
            } else if (i < pressure.integers) {
                add(narrow);
                pressure_.push_back(type_i32);
            }
            if (i < floats) {
                add(join(narrow, i % 2 == 0 ? f64_convert_i32_u() : f32_convert_i32_u()));
                pressure_.push_back(i % 2 == 0 ? type_f64 : type_f32);
            }
        }
    }

    void pop_pressure() {
        for (; !pressure_.empty(); pressure_.pop_back())
            add(fold(pressure_.back()));
    }

    // ---- operands -------------------------------------------------------------------------------

    void push_operands() {
        for (u32 i = 0; i < operands(); ++i) {
            // Only a block's results come as one in a register and one above it in a slot.
            if (i + 1 < operands() && place(i) == Place::temp && place(i + 1) == Place::slot &&
                push_joined(i)) {
                ++i;
                continue;
            }
            push_operand(i);
        }
    }

    [[nodiscard]] bool push_joined(u32 i) {
        const ValType first = tested_.operands[i];
        const ValType second = tested_.operands[i + 1];
        std::vector<ValType> results = {first, second};
        Bytes extra;
        if (first.is_float() != second.is_float()) {
            // Another value takes the second one's register; only where it may stay below.
            if (tested_.result || !tested_.before.empty() || i != 0) return false;
            const ValType kind = second.is_float() ? type_f64 : type_i64;
            extra = join(local_get(world::raw), kind == type_f64 ? f64_reinterpret_i64() : Bytes{});
            results.insert(results.begin(), kind);
            pressure_.push_back(kind);
        }
        add(join(block(TypeIndex{types_(results)}), extra, local_get(local_of(i)),
            local_get(local_of(i + 1)), local_get(world::tuple), i32_eqz(), br_if(0), end()));
        return true;
    }

    void push_operand(u32 i) {
        const ValType type = tested_.operands[i];
        switch (place(i)) {
            case Place::home:
            case Place::local: return add(local_get(local_of(i)));
            case Place::temp: return push_temp(i);
            case Place::slot: push_temp(i); return add(join(block(), end()));
            case Place::load:
                add(local_get(world::tuple));
                if (random_.once_in(2)) add(join(i32_const(0), i32_add()));
                return add(load(type, 8 * i));
            case Place::flags: return add(join(local_get(local_of(i)), i32_const(0), i32_ne()));
            case Place::constant:
                return add(constant(type, tested_.values[i][variant_.constants[i]]));
        }
    }

    [[nodiscard]] static Bytes load(ValType type, u32 offset) {
        switch (type.kind()) {
            case Kind::i32: return i32_load(u64{offset});
            case Kind::i64: return i64_load(u64{offset});
            case Kind::f32: return f32_load(u64{offset});
            default: return f64_load(u64{offset});
        }
    }

    /// By every means that could leave something above a narrow value.
    void push_temp(u32 i) {
        const ValType type = tested_.operands[i];
        const Bytes get = local_get(local_of(i));
        if (type.is_ref()) {
            const u32 last = i == 0 ? 3 : 2;  // a call moves what lies below
            if (random_.below(last) == 0) {
                return add(join(get, ref_null(type), local_get(world::tuple), select_t(type)));
            }
            return add(convert_raw(i));
        }
        const u32 kind = index_of(type);
        const u32 ways = i == 0 ? 8 : 5;
        switch (random_.below(ways)) {
            case 0: return add(type == type_i64 ? join(get, get, i64_or()) : convert_raw(i));
            case 1:
                return add(join(get, global_set(world::imported_global + kind),
                    global_get(world::imported_global + kind)));
            case 2: return add(join(get, get, local_get(world::tuple), select()));
            case 3: return add(join(block(type), get, local_get(world::tuple), br_if(0), end()));
            case 4:
                if (type == type_i32) return add(join(get, i32_const(0), i32_or()));
                return add(join(get, global_set(world::own_global + kind),
                    global_get(world::own_global + kind)));
            case 5: return add(join(get, call(world::same + kind)));
            case 6: return add(join(get, call(world::host_same + kind)));
            default:
                if (type != type_i32) return add(join(get, call(world::host_same + kind)));
                return add(join(local_get(world::raw + i), call(world::wrap)));
        }
    }

    /// Sets the locals that the operands came from, and the address of those not loaded yet: what
    /// lies on the stack must not follow.
    void change_locals() {
        bool loads = false;
        for (u32 i = 0; i < operands(); ++i) {
            loads |= place(i) == Place::load;
            if (place(i) != Place::home && place(i) != Place::local) continue;
            const u32 local = local_of(i);
            switch (tested_.operands[i].kind()) {
                case Kind::i32:
                    add(join(local_get(local), i32_const(77), i32_add(), local_set(local)));
                    break;
                case Kind::i64:
                    add(join(local_get(local), i64_const(77), i64_add(), local_set(local)));
                    break;
                case Kind::f32: add(join(f32_const(77), local_set(local))); break;
                case Kind::f64: add(join(f64_const(77), local_set(local))); break;
                default: add(join(ref_null(type_funcref), local_set(local))); break;
            }
        }
        if (!loads) return;
        add(join(local_get(world::tuple), i32_const(8), i32_add(), local_set(world::tuple)));
    }

    // ---- the result -----------------------------------------------------------------------------

    /// What a loaded value is added to or compared with.
    void push_left() {
        switch (tested_.result->kind()) {
            case Kind::i32: return add(local_get(world::tuple));
            case Kind::i64: return add(local_get(world::raw + 2));
            case Kind::f32: return add(join(local_get(world::tuple), f32_convert_i32_u()));
            default: return add(join(local_get(world::tuple), f64_convert_i32_u()));
        }
    }

    [[nodiscard]] static Bytes less(ValType type) {
        switch (type.kind()) {
            case Kind::i32: return i32_lt_u();
            case Kind::i64: return i64_lt_s();
            case Kind::f32: return f32_lt();
            default: return f64_lt();
        }
    }

    void take_result() {
        if (!tested_.result) return;
        ValType type = *tested_.result;
        switch (result_) {
            case Result::store: break;
            case Result::set:
                add(join(local_set(result_local()), local_get(result_local())));
                break;
            case Result::tee: add(local_tee(result_local())); break;
            case Result::into_0:
            case Result::into_1: {
                const u32 i = result_ == Result::into_0 ? 0 : 1;
                overwritten_ = local_of(i);
                add(join(local_set(overwritten_), local_get(overwritten_)));
                break;
            }
            case Result::branch:
                add(join(if_(type_i64), i64_const(11), else_(), i64_const(22), end()));
                type = type_i64;
                break;
            case Result::choose:
                add(select());
                type = type_i64;
                break;
            case Result::address: add(i32_load8_u(u64{64})); break;
            case Result::added:
                add(join(type == type_i32 ? i32_add() : i64_add(), local_set(result_local()),
                    local_get(result_local())));
                break;
            case Result::compared:
                add(less(type));
                type = type_i32;
                break;
        }
        switch (type.kind()) {
            // An i32 is seen with what is above it.
            case Kind::i32: return add(join(i64_extend_i32_u(), i64_store()));
            case Kind::i64: return add(i64_store());
            case Kind::f32: return add(f32_store());
            default: return add(f64_store());
        }
    }

    void fold_locals() {
        for (u32 i = 0; i < operands(); ++i) {
            if (world::operand + i == overwritten_) continue;
            add(join(local_get(world::operand + i), fold(tested_.operands[i])));
        }
        for (const auto& [local, type] : fillers_)
            add(join(local_get(local), fold(type)));
        for (u32 i = 0; i < operands_max; ++i)
            add(join(local_get(world::raw + i), fold(type_i64)));
        add(join(local_get(world::tuple), fold(type_i32)));
    }

    const Case& tested_;
    const Variant& variant_;
    const BlockTypes& types_;
    differ::Random random_;
    Body body_;
    struct Hot {
        u32 local;
        u32 times;
    };
    struct Filler {
        u32 local;
        ValType type;
    };
    std::vector<Hot> hot_;
    std::vector<Filler> fillers_;
    std::vector<ValType> pressure_;
    Result result_ = Result::store;
    bool needs_full_ = false;
    bool full_ = false;
    bool calls_ = false;
    u32 overwritten_ = 0;
};

}  // namespace

Body make_body(const Case& tested, const Variant& variant, const BlockTypes& types) {
    return BodyMaker{tested, variant, types}.make();
}

}  // namespace wrun::matrix
