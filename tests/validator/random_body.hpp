// Random valid bodies for the environment of harness.hpp: statements that leave the operand stack
// as they found it, nested, with dead code behind branches. The same seed gives the same body.
#pragma once

#include <random>

#include "tests/validator/harness.hpp"

namespace wrun::build {

class RandomBody {
public:
    explicit RandomBody(u32 seed) : random_{seed} {}

    [[nodiscard]] Bytes make(u32 statements, u32 depth_max) {
        depth_max_ = depth_max;
        return join(sequence(statements, 0), end());
    }

private:
    u32 below(u32 bound) { return static_cast<u32>(random_() % bound); }

    Bytes sequence(u32 count, u32 depth) {
        Bytes all;
        for (u32 i = 0; i < count; ++i)
            append(all, statement(depth));
        return all;
    }

    Bytes statement(u32 depth) {
        const bool nests = depth < depth_max_;
        switch (below(nests ? 13 : 8)) {
            case 0: return nop();
            case 1: return join(local_get(below(6)), drop());
            case 2:
                return join(
                    local_get(0), i32_const(static_cast<i32>(random_())), i32_add(), local_set(0));
            case 3:
                return join(i32_const(8), i64_load(below(5000), below(4)), local_tee(1), drop());
            case 4: return join(local_get(0), br_if(depth));
            case 5: return leaving(depth);
            case 6: return join(i32_const(0), i64_const(1), call(1), local_set(2));
            case 7: return join(local_get(0), memory_grow(), global_set(0));
            case 8: return join(block(), sequence(below(4), depth + 1), end());
            case 9: return join(loop(), sequence(below(4), depth + 1), end());
            case 10: return join(local_get(0), if_(), sequence(below(3), depth + 1), end());
            case 11:
                return join(local_get(0), if_(), sequence(below(3), depth + 1), else_(),
                    sequence(below(3), depth + 1), end());
            default:
                return join(block(type_i32), sequence(below(3), depth + 1), i32_const(1), end(),
                    local_set(0));
        }
    }

    /// Something that ends the block, and what is dead behind it. Branches go to the function: its
    /// label takes no operands.
    Bytes leaving(u32 depth) {
        Bytes all;
        switch (below(4)) {
            case 0: all = build::unreachable(); break;
            case 1: all = return_(); break;
            case 2: all = br(depth); break;
            default: all = join(local_get(0), br_table(depth, depth, depth)); break;
        }
        const u32 dead = below(4);
        for (u32 i = 0; i < dead; ++i)
            append(all, dead_statement(depth));
        return all;
    }

    /// Takes operands that are not there.
    Bytes dead_statement(u32 depth) {
        switch (below(4)) {
            case 0: return join(i32_add(), drop());
            case 1: return join(build::select(), drop());
            case 2: return join(f64_const(1), f64_store(below(100), 3));
            default: return statement(depth);
        }
    }

    std::mt19937 random_;
    u32 depth_max_ = 0;
};

}  // namespace wrun::build
