// What a template keeps of the instance that it froze, for the files of this folder. Plain data
// without an address of an instance; a slot makes its own instance of it.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "engine/state.hpp"
#include "engine/template.hpp"
#include "runtime/memory_image.hpp"

namespace wrun::engine {

/// A reference without an instance: 0 is null, all others are a function's number
/// (Module::State::no_function) + 1.
using FrozenReference = u32;

struct FrozenMemory {
    MemoryType type;
    std::shared_ptr<const runtime::MemoryImage> image;
    u64 bytes = 0;
};

struct FrozenTable {
    TableType type;
    std::vector<FrozenReference> elements;
};

struct FrozenGlobal {
    GlobalType type;
    std::array<u64, 2> cell{};      // of a number
    FrozenReference reference = 0;  // of a reference
};

struct FrozenImport {
    u32 type_id = 0;
    HostCallback callback = nullptr;
    void* env = nullptr;
};

struct FrozenInstance {
    std::vector<FrozenImport> imports;  // functions, in import order
    std::vector<FrozenMemory> memories;
    std::vector<FrozenTable> tables;
    std::vector<FrozenGlobal> globals;
    std::vector<u64> dropped_words;
    std::vector<runtime::FuncRecord> records;  // of escaping functions; no context yet
    std::vector<FrozenReference> elem_values;  // of passive segments, one after the other
    std::optional<FuncIndex> restored;         // runs first in every run
};

struct Template::State : FrozenInstance {
    std::shared_ptr<const Module> module;
    TemplateOptions options;

    /// The same instance over the same module with dense memories; compiles.
    [[nodiscard]] Result<std::shared_ptr<const Template>> make_dense() const;
    /// `self` or what replaces it since runs were seen to grow their memory.
    [[nodiscard]] const std::shared_ptr<const Template>& current(
        const std::shared_ptr<const Template>& self) const noexcept {
        return has_dense.load(std::memory_order_acquire) ? dense : self;
    }

    // Learned from runs; the rest never changes.
    mutable std::atomic<bool> is_dense_wanted = false;
    mutable std::atomic<bool> has_dense = false;
    mutable std::shared_ptr<const Template> dense;  // set once, before `has_dense`
};

}  // namespace wrun::engine
