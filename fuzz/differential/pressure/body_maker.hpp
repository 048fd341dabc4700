// The generator of one body. It keeps the types of the operand stack as it writes, so that every
// body is valid and code can be put anywhere operands wait: an expression leaves one value on the
// stack, a statement leaves it as it was. Bodies end: loops count down, and each call of a body
// takes one unit of a fuel global. Members are defined by family in the .cpp files of this folder.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "base/check.hpp"
#include "fuzz/differential/pressure/world.hpp"

namespace wrun::differ {

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

    [[nodiscard]] Body make();

private:
    struct Label {
        Types types;  // what a branch to it carries
        bool is_loop;
    };

    // ---- writing ------------------------------------------------------------------------------

    void op(Op op) { build::append(code_, build::opcode(op)); }
    void op(Op which, u64 immediate);
    void op(Op which, u64 first, u64 second);
    void push(Type type) { stack_.push_back(type); }
    void pop() { stack_.pop_back(); }
    [[nodiscard]] u32 height() const { return static_cast<u32>(stack_.size()); }
    [[nodiscard]] u32 below(u32 bound) { return random_.below(bound); }
    [[nodiscard]] bool once_in(u32 times) { return random_.once_in(times); }

    void const_i32(i64 value);
    void const_i64(u64 value);
    void constant(Type type);

    void local_get(u32 index);
    void local_set(u32 index);

    void apply(const Row& row);

    /// The top operand, a float, as the canonical NaN when it is one.
    void make_canonical();

    /// Block types: short form where there is one, sometimes the long form all the same.
    void block_type(const Types& params, const Types& results);
    [[nodiscard]] static build::ValTypes val_types(const Types& types);

    // ---- locals -------------------------------------------------------------------------------

    u32 add_local(Type type, bool writable);
    u32 scratch_local(Type type);
    /// Any local of the type, or nothing.
    [[nodiscard]] std::optional<u32> find_local(Type type, bool to_write);

    [[nodiscard]] Type any_number() { return number_types[below(shape_.floats ? 4 : 2)]; }
    [[nodiscard]] Type any_type();
    [[nodiscard]] Types any_types(u32 most);

    void take_fuel();

    void add_locals();

    /// Pointers always lie in the first 64 KiB, so they need no mask where they are used.
    void set_pointer(u32 local);

    // ---- expressions --------------------------------------------------------------------------

    void leaf(Type type);

    void expression(Type type);

    void number(Type type);

    /// Something between two operands: the first one waits on the stack.
    void interject();

    void numeric(Type type);

    [[nodiscard]] static bool has_float(const Row& row);
    [[nodiscard]] static bool is_division(const Row& row);
    void avoid_zero(Type type);

    void comparison_or(Type type);

    /// Comparisons in all the places where they can be fused or must be made a number.
    void condition();

    void select(Type type);
    void select_op(Type type);

    void tee(Type type);

    void odd_i32();

    void reference(Type type);

    /// An index that is inside the table of the type, mostly.
    void table_place(Type type);

    // ---- memory -------------------------------------------------------------------------------

    /// An address below 64 KiB + 8, mostly, each time by other means.
    void address();
    void mask(u32 bits);
    /// From an i64 whose upper half is full of what must not count.
    void wrapped_address();
    /// A sum that is small only because it wraps at 2^32.
    void wrapping_address();

    void memory_immediate(const Access& access, u64 offset);
    [[nodiscard]] u64 small_offset();

    void load(Type type);

    void store();

    /// One access where an address folded wrongly reads something else or does not trap.
    void edge_access();
    [[nodiscard]] u64 edge_offset(u32 bytes);
    void edge_address();

    // ---- many operands ------------------------------------------------------------------------

    void wide(Type type);

    /// All operands above `before` become one of the type.
    void fold(u32 before, Type type);

    void combine_two();

    /// Drops the top operand or keeps it in a local.
    void discard();

    void convert(Type to);

    // ---- control ------------------------------------------------------------------------------

    /// Inside a block whose parameters are on the stack already.
    struct Scope {
        u32 base;
    };
    [[nodiscard]] Scope enter(const Types& params, Label label);
    /// Behind it its results are on the stack.
    void leave(Scope outer, const Types& results);

    /// Makes the block's own operands exactly `results`.
    void settle(const Types& results);

    void some_statements(u32 most);

    void if_else(Type type);

    /// Leaves the block early, with what is on the stack as its results.
    void maybe_leave();

    void dead_code();

    void block(Type type);

    /// Ends the block with its results on the stack by a table of labels that take the same.
    void branch_table();

    void loop(Type type);

    /// To a label, with operands that are there already or with new ones.
    void branch_if();

    /// A branch or return inside an `if`.
    void leave_conditionally();

    void switch_statement();

    // ---- calls --------------------------------------------------------------------------------

    void call_arguments(const Signature& callee);

    void call_any();
    void called(const Signature& callee);

    void call(Type type);

    // ---- statements ---------------------------------------------------------------------------

    void statement();

    void choose_statement();

    void set_local();

    void set_some_pointer();

    void set_global();

    /// Locals change places through the stack: aliases of each while it is set.
    void rotate_locals();

    void call_statement();

    void bulk();
    void small_count(u32 bits);

    void table_statement();

    /// What the body answers depends on all its locals, so none of them dies early.
    void results();
    void fold_pair(Type type);

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

}  // namespace wrun::differ
