// See pressure_body.hpp.
#include "fuzz/differential/pressure_body.hpp"

#include <algorithm>
#include <bit>
#include <optional>

#include "base/check.hpp"

namespace wrun::differ {

ValType val_type_of(Type type) noexcept {
    static constexpr std::array<ValType, 6> types = {
        type_i32, type_i64, type_f32, type_f64, type_funcref, type_externref};
    return types[to_underlying(type)];
}

namespace {

constexpr std::array number_types = {Type::i32, Type::i64, Type::f32, Type::f64};

[[nodiscard]] bool is_number(Type type) noexcept {
    return type <= Type::f64;
}
[[nodiscard]] bool is_float(Type type) noexcept {
    return type == Type::f32 || type == Type::f64;
}

/// A numeric row of ops.def.
struct Row {
    Op op{};
    Types operands;
    Type result{};
    bool traps = false;
    bool sees_bits = false;  // of a NaN in its last operand
};

Type number_of(ValType type) {
    for (const Type candidate : number_types) {
        if (val_type_of(candidate) == type) return candidate;
    }
    return Type::other;
}

std::vector<Row> make_rows() {
    std::vector<Row> rows;
    for (std::size_t i = 0; i < op_table.size(); ++i) {
        const OpInfo& row = op_table[i];
        if (row.immediate != Immediate::none || row.signature.special ||
            row.signature.pushes != 1 || !default_features().has(row.feature))
            continue;
        Row made;
        made.op = static_cast<Op>(i);
        bool usable = true;
        for (u8 k = 0; k < row.signature.pops; ++k)
            made.operands.push_back(number_of(row.signature.types[k]));
        made.result = number_of(row.signature.types[row.signature.pops]);
        for (const Type type : made.operands)
            usable = usable && type != Type::other;
        made.traps = row.has(trait::traps);
        made.sees_bits = row.text.find("reinterpret_f") != std::string_view::npos ||
                         row.text.find("copysign") != std::string_view::npos;
        if (usable && made.result != Type::other) rows.push_back(made);
    }
    return rows;
}

const std::vector<Row>& rows() {
    static const std::vector<Row> made = make_rows();
    return made;
}

/// Rows that fit, by what they push.
template <class Fits>
std::vector<const Row*> rows_where(Fits fits) {
    std::vector<const Row*> found;
    for (const Row& row : rows()) {
        if (fits(row)) found.push_back(&row);
    }
    return found;
}

const std::vector<const Row*>& rows_for(Type result) {
    static const auto made = [] {
        std::array<std::vector<const Row*>, 4> all;
        for (const Type type : number_types)
            all[to_underlying(type)] = rows_where([&](const Row& r) { return r.result == type; });
        return all;
    }();
    return made[to_underlying(result)];
}

/// Two of a type make one of it, and never trap.
const std::vector<const Row*>& combining_rows(Type type) {
    static const auto made = [] {
        std::array<std::vector<const Row*>, 4> all;
        for (const Type t : number_types)
            all[to_underlying(t)] = rows_where([&](const Row& r) {
                return r.result == t && r.operands == Types{t, t} && !r.traps;
            });
        return all;
    }();
    return made[to_underlying(type)];
}

const std::vector<const Row*>& converting_rows(Type from, Type to) {
    static const auto made = [] {
        std::array<std::array<std::vector<const Row*>, 4>, 4> all;
        for (const Type f : number_types) {
            for (const Type t : number_types)
                all[to_underlying(f)][to_underlying(t)] = rows_where([&](const Row& r) {
                    return r.result == t && r.operands == Types{f} && !r.traps;
                });
        }
        return all;
    }();
    return made[to_underlying(from)][to_underlying(to)];
}

struct Access {
    Op op{};
    Type type{};
    u32 bytes = 0;
};

std::vector<Access> accesses(bool store) {
    std::vector<Access> all;
    for (std::size_t i = 0; i < op_table.size(); ++i) {
        const OpInfo& row = op_table[i];
        if (row.immediate != Immediate::mem || !default_features().has(row.feature)) continue;
        if ((row.signature.pushes == 0) != store) continue;
        const Type type = number_of(row.signature.types[1]);
        if (type != Type::other) all.push_back({static_cast<Op>(i), type, row.access_bytes});
    }
    return all;
}

const Access& pick_access(bool store, Type type, Random& random) {
    static const std::vector<Access> loads = accesses(false);
    static const std::vector<Access> stores = accesses(true);
    const auto& all = store ? stores : loads;
    for (;;) {
        const Access& access = all[random.below(static_cast<u32>(all.size()))];
        if (access.type == type) return access;
    }
}

class BodyMaker {
public:
    BodyMaker(
        const World& world, const Signature& signature, const BodyShape& shape, Random& random)
        : world_{world},
          signature_{signature},
          shape_{shape},
          random_{random},
          budget_{static_cast<i32>(shape.budget)},
          locals_{signature.params},
          writable_(signature.params.size(), true) {}

    [[nodiscard]] Body make() {
        labels_.push_back({signature_.results, false});
        take_fuel();
        add_locals();
        if (shape_.edges) {
            edge_access();
        } else {
            const u32 statements = 1 + random_.below(6);
            for (u32 i = 0; i < statements; ++i)
                statement();
        }
        results();
        op(Op::end);
        Body body;
        body.code = std::move(code_);
        for (std::size_t i = signature_.params.size(); i < locals_.size(); ++i)
            body.locals.push_back({1, val_type_of(locals_[i])});
        return body;
    }

private:
    struct Label {
        Types types;  // what a branch to it carries
        bool is_loop;
    };

    // ---- writing ------------------------------------------------------------------------------

    void op(Op op) { build::append(code_, build::opcode(op)); }
    void op(Op which, u64 immediate) {
        op(which);
        build::append(code_, build::leb_u(immediate));
    }
    void op(Op which, u64 first, u64 second) {
        op(which, first);
        build::append(code_, build::leb_u(second));
    }
    void push(Type type) { stack_.push_back(type); }
    void pop() { stack_.pop_back(); }
    [[nodiscard]] u32 height() const { return static_cast<u32>(stack_.size()); }
    [[nodiscard]] u32 below(u32 bound) { return random_.below(bound); }
    [[nodiscard]] bool once_in(u32 times) { return random_.once_in(times); }

    void const_i32(i64 value) {
        op(Op::i32_const);
        build::append(code_, build::leb_s(static_cast<i32>(value)));
        push(Type::i32);
    }
    void const_i64(u64 value) {
        op(Op::i64_const);
        build::append(code_, build::leb_s(static_cast<i64>(value)));
        push(Type::i64);
    }
    void constant(Type type) {
        const Value value = edge_value(type, random_.next());
        switch (type) {
            case Type::i32: const_i32(static_cast<i32>(value.bits)); return;
            case Type::i64: const_i64(value.bits); return;
            case Type::f32:
                op(Op::f32_const);
                build::append(code_, build::fixed(value.bits, 4));
                break;
            case Type::f64:
                op(Op::f64_const);
                build::append(code_, build::fixed(value.bits, 8));
                break;
            case Type::funcref:
            case Type::externref:
                op(Op::ref_null);
                build::append(code_, build::val_type(val_type_of(type)));
                break;
            case Type::other: break;
        }
        push(type);
    }

    void local_get(u32 index) {
        op(Op::local_get, index);
        push(locals_[index]);
    }
    void local_set(u32 index) {
        op(Op::local_set, index);
        pop();
    }

    void apply(const Row& row) {
        if (row.sees_bits && is_float(row.operands.back())) make_canonical();
        op(row.op);
        for (std::size_t i = 0; i < row.operands.size(); ++i)
            pop();
        push(row.result);
    }

    /// The top operand, a float, as the canonical NaN when it is one.
    void make_canonical() {
        const Type type = stack_.back();
        const u32 local = scratch_local(type);
        op(Op::local_tee, local);
        if (type == Type::f32) {
            op(Op::f32_const);
            build::append(code_, build::fixed(0x7fc0'0000, 4));
        } else {
            op(Op::f64_const);
            build::append(code_, build::fixed(0x7ff8'0000'0000'0000, 8));
        }
        op(Op::local_get, local);
        op(Op::local_get, local);
        op(type == Type::f32 ? Op::f32_eq : Op::f64_eq);
        op(Op::select);
    }

    /// Block types: short form where there is one, sometimes the long form all the same.
    void block_type(const Types& params, const Types& results) {
        if (params.empty() && results.empty()) {
            build::append(code_, build::detail::block_type());
        } else if (params.empty() && results.size() == 1 && !once_in(4)) {
            build::append(code_, build::val_type(val_type_of(results[0])));
        } else {
            const u32 index = world_.module->type(val_types(params), val_types(results));
            build::append(code_, build::leb_s(index));
        }
    }
    [[nodiscard]] static build::ValTypes val_types(const Types& types) {
        build::ValTypes all;
        for (const Type type : types)
            all.push_back(val_type_of(type));
        return all;
    }

    // ---- locals -------------------------------------------------------------------------------

    u32 add_local(Type type, bool writable) {
        locals_.push_back(type);
        writable_.push_back(writable);
        return static_cast<u32>(locals_.size() - 1);
    }
    u32 scratch_local(Type type) {
        u32& local = scratch_[to_underlying(type)];
        if (local == 0 || once_in(4)) local = add_local(type, false);
        return local;
    }
    /// Any local of the type, or nothing.
    [[nodiscard]] std::optional<u32> find_local(Type type, bool to_write) {
        if (locals_.empty()) return std::nullopt;
        const u32 count = static_cast<u32>(locals_.size());
        const u32 from = below(count);
        for (u32 i = 0; i < count; ++i) {
            const u32 at = (from + i) % count;
            if (locals_[at] == type && (!to_write || writable_[at])) return at;
        }
        return std::nullopt;
    }

    [[nodiscard]] Type any_number() { return number_types[below(shape_.floats ? 4 : 2)]; }
    [[nodiscard]] Type any_type() {
        if (once_in(16)) return once_in(2) ? Type::funcref : Type::externref;
        return any_number();
    }
    [[nodiscard]] Types any_types(u32 most) {
        Types types;
        for (u32 i = below(most + 1); i > 0; --i)
            types.push_back(any_type());
        return types;
    }

    void take_fuel() {
        op(Op::global_get, world_.fuel_global);
        op(Op::i32_eqz);
        op(Op::if_);
        block_type({}, {});
        for (const Type type : signature_.results)
            constant(type);
        op(Op::return_);
        op(Op::end);
        stack_.clear();
        op(Op::global_get, world_.fuel_global);
        const_i32(1);
        pop();
        op(Op::i32_sub);
        op(Op::global_set, world_.fuel_global);
    }

    void add_locals() {
        for (u32 i = 0; i < shape_.local_count; ++i) {
            const u32 local = add_local(any_type(), true);
            if (once_in(4)) continue;  // zero at first
            if (once_in(3)) {
                expression(locals_[local]);
            } else {
                leaf(locals_[local]);
            }
            local_set(local);
        }
        for (u32 i = below(3); i > 0; --i) {
            const u32 local = add_local(Type::i32, false);
            set_pointer(local);
            pointers_.push_back(local);
        }
    }

    /// Pointers always lie in the first 64 KiB, so they need no mask where they are used.
    void set_pointer(u32 local) {
        expression(Type::i32);
        const_i32(0xfff8);
        op(Op::i32_and);
        pop();
        if (once_in(2)) {
            op(Op::local_tee, local);
            op(Op::drop);
            pop();
        } else {
            local_set(local);
        }
    }

    // ---- expressions --------------------------------------------------------------------------

    void leaf(Type type) {
        const u32 choice = below(10);
        if (choice < 7) {
            if (const auto local = find_local(type, false)) return local_get(*local);
        }
        if (choice == 7) {
            for (u32 i = 0; i < world_.globals.size(); ++i) {
                if (world_.globals[i].type != type || once_in(2)) continue;
                op(Op::global_get, i);
                return push(type);
            }
        }
        if (type == Type::funcref && once_in(2)) {
            op(Op::ref_func, world_.first_body + below(world_.table_pairs));
            return push(type);
        }
        constant(type);
    }

    void expression(Type type) {
        if (budget_ <= 0 || depth_ > 14) return leaf(type);
        --budget_;
        ++depth_;
        const u32 before = height();
        if (is_number(type)) {
            number(type);
        } else {
            reference(type);
        }
        WRUN_CHECK(height() == before + 1 && stack_.back() == type);
        --depth_;
    }

    void number(Type type) {
        const u32 choice = below(32);
        if (choice < 4) return leaf(type);
        if (choice < 14) return numeric(type);
        if (choice < 17) return load(type);
        if (choice < 19) return select(type);
        if (choice < 21) return tee(type);
        if (choice < 23) return if_else(type);
        if (choice < 25) return block(type);
        if (choice < 26) return loop(type);
        if (choice < 28) return call(type);
        if (choice < 30) return wide(type);
        if (choice < 31 && type == Type::i32) return odd_i32();
        return comparison_or(type);
    }

    /// Something between two operands: the first one waits on the stack.
    void interject() {
        if (once_in(8)) statement();
    }

    void numeric(Type type) {
        const auto& candidates = rows_for(type);
        const Row* row = nullptr;
        do {
            row = candidates[below(static_cast<u32>(candidates.size()))];
        } while ((!shape_.floats && has_float(*row)) ||
                 (row->traps && !is_division(*row) && !once_in(16)));
        for (std::size_t i = 0; i < row->operands.size(); ++i) {
            if (i > 0) interject();
            expression(row->operands[i]);
        }
        if (is_division(*row) && !once_in(40)) avoid_zero(type);
        apply(*row);
    }

    [[nodiscard]] static bool has_float(const Row& row) {
        return std::any_of(row.operands.begin(), row.operands.end(), is_float);
    }
    [[nodiscard]] static bool is_division(const Row& row) {
        return row.traps && row.operands.size() == 2;
    }
    void avoid_zero(Type type) {
        if (once_in(3)) {
            // A plain constant or local as divisor is a case of its own.
            op(Op::drop);
            pop();
            const i64 divisor = static_cast<i64>(1 + below(9));
            if (type == Type::i32) {
                const_i32(once_in(2) ? divisor : -divisor);
            } else {
                const_i64(static_cast<u64>(once_in(2) ? divisor : -divisor));
            }
            if (once_in(2)) return;
            const u32 local = scratch_local(type);
            op(Op::local_tee, local);
            return;
        }
        if (type == Type::i32) {
            const_i32(3);
            op(Op::i32_or);
        } else {
            const_i64(3);
            op(Op::i64_or);
        }
        pop();
    }

    void comparison_or(Type type) {
        if (type != Type::i32) return numeric(type);
        condition();
    }

    /// Comparisons in all the places where they can be fused or must be made a number.
    void condition() {
        const Type type = any_number();
        const auto& candidates = rows_for(Type::i32);
        const Row* row = nullptr;
        do {
            row = candidates[below(static_cast<u32>(candidates.size()))];
        } while (row->traps || row->operands != Types{type, type});
        expression(type);
        interject();
        expression(type);
        apply(*row);
        if (once_in(4)) {
            if (const auto local = find_local(Type::i32, true)) op(Op::local_tee, *local);
        }
        for (u32 i = below(3); i > 0; --i) {
            if (once_in(2)) op(Op::i32_eqz);
        }
    }

    void select(Type type) {
        expression(type);
        interject();
        expression(type);
        interject();
        if (once_in(2)) {
            condition();
        } else {
            expression(Type::i32);
        }
        select_op(type);
    }
    void select_op(Type type) {
        if (is_number(type) && !once_in(4)) {
            op(Op::select);
        } else {
            op(Op::select_t, 1);
            build::append(code_, build::val_type(val_type_of(type)));
        }
        pop();
        pop();
    }

    void tee(Type type) {
        expression(type);
        if (const auto local = find_local(type, true)) op(Op::local_tee, *local);
    }

    void odd_i32() {
        switch (below(6)) {
            case 0:
                op(Op::memory_size, 0);
                push(Type::i32);
                break;
            case 1:
                expression(Type::i32);
                const_i32(1);
                op(Op::i32_and);
                pop();
                op(Op::memory_grow, 0);
                break;
            case 2:
                op(Op::table_size, below(2));
                push(Type::i32);
                break;
            case 3: {
                const bool functions = once_in(2);
                expression(functions ? Type::funcref : Type::externref);
                const_i32(below(3));
                op(Op::table_grow, functions ? world_.function_table : world_.extern_table);
                pop();
                pop();
                push(Type::i32);
                break;
            }
            default:
                expression(once_in(2) ? Type::funcref : Type::externref);
                op(Op::ref_is_null);
                pop();
                push(Type::i32);
        }
    }

    void reference(Type type) {
        switch (below(6)) {
            case 0: return select(type);
            case 1: return tee(type);
            case 2:
                table_place(type);
                op(Op::table_get,
                    type == Type::funcref ? world_.function_table : world_.extern_table);
                pop();
                return push(type);
            case 3: return if_else(type);
            default: return leaf(type);
        }
    }

    /// An index that is inside the table of the type, mostly.
    void table_place(Type type) {
        if (once_in(30)) return expression(Type::i32);
        const u32 first = type == Type::funcref ? 2 * world_.table_pairs : 0;
        if (type == Type::funcref && once_in(2)) {
            const_i32(below(first + world_.table_free));
        } else {
            expression(Type::i32);
            const_i32(3);
            op(Op::i32_and);
            pop();
            if (first == 0) return;
            const_i32(first);
            op(Op::i32_add);
            pop();
        }
    }

    // ---- memory -------------------------------------------------------------------------------

    /// An address below 64 KiB + 8, mostly, each time by other means.
    void address() {
        const u32 choice = below(16);
        if (choice < 3 && !pointers_.empty()) {
            const u32 pointer = pointers_[below(static_cast<u32>(pointers_.size()))];
            local_get(pointer);
            if (once_in(4)) {
                const_i32(below(64));
                op(Op::i32_add);
                pop();
            }
            return;
        }
        if (choice < 4) {
            expression(Type::i32);
            return mask(0xffff);
        }
        if (choice < 6) return const_i32(below(0xfff0));
        if (choice < 8) return wrapped_address();
        if (choice < 10) return wrapping_address();
        if (choice < 12) {
            address();
            op(Op::i32_load16_u, 0, below(0x100));
            return;
        }
        if (choice < 13) {
            expression(Type::i32);
            const_i32(16 + below(16));
            op(Op::i32_shr_u);
            return pop();
        }
        if (choice == 13 && once_in(4)) return expression(Type::i32);
        if (choice < 15) {
            condition();
            return;
        }
        expression(Type::i32);
        mask(0xfff8);
    }
    void mask(u32 bits) {
        const_i32(bits);
        op(Op::i32_and);
        pop();
    }
    /// From an i64 whose upper half is full of what must not count.
    void wrapped_address() {
        expression(Type::i64);
        if (once_in(2)) {
            const_i64(0xffff'ffff'0000'fff8);
            op(Op::i64_and);
            pop();
            if (once_in(2)) {
                const u32 local = scratch_local(Type::i64);
                op(Op::local_tee, local);
            }
            op(Op::i32_wrap_i64);
            pop();
            push(Type::i32);
            return;
        }
        const_i64(0xffff);
        op(Op::i64_and);
        pop();
        const_i64(u64{0xdead'beef} << 32);
        op(Op::i64_or);
        pop();
        const u32 local = scratch_local(Type::i64);
        op(Op::local_set, local);
        op(Op::local_get, local);
        op(Op::i32_wrap_i64);
        pop();
        push(Type::i32);
    }
    /// A sum that is small only because it wraps at 2^32.
    void wrapping_address() {
        const u32 amount = once_in(2) ? 8 + below(0x1000) : 0x8000'0000 + below(0x1000);
        expression(Type::i32);
        mask(0x7ff8);
        const_i32(amount);
        op(Op::i32_add);
        pop();
        if (once_in(3)) {
            const u32 local = scratch_local(Type::i32);
            op(Op::local_set, local);
            pop();
            local_get(local);
        }
        const_i32(static_cast<i64>(0) - amount);
        op(Op::i32_add);
        pop();
    }

    void memory_immediate(const Access& access, u64 offset) {
        const u32 align = below(static_cast<u32>(std::countr_zero(access.bytes)) + 1);
        op(access.op, align, offset);
    }
    [[nodiscard]] u64 small_offset() {
        if (once_in(2)) return 0;
        return once_in(200) ? u64{0xffff'ffff} - below(8) : below(once_in(2) ? 16 : 0x1000);
    }

    void load(Type type) {
        const Access& access = pick_access(false, type, random_);
        address();
        memory_immediate(access, small_offset());
        pop();
        push(type);
        // Left pending by a lazy generator; what follows may change what it would read.
        if (once_in(6)) statement();
    }

    void store() {
        const Type type = any_number();
        const Access& access = pick_access(true, type, random_);
        address();
        interject();
        expression(type);
        if (is_float(type)) make_canonical();
        memory_immediate(access, small_offset());
        pop();
        pop();
    }

    /// One access where an address folded wrongly reads something else or does not trap.
    void edge_access() {
        const bool is_store = once_in(3);
        const Type type = any_number();
        const Access& access = pick_access(is_store, type, random_);
        edge_address();
        if (is_store) {
            leaf(type);
            if (is_float(type)) make_canonical();
        }
        memory_immediate(access, edge_offset(access.bytes));
        pop();
        if (is_store) return pop();
        push(type);
        if (is_float(type)) make_canonical();
        if (const auto local = find_local(type, true)) return local_set(*local);
        op(Op::drop);
        pop();
    }
    [[nodiscard]] u64 edge_offset(u32 bytes) {
        const u64 around = below(3);
        switch (below(8)) {
            case 0:
            case 1: return 0;
            case 2: return below(32);
            case 3: return world_.memory_bytes - bytes + around - 1;
            case 4: return u64{0x7fff'ffff} - bytes + around;
            case 5: return u64{0x8000'0000} - around;
            case 6: return u64{0xffff'ffff} - around * bytes;
            default: return world_.memory_bytes / 2;
        }
    }
    void edge_address() {
        static constexpr std::array<u32, 12> bases = {0, 8, 0xffff'ffff, 0xffff'fff8, 0x8000'0000,
            0x7fff'ffff, 0xffff'0000, 0xfffe'0000, 0x1'0000, 0x2'0000, 0x1'fff8, 0x1'ffff};
        const u32 base = bases[below(bases.size())];
        switch (below(9)) {
            case 0: const_i32(base); return;
            case 1: leaf(Type::i32); return;
            case 2:
                leaf(Type::i64);
                op(Op::i32_wrap_i64);
                pop();
                push(Type::i32);
                return;
            case 3:
                leaf(Type::i32);
                const_i32(base);
                op(once_in(2) ? Op::i32_add : Op::i32_sub);
                pop();
                return;
            case 4:
                leaf(Type::i32);
                mask(0xff);
                const_i32(base);
                op(Op::i32_add);
                pop();
                return;
            case 5:
                leaf(Type::i64);
                const_i64(u64{0xffff'ffff'0000'0000} | base);
                op(once_in(2) ? Op::i64_add : Op::i64_or);
                pop();
                op(Op::i32_wrap_i64);
                pop();
                push(Type::i32);
                return;
            case 6:
                leaf(Type::i32);
                op(once_in(2) ? Op::i32_extend8_s : Op::i32_extend16_s);
                return;
            case 7:
                const_i32(below(64));
                op(once_in(2) ? Op::i32_load : Op::i32_load16_s, 0, below(64));
                return;
            default:
                leaf(Type::i32);
                const_i32(below(33));
                op(once_in(2) ? Op::i32_shl : Op::i32_rotl);
                pop();
        }
    }

    // ---- many operands ------------------------------------------------------------------------

    void wide(Type type) {
        const u32 before = height();
        const u32 count = 2 + below(once_in(4) ? shape_.wide_max : 6);
        for (u32 i = 0; i < count; ++i) {
            const Type each = once_in(3) ? any_type() : type;
            if (once_in(3)) {
                expression(each);
            } else {
                leaf(each);
            }
        }
        for (u32 i = below(3); i > 0; --i)
            statement();
        fold(before, type);
    }

    /// All operands above `before` become one of the type.
    void fold(u32 before, Type type) {
        while (height() > before + 1)
            combine_two();
        if (height() == before) return leaf(type);
        convert(type);
    }

    void combine_two() {
        const Type upper = stack_.back();
        const Type lower = stack_[stack_.size() - 2];
        const u32 choice = below(8);
        if (!is_number(lower) || choice == 0) return discard();
        convert(lower);
        if (choice == 1) {
            expression(Type::i32);
            return select_op(lower);
        }
        if (choice == 2 && upper == lower) {
            rotate_locals();
        }
        const auto& candidates = combining_rows(lower);
        apply(*candidates[below(static_cast<u32>(candidates.size()))]);
    }

    /// Drops the top operand or keeps it in a local.
    void discard() {
        if (once_in(2)) {
            if (const auto local = find_local(stack_.back(), true)) return local_set(*local);
        }
        op(Op::drop);
        pop();
    }

    void convert(Type to) {
        const Type from = stack_.back();
        if (from == to) return;
        if (!is_number(to)) {
            op(Op::drop);
            pop();
            return leaf(to);
        }
        if (!is_number(from)) {
            op(Op::ref_is_null);
            pop();
            push(Type::i32);
            return convert(to);
        }
        const auto& candidates = converting_rows(from, to);
        apply(*candidates[below(static_cast<u32>(candidates.size()))]);
    }

    // ---- control ------------------------------------------------------------------------------

    /// Inside a block whose parameters are on the stack already.
    struct Scope {
        u32 base;
    };
    [[nodiscard]] Scope enter(const Types& params, Label label) {
        const Scope outer{base_};
        base_ = height() - static_cast<u32>(params.size());
        labels_.push_back(std::move(label));
        return outer;
    }
    /// Behind it its results are on the stack.
    void leave(Scope outer, const Types& results) {
        op(Op::end);
        stack_.resize(base_);
        for (const Type type : results)
            push(type);
        base_ = outer.base;
        labels_.pop_back();
    }

    /// Makes the block's own operands exactly `results`.
    void settle(const Types& results) {
        for (;;) {
            const std::size_t own = height() - base_;
            if (own <= results.size() &&
                std::equal(stack_.begin() + base_, stack_.end(), results.begin()))
                break;
            discard();
        }
        while (height() - base_ < results.size())
            expression(results[height() - base_]);
    }

    void some_statements(u32 most) {
        for (u32 i = below(most + 1); i > 0; --i)
            statement();
    }

    void if_else(Type type) {
        const u32 before = height();
        Types params = any_types(2);
        Types results = params;
        if (once_in(2)) results = any_types(3);
        for (const Type param : params)
            expression(param);
        if (once_in(2)) {
            condition();
        } else {
            expression(Type::i32);
        }
        op(Op::if_);
        pop();
        block_type(params, results);
        const bool without_else = params == results && once_in(2);
        const Scope outer = enter(params, {results, false});
        some_statements(2);
        settle(results);
        if (!without_else) {
            maybe_leave();
            op(Op::else_);
            stack_.resize(base_);
            for (const Type param : params)
                push(param);
            some_statements(2);
            settle(results);
        }
        leave(outer, results);
        fold(before, type);
    }

    /// Leaves the block early, with what is on the stack as its results.
    void maybe_leave() {
        if (!once_in(8)) return;
        op(Op::br, 0);
        dead_code();
    }

    void dead_code() {
        for (u32 i = below(3); i > 0; --i) {
            switch (below(5)) {
                case 0:
                    op(Op::i32_add);
                    op(Op::drop);
                    break;
                case 1: op(Op::unreachable); break;
                case 2:
                    op(Op::block);
                    build::append(code_, build::detail::block_type());
                    op(Op::end);
                    break;
                case 3:
                    op(Op::f64_const);
                    build::append(code_, build::fixed(0, 8));
                    op(Op::drop);
                    break;
                default: op(Op::select); op(Op::drop);
            }
        }
    }

    void block(Type type) {
        const u32 before = height();
        const Types params = any_types(2);
        Types results = any_types(3);
        if (once_in(2)) results.insert(results.begin(), params.begin(), params.end());
        for (const Type param : params)
            expression(param);
        op(Op::block);
        block_type(params, results);
        const Scope outer = enter(params, {results, false});
        some_statements(2);
        if (once_in(2)) branch_if();
        some_statements(1);
        settle(results);
        if (once_in(4)) {
            branch_table();
        } else {
            maybe_leave();
        }
        leave(outer, results);
        fold(before, type);
    }

    /// Ends the block with its results on the stack by a table of labels that take the same.
    void branch_table() {
        const Types& types = labels_.back().types;
        std::vector<u32> targets;
        for (u32 depth = 0; depth < labels_.size(); ++depth) {
            const Label& label = labels_[labels_.size() - 1 - depth];
            if (label.types == types && !label.is_loop) targets.push_back(depth);
        }
        expression(Type::i32);
        if (!once_in(4)) mask(3);
        op(Op::br_table);
        const u32 count = below(5);
        build::append(code_, build::leb_u(count));
        for (u32 i = 0; i <= count; ++i)
            build::append(code_,
                build::leb_u(once_in(2) ? 0 : targets[below(static_cast<u32>(targets.size()))]));
        dead_code();
    }

    void loop(Type type) {
        if (loops_ >= 2) return numeric(type);
        ++loops_;
        const u32 before = height();
        const Types carried = any_types(once_in(6) ? 6 : 2);
        const u32 counter = add_local(Type::i32, false);
        const bool plain = once_in(2);
        if (plain) {
            const_i32(1 + below(3));
        } else {
            expression(Type::i32);
            mask(3);
        }
        local_set(counter);
        for (const Type each : carried)
            expression(each);
        op(Op::loop);
        block_type(carried, carried);
        const Scope outer = enter(carried, {carried, true});
        if (!carried.empty() && is_number(carried.back()) && once_in(2)) {
            expression(carried.back());
            const auto& candidates = combining_rows(carried.back());
            apply(*candidates[below(static_cast<u32>(candidates.size()))]);
        }
        some_statements(3);
        settle(carried);
        local_get(counter);
        const_i32(1);
        op(Op::i32_sub);
        pop();
        op(Op::local_tee, counter);
        if (!plain) {
            const_i32(0);
            op(Op::i32_gt_s);
            pop();
        }
        op(Op::br_if, 0);
        pop();
        leave(outer, carried);
        fold(before, type);
        --loops_;
    }

    /// To a label, with operands that are there already or with new ones.
    void branch_if() {
        const u32 before = height();
        const u32 depth = below(static_cast<u32>(labels_.size()));
        const Label label = labels_[labels_.size() - 1 - depth];
        if (label.is_loop) return;
        const std::size_t own = height() - base_;
        const bool there = label.types.size() <= own &&
                           std::equal(label.types.begin(), label.types.end(),
                               stack_.end() - static_cast<std::ptrdiff_t>(label.types.size()));
        if (!there || (!label.types.empty() && once_in(3))) {
            for (const Type type : label.types)
                expression(type);
        }
        if (once_in(3)) {
            expression(Type::i32);
        } else {
            condition();
        }
        op(Op::br_if, depth);
        pop();
        while (height() > before)
            discard();
    }

    /// A branch or return inside an `if`.
    void leave_conditionally() {
        const u32 depth = below(static_cast<u32>(labels_.size()));
        const Label label = labels_[labels_.size() - 1 - depth];
        if (label.is_loop) return;
        condition();
        op(Op::if_);
        pop();
        block_type({}, {});
        const Scope outer = enter({}, {{}, false});
        for (const Type type : label.types)
            expression(type);
        if (depth + 1 == labels_.size() - 1 && once_in(2)) {
            op(Op::return_);
        } else {
            op(Op::br, depth + 1);
        }
        dead_code();
        leave(outer, {});
    }

    void switch_statement() {
        const u32 cases = 1 + below(4);
        for (u32 i = 0; i < cases; ++i) {
            op(Op::block);
            block_type({}, {});
            labels_.push_back({{}, false});
        }
        const u32 outer = base_;
        base_ = height();
        expression(Type::i32);
        if (once_in(2)) mask(3);
        op(Op::br_table);
        pop();
        build::append(code_, build::leb_u(cases));
        for (u32 i = 0; i <= cases; ++i)
            build::append(code_, build::leb_u(below(cases)));
        dead_code();
        for (u32 i = 0; i < cases; ++i) {
            op(Op::end);
            labels_.pop_back();
            if (i + 1 < cases) some_statements(1);
        }
        base_ = outer;
    }

    // ---- calls --------------------------------------------------------------------------------

    void call_arguments(const Signature& callee) {
        for (const Type param : callee.params) {
            if (once_in(3)) {
                expression(param);
            } else {
                leaf(param);  // mostly parameters of our own: permutations of argument registers
            }
        }
    }

    void call_any() {
        if (once_in(2)) {
            const u32 callee = world_.callable[below(static_cast<u32>(world_.callable.size()))];
            call_arguments(world_.functions[callee]);
            op(Op::call, callee);
            called(world_.functions[callee]);
            return;
        }
        const u32 pair = below(world_.table_pairs);
        const Signature& callee = world_.functions[world_.first_body + pair];
        call_arguments(callee);
        if (once_in(40)) {
            expression(Type::i32);
        } else if (once_in(2)) {
            const_i32(2 * pair + below(2));
        } else {
            expression(Type::i32);
            mask(1);
            const_i32(2 * pair);
            op(once_in(2) ? Op::i32_or : Op::i32_add);
            pop();
        }
        op(Op::call_indirect, callee.type_index, world_.function_table);
        pop();
        called(callee);
    }
    void called(const Signature& callee) {
        stack_.resize(stack_.size() - callee.params.size());
        for (const Type result : callee.results)
            push(result);
    }

    void call(Type type) {
        const u32 before = height();
        call_any();
        fold(before, type);
    }

    // ---- statements ---------------------------------------------------------------------------

    void statement() {
        if (budget_ <= 0 || depth_ > 14) return;
        --budget_;
        ++depth_;
        const u32 before = height();
        choose_statement();
        WRUN_CHECK(height() == before);
        --depth_;
    }

    void choose_statement() {
        const u32 choice = below(32);
        if (choice < 9) return set_local();
        if (choice < 13) return store();
        if (choice < 15) return set_global();
        if (choice < 17) return branch_if();
        if (choice < 18) return leave_conditionally();
        if (choice < 19) return switch_statement();
        if (choice < 21) return call_statement();
        if (choice < 23) return rotate_locals();
        if (choice < 25) return set_some_pointer();
        if (choice < 26) return bulk();
        if (choice < 27) return table_statement();
        if (choice < 28) op(Op::nop);
        expression(any_type());
        discard();
    }

    void set_local() {
        const Type type = any_type();
        const auto local = find_local(type, true);
        if (!local) return;
        expression(type);
        local_set(*local);
    }

    void set_some_pointer() {
        if (pointers_.empty()) return;
        set_pointer(pointers_[below(static_cast<u32>(pointers_.size()))]);
    }

    void set_global() {
        const u32 count = static_cast<u32>(world_.globals.size());
        const u32 from = below(count);
        for (u32 i = 0; i < count; ++i) {
            const u32 at = (from + i) % count;
            const World::Global& global = world_.globals[at];
            if (!global.is_mutable || at == world_.fuel_global) continue;
            expression(global.type);
            op(Op::global_set, at);
            return pop();
        }
    }

    /// Locals change places through the stack: aliases of each while it is set.
    void rotate_locals() {
        const Type type = any_type();
        std::vector<u32> chosen;
        for (u32 i = 0; i < locals_.size(); ++i) {
            if (locals_[i] == type && writable_[i] && !once_in(3)) chosen.push_back(i);
        }
        if (chosen.size() > 12) chosen.resize(12);
        if (chosen.size() < 2) return;
        for (const u32 local : chosen)
            local_get(local);
        std::rotate(chosen.begin(), chosen.begin() + 1, chosen.end());
        if (once_in(3)) std::reverse(chosen.begin(), chosen.end());
        for (std::size_t i = chosen.size(); i-- > 0;)
            local_set(chosen[i]);
    }

    void call_statement() {
        const u32 before = height();
        call_any();
        while (height() > before)
            discard();
    }

    void bulk() {
        address();
        switch (below(4)) {
            case 0:
                expression(Type::i32);
                small_count(255);
                op(Op::memory_fill, 0);
                break;
            case 1:
                address();
                small_count(255);
                op(Op::memory_copy, 0, 0);
                break;
            case 2:
                const_i32(below(world_.passive_data_bytes / 2));
                small_count(7);
                op(Op::memory_init, world_.passive_data, 0);
                break;
            default:
                op(Op::drop);
                pop();
                if (once_in(8)) op(Op::data_drop, world_.passive_data);
                return;
        }
        pop();
        pop();
        pop();
    }
    void small_count(u32 bits) {
        expression(Type::i32);
        mask(bits);
    }

    void table_statement() {
        const Type type = once_in(2) ? Type::funcref : Type::externref;
        const u32 table = type == Type::funcref ? world_.function_table : world_.extern_table;
        const u32 first = type == Type::funcref ? 2 * world_.table_pairs : 0;
        switch (below(4)) {
            case 0:
            case 1:
                const_i32(first + below(4));
                expression(type);
                op(Op::table_set, table);
                pop();
                return pop();
            case 2:
                const_i32(first + below(4));
                expression(type);
                const_i32(below(4));
                op(Op::table_fill, table);
                break;
            default:
                const_i32(first + below(4));
                const_i32(first + below(4));
                const_i32(below(4));
                op(Op::table_copy, table, table);
        }
        pop();
        pop();
        pop();
    }

    /// What the body answers depends on all its locals, so none of them dies early.
    void results() {
        base_ = 0;
        for (std::size_t r = 0; r < signature_.results.size(); ++r) {
            const Type type = signature_.results[r];
            const u32 before = height();
            expression(type);
            for (u32 i = 0; i < locals_.size(); ++i) {
                if (!is_number(type) || !is_number(locals_[i]) || once_in(3)) continue;
                if (signature_.results.size() > 1 && i % signature_.results.size() != r) continue;
                local_get(i);
                fold_pair(type);
            }
            WRUN_CHECK(height() == before + 1);
        }
    }
    void fold_pair(Type type) {
        convert(type);
        const auto& candidates = combining_rows(type);
        apply(*candidates[below(static_cast<u32>(candidates.size()))]);
    }

    const World& world_;
    const Signature& signature_;
    BodyShape shape_;
    Random& random_;
    i32 budget_;
    u32 depth_ = 0;
    u32 loops_ = 0;
    build::Bytes code_;
    Types locals_;
    std::vector<bool> writable_;
    std::vector<u32> pointers_;
    std::array<u32, 4> scratch_{};
    Types stack_;
    u32 base_ = 0;  // where the innermost block's own operands begin
    std::vector<Label> labels_;
};

}  // namespace

Body make_body(
    const World& world, const Signature& signature, const BodyShape& shape, Random& random) {
    return BodyMaker{world, signature, shape, random}.make();
}

}  // namespace wrun::differ
