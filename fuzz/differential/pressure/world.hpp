// What a generated body may refer to and how it shall look. Plain data; the module's maker fills
// it. The body comes from body_maker.hpp.
#pragma once

#include <vector>

#include "fuzz/differential/pressure/rows.hpp"
#include "tests/support/module_builder.hpp"

namespace wrun::differ {

struct Signature {
    Types params;
    Types results;
    u32 type_index = 0;
};

/// What bodies may refer to, in the module's index spaces.
struct World {
    struct Global {
        Type type;
        bool is_mutable;
    };

    build::ModuleBuilder* module = nullptr;  // for block types
    std::vector<Signature> functions;
    std::vector<u32> callable;  // functions that a body may call
    std::vector<Global> globals;
    u32 fuel_global = 0;
    u32 function_table = 0;
    u32 table_pairs = 0;  // elements 2k and 2k + 1 of the function table have the type of ...
    u32 first_body = 0;   // ... function first_body + k; behind them lie free elements
    u32 table_free = 0;
    u32 extern_table = 1;
    u32 extern_table_size = 0;
    u32 passive_data = 0;
    u32 passive_data_bytes = 0;
    u32 passive_elements = 0;
    u32 passive_element_count = 0;
    u64 memory_bytes = 0;  // at first
};

/// How a body shall look.
struct BodyShape {
    u32 budget = 100;     // nodes
    u32 local_count = 8;  // besides parameters
    u32 wide_max = 8;     // operands pushed at once
    bool edges = false;   // addresses at the edges of memory and of 2^32, which mostly trap
    bool floats = true;
    bool big_frame = false;  // larger than what needs no check
};

struct Body {
    build::Bytes code;
    std::vector<build::Locals> locals;
};

[[nodiscard]] Body make_body(
    const World& world, const Signature& signature, const BodyShape& shape, Random& random);

}  // namespace wrun::differ
