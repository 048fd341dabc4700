// The engine's surface for everything above it (wasi/, cli/, the C API): Engine → Module → Store →
// Instance, with a Linker that resolves imports by name. Values are bits with a type, traps and
// exits are values, errors are Results; nothing prints, throws or ends the process.
//
//   Engine    options and the canonical types; thread-safe, outlives everything made from it
//   Module    decoded, validated, compiled; immutable, shared between threads
//   Linker    names → host functions and exports of instances; filled before instances are made
//   Store     instances that may reference each other, and the one stack they run on; one thread at
//   a time Instance  owned by its store and alive as long as it
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/features.hpp"
#include "base/result.hpp"
#include "codegen/stress.hpp"
#include "decoder/module.hpp"
#include "runtime/abi.hpp"

namespace wrun::runtime {
class Memory;
class Table;
struct CancelRequest;
struct GlobalObject;
}  // namespace wrun::runtime

namespace wrun::engine {

class Store;
class Instance;
class Linker;
struct SnapshotFacts;

/// An export that is called whenever an instance begins where another one was: in slots of a
/// template, and of a module from a snapshot. No parameters, no results.
inline constexpr std::string_view restored_export = "wrun_restored";

// ---- values ----------------------------------------------------------------------------------

/// A value at the boundary: 64 bits and a type. f32/f64 hold their bits; a funcref holds a
/// FuncRecord*'s address, an externref the host's number, both 0 when null.
struct Value {
    ValType type;
    u64 bits = 0;

    [[nodiscard]] static Value i32(u32 value) noexcept { return {type_i32, value}; }
    [[nodiscard]] static Value i64(u64 value) noexcept { return {type_i64, value}; }
    [[nodiscard]] static Value f32_bits(u32 value) noexcept { return {type_f32, value}; }
    [[nodiscard]] static Value f64_bits(u64 value) noexcept { return {type_f64, value}; }
    [[nodiscard]] static Value ref(ValType type, u64 bits) noexcept { return {type, bits}; }
};

/// Parameters and results of a function, with types that mean the same in every module of the
/// engine.
struct FuncType {
    std::vector<ValType> params;
    std::vector<ValType> results;
    bool operator==(const FuncType&) const = default;
};

// ---- outcomes --------------------------------------------------------------------------------

struct Frame {
    u32 func_index = 0;
    std::string name;       // from the name section or an export; may be empty
    u32 module_offset = 0;  // of the opcode for the trapping frame, else of the function's body
};

/// The specification's words for a trap.
[[nodiscard]] std::string_view text(runtime::TrapCode code) noexcept;

/// A guest trap. Frames are innermost first; long stacks keep both ends and `frames_omitted`
/// between.
struct Trap {
    runtime::TrapCode code{};
    std::string detail;  // what a host function said, if it was one
    std::vector<Frame> frames;
    u32 frames_omitted = 0;
    static constexpr u32 innermost_frames_kept = 64;  // what is omitted lies behind these
    [[nodiscard]] std::string_view message() const noexcept { return text(code); }
};

struct Returned {};
/// A host function ended the run (proc_exit).
struct Exit {
    u32 status = 0;
};

using Outcome = std::variant<Returned, Trap, Exit>;

// ---- ending calls from outside -----------------------------------------------------------------

/// A request to end calls, made from any thread; copies are one and the same. Whatever is called
/// under a request that has been made ends at once.
class Canceller {
public:
    Canceller();
    void cancel() const noexcept;
    [[nodiscard]] bool is_cancelled() const noexcept;
    [[nodiscard]] const runtime::CancelRequest& request() const noexcept { return *request_; }

private:
    std::shared_ptr<runtime::CancelRequest> request_;
};

/// When a call ends whatever the guest does: as a trap `deadline` or `cancelled`, wherever it was.
/// Then its store's instances are in no state that could be called: the store refuses
/// (`store_killed`). Calls within a call are under its limits as well as their own. Nothing is
/// checked in guest code (docs/architecture.md, "Deadlines"); system calls of host functions end
/// with EINTR. A child that a host function forks is not under the limits of the calls that it is
/// in the middle of: nothing watches there before a call with limits begins.
struct CallLimits {
    static constexpr u64 never = ~u64{0};
    u64 deadline_ns = never;            // of CLOCK_MONOTONIC
    const Canceller* cancel = nullptr;  // borrowed for the call

    /// Ends in so many nanoseconds from now.
    [[nodiscard]] static CallLimits within(u64 ns, const Canceller* cancel = nullptr) noexcept;
};

/// For host functions: whether the run they were called from shall end, so that they should return
/// soon, whatever with. To be asked when a system call answers EINTR and in loops that take
/// milliseconds.
[[nodiscard]] bool is_interrupted() noexcept;

// ---- host functions --------------------------------------------------------------------------

/// What a host function answers. Results are in the slots it was given.
struct HostResult {
    enum class Kind : u8 { ok, trap, exit };
    Kind kind = Kind::ok;
    runtime::TrapCode trap = runtime::TrapCode::host;
    u32 exit_status = 0;
    [[nodiscard]] static HostResult ok() noexcept { return {}; }
    [[nodiscard]] static HostResult trapped(runtime::TrapCode code) noexcept {
        return {Kind::trap, code, 0};
    }
    [[nodiscard]] static HostResult exited(u32 status) noexcept {
        return {Kind::exit, runtime::TrapCode::host, status};
    }
};

/// The guest's memory as a host function may touch it: every access is checked against the current
/// size. Refresh after calling back into the guest (the size may have grown; the base never moves).
class GuestMemory {
public:
    GuestMemory() = default;
    GuestMemory(u8* base, u64 bytes) noexcept : base_{base}, bytes_{bytes} {}
    [[nodiscard]] u64 size() const noexcept { return bytes_; }
    [[nodiscard]] bool contains(u64 address, u64 bytes) const noexcept {
        return bytes <= bytes_ && address <= bytes_ - bytes;
    }
    /// A view of [address, address + bytes), or nothing when it leaves the memory.
    [[nodiscard]] std::optional<std::span<u8>> view(u64 address, u64 bytes) const noexcept {
        if (!contains(address, bytes)) return std::nullopt;
        return std::span{base_ + address, bytes};
    }
    /// A view that a system call is to write to (PoolOptions::watch).
    [[nodiscard]] std::optional<std::span<u8>> view_for_system(
        u64 address, u64 bytes) const noexcept;
    [[nodiscard]] bool read(u64 address, void* to, u64 bytes) const noexcept;
    /// The one way host code writes to a guest's memory.
    [[nodiscard]] bool write(u64 address, const void* from, u64 bytes) const noexcept;
    template <class T>
    [[nodiscard]] std::optional<T> load(u64 address) const noexcept {
        T value;
        if (!read(address, &value, sizeof value)) return std::nullopt;
        return value;
    }
    template <class T>
    [[nodiscard]] bool store(u64 address, T value) const noexcept {
        return write(address, &value, sizeof value);
    }

private:
    u8* base_ = nullptr;
    u64 bytes_ = 0;
};

/// Who called a host function.
class Caller {
public:
    Caller(Store& store, Instance* instance) noexcept : store_{store}, instance_{instance} {}
    [[nodiscard]] Store& store() const noexcept { return store_; }
    /// The calling instance; absent when the host calls the function itself.
    [[nodiscard]] Instance* instance() const noexcept { return instance_; }
    /// Memory 0 of the calling instance, or an empty memory.
    [[nodiscard]] GuestMemory memory() const noexcept;
    /// What Trap::detail will say if the function answers with a trap.
    void explain(std::string_view detail) const;

private:
    Store& store_;
    Instance* instance_;
};

/// `slots`: arguments in, results out; as many as the larger of the two; i32 zero-extended. Must
/// not throw.
using HostCallback = HostResult (*)(Caller& caller, void* env, std::span<u64> slots);

// ---- engine and modules ----------------------------------------------------------------------

using runtime::Bounds;

/// When functions are compiled: all before a module is there; each when it is called first, and
/// all in the background meanwhile; or the former alone, for hosts that want no threads. All bodies
/// are validated before in any case. A function that then cannot be compiled, for want of memory or
/// because its code is too large, is a trap (`not_compiled`). Where the system has no room for code
/// that comes in pieces, `eager` is what happens.
enum class Compilation : u8 { eager, lazy, on_call };

struct EngineOptions {
    FeatureSet features = default_features();
    u32 compile_threads = 0;     // 0: as many as the process may use
    u32 integer_homes_max = 16;  // stress modes of the code generator
    u32 float_homes_max = 16;
    codegen::StressModes stress;
    // Of modules compiled without ModuleOptions.
    Bounds bounds = Bounds::guard;
    Compilation compilation = Compilation::eager;
    /// What threads are sent at deadlines; 0: SIGURG. Others may use it too: what wrun did not send
    /// goes to the handler that was there. A thread's first call with limits unblocks it there.
    int interrupt_signal = 0;
    /// None at all, for hosts that forbid it: only modules with ModuleOptions::epoch end at
    /// deadlines, and nothing that waits in the system does.
    static constexpr int no_signal = -1;
};

class Engine {
public:
    /// Fails when the machine lacks what generated code needs (CPU floor, address space, signals).
    [[nodiscard]] static Result<std::unique_ptr<Engine>> make(const EngineOptions& options);
    ~Engine();
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    [[nodiscard]] const EngineOptions& options() const noexcept;

    struct State;
    [[nodiscard]] State& state() noexcept { return *state_; }

private:
    explicit Engine(std::unique_ptr<State> state) noexcept;
    std::unique_ptr<State> state_;
};

/// Where the time and space of one compilation went, up to when the module was there. Nanoseconds
/// of wall time, bytes.
struct CompileStats {
    u64 decode_ns = 0;
    u64 validate_ns = 0;  // of all bodies, where nothing is compiled meanwhile
    u64 compile_ns = 0;   // validation and code generation, which run function by function
    u64 link_ns = 0;      // layout, copying, calls
    u64 publish_ns = 0;   // mapping to where it runs
    u64 wasm_bytes = 0;
    u64 code_section_bytes = 0;
    u64 machine_code_bytes = 0;
    u64 trap_table_bytes = 0;
    u32 functions = 0;
    u32 threads = 0;
};

/// How far a compilation is, for another thread to show. Bytes of function bodies.
struct CompileProgress {
    std::atomic<u64> bytes = 0;
    std::atomic<u64> total_bytes = 0;
};

struct ModuleOptions {
    /// `checked`: slower accesses, but the module's own memories reserve no more than they may ever
    /// hold and grow without a system call. Other modules that import one must be `checked` too;
    /// the module itself may import any memory.
    Bounds bounds = Bounds::guard;
    /// Code asks at each function's entry and loop's head whether its run shall end, so that no
    /// signal is needed (EngineOptions::no_signal). Slower.
    bool epoch = false;
    /// Code pays there for the operations of wasm up to the next such place out of Store::fuel(),
    /// the same on each run, and traps when it cannot. Slower.
    bool fuel = false;
    /// Borrowed while compile() runs. Of a lazy module, how far validation is.
    CompileProgress* progress = nullptr;
    Compilation compilation = Compilation::eager;
};

/// Immutable; keep it by shared_ptr as long as any instance of it lives (stores do).
class Module {
public:
    /// Takes the bytes. Errors carry the offset of the first offending byte.
    [[nodiscard]] static Result<std::shared_ptr<const Module>> compile(
        Engine& engine, std::vector<u8> bytes);
    [[nodiscard]] static Result<std::shared_ptr<const Module>> compile(
        Engine& engine, std::vector<u8> bytes, const ModuleOptions& options);
    /// Decodes and validates only, bodies included. Fills what `stats`, if there is one, can know.
    [[nodiscard]] static Result<void> validate(
        Engine& engine, std::span<const u8> bytes, CompileStats* stats = nullptr);
    ~Module();
    Module(const Module&) = delete;
    Module& operator=(const Module&) = delete;

    [[nodiscard]] const wrun::Module& decoded() const noexcept;
    [[nodiscard]] const ModuleOptions& options() const noexcept;
    [[nodiscard]] const CompileStats& stats() const noexcept;
    [[nodiscard]] Engine& engine() const noexcept;
    /// What its instances begin after, if they begin with a snapshot (engine/artifact_format.hpp).
    [[nodiscard]] const SnapshotFacts* snapshot() const noexcept;
    /// Whether all functions have their code: always, unless it is compiled lazily.
    [[nodiscard]] bool is_complete() const noexcept;
    /// Compiles what is left, beside whoever else does; from any thread.
    [[nodiscard]] Result<void> complete() const;
    /// The machine code of a defined function, for listings and tests; empty while it has none.
    [[nodiscard]] std::span<const u8> code(FuncIndex func) const noexcept;

    struct State;
    explicit Module(std::unique_ptr<State> state) noexcept;
    [[nodiscard]] const State& state() const noexcept { return *state_; }

private:
    std::unique_ptr<State> state_;
};

// ---- what can be imported and exported -------------------------------------------------------

/// A function, table, memory or global of a store. A light handle; valid as long as the store.
struct Extern {
    ExternKind kind = ExternKind::func;
    union {
        runtime::FuncRecord* func = nullptr;
        runtime::Table* table;
        runtime::Memory* memory;
        runtime::GlobalObject* global;
    };
};

// ---- stores and instances --------------------------------------------------------------------

struct StoreOptions {
    u64 memory_bytes_max = u64{4} << 30;  // of each memory; memory.grow beyond answers -1
    u64 table_elements_max = 10'000'000;  // of an instance's tables together; table.grow beyond: -1
    u32 stack_bytes = 8u << 20;           // of the guest's stack, guard not counted
    void* host_data = nullptr;            // for host functions: Store::host_data()
    u64 fuel = ~u64{0};                   // at the begin; for modules compiled with it
};

class Store {
public:
    [[nodiscard]] static Result<std::unique_ptr<Store>> make(
        Engine& engine, const StoreOptions& options = {});
    ~Store();
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;

    [[nodiscard]] void* host_data() const noexcept;
    /// What modules compiled with ModuleOptions::fuel may still use; at most 2^63 - 1.
    [[nodiscard]] u64 fuel() const noexcept;
    void set_fuel(u64 fuel) noexcept;

    /// Makes an instance and runs its start function; with a snapshot it begins there, and
    /// `wrun_restored` runs instead, if it is exported. `trap` is set (and nothing returned) when a
    /// segment or the start function trapped; what the instance left in other instances' tables and
    /// memories stays, as the specification wants.
    struct Instantiated {
        Instance* instance = nullptr;
        Outcome outcome;  // of segments and start function; instance is absent unless Returned
    };
    [[nodiscard]] Result<Instantiated> instantiate(
        std::shared_ptr<const Module> module, const Linker& linker, const CallLimits& limits = {});

    // Host-made objects, owned by the store.
    [[nodiscard]] runtime::FuncRecord* make_function(
        const FuncType& type, HostCallback callback, void* env);
    [[nodiscard]] Result<runtime::Memory*> make_memory(const MemoryType& type);
    [[nodiscard]] Result<runtime::Table*> make_table(const TableType& type, u64 init);
    [[nodiscard]] runtime::GlobalObject* make_global(const GlobalType& type, u64 bits);

    /// Calls any function of this store. Arguments must match its type. Re-entrant from host
    /// functions.
    [[nodiscard]] Result<Outcome> call(runtime::FuncRecord* func, std::span<const Value> arguments,
        std::vector<Value>& results, const CallLimits& limits = {});

    [[nodiscard]] FuncType type_of(const runtime::FuncRecord* func) const;

    // Access to externs. `get`/`set` fail out of bounds; `grow` answers the size before, or
    // nothing.
    [[nodiscard]] static GlobalType type_of(const runtime::GlobalObject* global) noexcept;
    [[nodiscard]] static u64 get(const runtime::GlobalObject* global) noexcept;
    static void set(runtime::GlobalObject* global, u64 bits) noexcept;
    [[nodiscard]] static TableType type_of(const runtime::Table* table) noexcept;
    [[nodiscard]] static u64 size(const runtime::Table* table) noexcept;
    [[nodiscard]] static std::optional<u64> get(const runtime::Table* table, u64 index) noexcept;
    [[nodiscard]] static bool set(runtime::Table* table, u64 index, u64 bits) noexcept;
    [[nodiscard]] static std::optional<u64> grow(
        runtime::Table* table, u64 count, u64 init) noexcept;
    [[nodiscard]] static MemoryType type_of(const runtime::Memory* memory) noexcept;
    [[nodiscard]] static GuestMemory view(const runtime::Memory* memory) noexcept;
    [[nodiscard]] static std::optional<u64> grow(runtime::Memory* memory, u64 pages) noexcept;

    struct State;
    explicit Store(std::unique_ptr<State> state) noexcept;
    [[nodiscard]] State& state() noexcept { return *state_; }

private:
    std::unique_ptr<State> state_;
};

class Instance {
public:
    [[nodiscard]] const Module& module() const noexcept;
    [[nodiscard]] std::optional<Extern> find_export(std::string_view name) const;
    /// Memory 0, or an empty memory.
    [[nodiscard]] GuestMemory memory() const noexcept;

    struct State;
    explicit Instance(std::unique_ptr<State> state) noexcept;
    ~Instance();
    Instance(const Instance&) = delete;
    Instance& operator=(const Instance&) = delete;
    [[nodiscard]] State& state() const noexcept { return *state_; }

private:
    std::unique_ptr<State> state_;
};

/// Resolves imports by (module, field). Host functions are described here and made in each store
/// that instantiates; externs belong to one store.
class Linker {
public:
    Linker();
    ~Linker();
    Linker(const Linker&) = delete;
    Linker& operator=(const Linker&) = delete;

    /// `env` is borrowed and must outlive every store that uses it.
    Result<void> define_function(std::string_view module, std::string_view field, FuncType type,
        HostCallback callback, void* env);
    Result<void> define(std::string_view module, std::string_view field, Extern item);
    /// Every export of the instance under `module`; replaces a former instance of that name.
    void define_instance(std::string_view module, const Instance& instance);

    /// Of the module's imports, those nothing is defined for; for messages before instantiating.
    [[nodiscard]] std::vector<const Import*> missing(const wrun::Module& module) const;
    /// Why the last instantiate() with this linker was unlinkable: the import's names and both
    /// types.
    [[nodiscard]] std::string explain(const wrun::Module& module, Error error) const;

    struct State;
    [[nodiscard]] State& state() const noexcept { return *state_; }

private:
    std::unique_ptr<State> state_;
};

}  // namespace wrun::engine
