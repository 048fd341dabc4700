// What the classes of engine.hpp keep, for the files of this folder. Lifetimes: an Engine outlives
// its modules and stores; a Store owns its instances and everything the host made in it; an
// Instance keeps its Module by shared_ptr.
#pragma once

#include <array>
#include <atomic>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/os_file.hpp"
#include "base/os_memory.hpp"
#include "engine/artifact_format.hpp"
#include "engine/engine.hpp"
#include "engine/image.hpp"
#include "engine/lazy.hpp"
#include "engine/snapshot.hpp"
#include "runtime/deadline.hpp"
#include "runtime/entry.hpp"
#include "runtime/instance.hpp"
#include "runtime/stack.hpp"
#include "runtime/type_registry.hpp"

namespace wrun::engine {

/// Stacks of stores that are gone, for the next ones: mapping one and touching it first costs
/// several times what the rest of a store does. Thread-safe.
class SpareStacks {
public:
    [[nodiscard]] Result<runtime::GuestStack> take(u64 bytes);
    /// Nobody runs on it any more.
    void put(runtime::GuestStack stack) noexcept;

private:
    static constexpr std::size_t count_max = 16;
    std::mutex lock_;
    std::vector<runtime::GuestStack> spare_;
};

struct Engine::State {
    EngineOptions options;
    runtime::WatchdogUse watchdog;
    runtime::TypeRegistry types;
    u64 number = 0;  // which of the process's engines, from 1
    SpareStacks stacks;
};

/// Where an artifact has the pages that the module's own memories begin with, and which data
/// segments are in them (of a snapshot that is said elsewhere).
struct MappedStartImage {
    std::span<const ImageRun> runs;
    std::span<const u64> segments;
    u64 file_offset = 0;
};

struct Module::State {
    // Of a module that was compiled here, its bytes; of one from an artifact, the file. All below
    // borrows from one of them.
    std::vector<u8> bytes;
    os::File artifact_file;
    os::MappedRegion artifact;

    Engine* engine = nullptr;
    ModuleOptions options;
    wrun::Module decoded;
    runtime::ContextLayout layout;
    std::vector<u32> type_ids;           // canonical, for each entry of the type section
    std::vector<u16> stack_arg_slots;    // likewise: what a callee pops
    std::unique_ptr<LazyCompiler> lazy;  // absent when all was compiled at once
    std::unique_ptr<Image> image;        // of `lazy`, if there is one
    std::optional<MappedStartImage> start_image;
    SnapshotView snapshot;       // where instances begin, unless it has no facts
    Items<u32> exports_by_name;  // positions, ordered by name
    Items<u32> item_functions;   // of each element item: a function's number, or `no_function`
    Items<u32> escaping_code;    // of each escaping function: where its code begins; 0 of an import
    CompileStats stats;

    /// Functions that a reference to may exist of are numbered: imported ones first, then escaping
    /// ones in escape order.
    static constexpr u32 no_function = 0xffff'ffff;  // an expression must say it

    /// Validates all bodies and fills `image` as the options want it.
    [[nodiscard]] Result<void> make_code();
    /// Fills type_ids and what follows from them, once the module is there.
    [[nodiscard]] Result<void> register_types();
    [[nodiscard]] u32 type_id(FuncIndex func) const noexcept {
        return type_ids[decoded.functions[func.value].value];
    }
    [[nodiscard]] const Export* find_export(std::string_view name) const noexcept;
    /// What is to be called at every start of an instance that begins where another one was.
    [[nodiscard]] Result<std::optional<FuncIndex>> restored() const noexcept;
    /// Of the memories that the module defines.
    [[nodiscard]] runtime::MemoryLayout memory_layout() const noexcept {
        return options.bounds == Bounds::checked ? runtime::MemoryLayout::dense
                                                 : runtime::MemoryLayout::guarded;
    }
    /// The type with concrete references renamed to canonical ones.
    [[nodiscard]] ValType canonical(ValType type) const noexcept {
        if (!type.is_ref() || !type.concrete()) return type;
        return ValType::reference(TypeIndex{type_ids[type.type_index().value]}, type.nullable());
    }
};

/// A function of the host in one store, its record with it.
struct HostFunction : runtime::HostFunction {
    Store* store = nullptr;
    HostCallback callback = nullptr;
    void* env = nullptr;
    const runtime::CanonicalType* type = nullptr;
    runtime::FuncRecord record{};
};

/// A global of the host, its cell with it.
struct HostGlobal {
    runtime::GlobalObject object;
    alignas(16) std::array<u64, runtime::global_cell_bytes / sizeof(u64)> cell{};
};

/// What a linker knows of a host function; each store makes its own from it.
struct HostDefinition {
    HostDefinition(FuncType wanted_type, HostCallback wanted_callback, void* wanted_env)
        : type{std::move(wanted_type)}, callback{wanted_callback}, env{wanted_env} {}

    FuncType type;
    HostCallback callback = nullptr;
    void* env = nullptr;

    /// The canonical type's number in an engine.
    [[nodiscard]] u32 type_id(Engine& engine) const;

private:
    /// The number of the engine that asked last, and above it the type's.
    mutable std::atomic<u64> known_ = 0;
    static constexpr u32 engine_bits = 38;
};

struct Store::State {
    Engine* engine = nullptr;
    StoreOptions options;
    runtime::GuestStack stack;
    /// The innermost crossing on this store's stack; new ones start below it.
    runtime::EntryRecord* innermost = nullptr;
    u32 exit_status = 0;      // of the exit that is on its way
    std::string trap_detail;  // of the host's trap that is on its way
    runtime::Meter meter{0, &runtime::no_attention};
    /// Why a guest of this store was stopped in the middle of something; nothing is called then.
    std::optional<runtime::TrapCode> killed;

    u64 made = 0;  // how many of what follows have ever been made
    std::deque<std::unique_ptr<Instance>> instances;
    std::deque<HostFunction> host_functions;
    std::deque<HostGlobal> host_globals;
    std::deque<std::unique_ptr<runtime::Memory>> host_memories;
    std::deque<std::unique_ptr<runtime::Table>> host_tables;
    /// Records of linkers' definitions; the pointers keep an address from meaning two definitions.
    std::map<std::shared_ptr<const HostDefinition>, runtime::FuncRecord*> linked_functions;
};

/// Memory of a Context: zeroed, aligned to a cache line.
class ContextBlock {
public:
    ContextBlock() = default;
    [[nodiscard]] static Result<ContextBlock> make(u32 bytes);
    [[nodiscard]] runtime::Context& context() const noexcept {
        return *reinterpret_cast<runtime::Context*>(bytes_.get());
    }
    /// The array of T at an offset of the module's ContextLayout.
    template <class T>
    [[nodiscard]] T* at(u32 offset) const noexcept {
        return reinterpret_cast<T*>(bytes_.get() + offset);
    }

private:
    struct Free {
        void operator()(u8* bytes) const noexcept { std::free(bytes); }
    };
    std::unique_ptr<u8, Free> bytes_;
};

struct Instance::State {
    Store* store = nullptr;
    std::shared_ptr<const Module> module;
    runtime::Instance runtime;
    ContextBlock block;
    std::vector<runtime::FuncRecord> records;  // of escaping functions, in escape order

    // Index spaces of the module, imports first. Own objects are owned below.
    std::vector<runtime::Memory*> memories;
    std::vector<runtime::Table*> tables;
    std::vector<runtime::GlobalObject*> globals;
    std::vector<std::unique_ptr<runtime::Memory>> own_memories;
    runtime::TableBudget table_budget;  // of the following
    std::vector<std::unique_ptr<runtime::Table>> own_tables;
    std::vector<runtime::GlobalObject> own_globals;

    std::vector<u64> dropped_words;
    std::vector<runtime::Reference> elem_values;  // of passive segments
    std::vector<std::span<const runtime::Reference>> elem_segments;

    [[nodiscard]] const Module::State& module_state() const noexcept { return module->state(); }
    [[nodiscard]] const wrun::Module& decoded() const noexcept { return module->decoded(); }
    [[nodiscard]] runtime::FuncRecord** imported_functions() const noexcept {
        return block.at<runtime::FuncRecord*>(module_state().layout.imported_functions);
    }
    /// The reference to a function that may escape; an import keeps the exporter's.
    [[nodiscard]] runtime::FuncRecord* function_reference(FuncIndex func) const noexcept;
    /// Likewise, by its number (Module::State::no_function).
    [[nodiscard]] runtime::Reference numbered_reference(u32 number) const noexcept {
        const u32 imported = decoded().imported_function_count;
        const auto* const record =
            number < imported ? imported_functions()[number] : &records[number - imported];
        return reinterpret_cast<runtime::Reference>(record);
    }
    /// Likewise, of a FrozenReference (engine/frozen.hpp).
    [[nodiscard]] runtime::Reference reference(u32 frozen) const noexcept {
        return frozen == 0 ? 0 : numbered_reference(frozen - 1);
    }
    /// A record for any function of the module, in `room` when it has none of its own.
    [[nodiscard]] runtime::FuncRecord* callable(
        FuncIndex func, runtime::FuncRecord& room) const noexcept;
    [[nodiscard]] runtime::FuncRecord make_record(FuncIndex func) const noexcept;
    [[nodiscard]] Extern item(ExternKind kind, u32 index) const noexcept;
    // What has been made is shown to helpers and generated code.
    void use_memories() noexcept;
    void use_tables() noexcept { runtime.tables = tables; }
    void use_data() noexcept;
    void use_dropped_words() noexcept;
    /// `elem_values` hold the values of passive segments, one after the other.
    void use_elem_values();
};

struct Linker::State {
    struct Definition {
        std::shared_ptr<const HostDefinition> host;  // or
        Extern item;
    };
    using Fields = std::map<std::string, Definition, std::less<>>;
    std::map<std::string, Fields, std::less<>> modules;

    [[nodiscard]] const Definition* find(
        std::string_view module, std::string_view field) const noexcept;
};

/// A function of the host in `store`, of a canonical type.
[[nodiscard]] runtime::FuncRecord* make_host_function(
    Store& store, u32 type_id, HostCallback callback, void* env);

/// The fixed part of a context but the stack, which comes with a run or a store.
void fill_context(Instance::State& state, Instance* instance) noexcept;

/// Store::instantiate; a snapshot's instance does not learn that it begins anew.
[[nodiscard]] Result<Store::Instantiated> make_instance(Store& store,
    std::shared_ptr<const Module> module, const Linker& linker, const CallLimits& limits);

/// What an import of `module` resolves to in `store`; an error names the import by its offset.
[[nodiscard]] Result<Extern> resolve_import(
    Store& store, const Linker& linker, const Module& module, const Import& import);

/// The record of a linker's definition in this store, made at the first use.
[[nodiscard]] runtime::FuncRecord* linked_function(
    Store& store, const std::shared_ptr<const HostDefinition>& definition);

/// Runs a record's function. `slots` holds arguments and takes results, as many as the larger of
/// the two; they fit the function's type.
[[nodiscard]] Result<Outcome> run_function(
    Store& store, runtime::FuncRecord& func, std::span<u64> slots, const CallLimits& limits);

/// What the run that called this host code shall end with by now, if it shall.
[[nodiscard]] std::optional<runtime::TrapCode> interruption() noexcept;

/// The engine's instance behind a guest's context.
[[nodiscard]] inline Instance* instance_of(const runtime::Context* context) noexcept {
    return static_cast<Instance*>(context->instance->owner);
}

// Of a module that is valid: what Module::State keeps under these names.
[[nodiscard]] Items<u32> exports_by_name(const wrun::Module& module);
[[nodiscard]] Items<u32> item_functions(const wrun::Module& module);
[[nodiscard]] Items<u32> escaping_code(const wrun::Module& module, const runtime::CodeImage& code);

/// A canonical type as the embedder sees it.
[[nodiscard]] FuncType func_type(const runtime::CanonicalType& type);

}  // namespace wrun::engine
