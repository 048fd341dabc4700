// Pool: where instances of templates run, each in a slot of its own that is as new after every run.
// A slot is address space, a context and whatever a template's instance needs; *bound* to a
// template it starts in a fraction of a microsecond. It is bound to another one by mapping
// everything anew.
//
//   Pool    limits of all threads together, slots that no thread holds, and the thread that binds
//           spare ones; thread-safe, outlives its shards
//   Shard   one thread's slots, last in first out, and its stacks; that thread's alone
//   Run     one instance from start to reset; moved, not copied; ends on the thread it began on
//
//     Run run = WRUN_TRY(shard.start(handler, &request));
//     Outcome outcome = WRUN_TRY(run.call(function, {}, results));
//     // the end of `run` resets the slot: answer the client before that
#pragma once

#include "engine/template.hpp"

namespace wrun::engine {

struct PoolOptions {
    u32 slots_max = 1000;                  // of all shards, running and idle
    u64 memory_bytes_max = u64{16} << 30;  // of all guests' memories, as large as they are
    /// Kept bound in the background for a template that a shard had no slot left for.
    u32 spare_slots = 1;
    /// After so many runs in a row that grew their memory, a template's module is compiled again in
    /// the background, with checked bounds: then growing costs nothing. 0: never.
    u32 growing_runs_max = 32;
    /// How to find the pages that a guest has written; the best way there is when not given.
    std::optional<os::PageScanner::Way> look = std::nullopt;
    /// `writes` saves each run of a slot in steady state its one system call, where the system can
    /// (Linux 6.4, userfaultfd allowed; elsewhere it is `faults`). But then a system call that is
    /// to write to a guest's memory fails with EFAULT, unless the view that it is given is one of
    /// GuestMemory::view_for_system(): for hosts that always use that.
    runtime::Watch watch = runtime::Watch::faults;
};

struct PoolStats {
    u64 slots = 0;             // there are: running, idle and spare
    u64 memory_bytes = 0;      // of guests' memories
    u64 binds = 0;             // how often a slot has got another instance, or its first
    u64 background_binds = 0;  // those of them that no start had to wait for
    u64 dense_templates = 0;   // compiled again because their runs grow
    u64 quarantined = 0;       // slots given up because they could not be reset
};

class Pool {
public:
    [[nodiscard]] static Result<std::unique_ptr<Pool>> make(
        Engine& engine, const PoolOptions& options = {});
    /// All shards are gone by now.
    ~Pool();
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    [[nodiscard]] PoolStats stats() const;
    /// Gives up slots that no shard holds, those put down first, until so many are left.
    void trim(u32 slots_kept = 0);

    struct State;
    [[nodiscard]] State& state() const noexcept { return *state_; }

private:
    explicit Pool(std::unique_ptr<State> state) noexcept;
    std::unique_ptr<State> state_;
};

class Slot;
class Shard;

class Run {
public:
    Run() noexcept;  // of nothing
    Run(Run&& other) noexcept;
    Run& operator=(Run&& other) noexcept;
    /// Resets the slot; one that cannot be reset is never used again.
    ~Run();

    [[nodiscard]] Instance& instance() const noexcept;
    [[nodiscard]] Store& store() const noexcept;
    /// Whether it is watched by its writes (PoolOptions::watch).
    [[nodiscard]] bool is_watched() const noexcept;
    /// A function of the template (Template::find_function). The first call of a run calls
    /// `wrun_restored` before, under the same limits, if the module exports that; what does not
    /// return from there is the outcome.
    [[nodiscard]] Result<Outcome> call(FuncIndex func, std::span<const Value> arguments,
        std::vector<Value>& results, const CallLimits& limits = {});

private:
    friend class Shard;
    Run(Shard& shard, std::unique_ptr<Slot> slot) noexcept;
    Shard* shard_ = nullptr;
    std::unique_ptr<Slot> slot_;
};

class Shard {
public:
    [[nodiscard]] static Result<std::unique_ptr<Shard>> make(Pool& pool);
    /// All runs are over. Idle slots go to the pool.
    ~Shard();
    Shard(const Shard&) = delete;
    Shard& operator=(const Shard&) = delete;

    /// A fresh instance: in a slot of this thread that is bound already, one of the pool's, or one
    /// bound now. `slot_limit` or `pool_memory_limit` when the pool is full: wait for a run to end.
    /// `host_data` is what host functions find in Store::host_data().
    [[nodiscard]] Result<Run> start(
        const std::shared_ptr<const Template>& from, void* host_data = nullptr);
    /// Gives up this shard's idle slots, those unused for longest first, until so many are left,
    /// and idle stacks.
    void trim(u32 slots_kept = 0);

    struct State;

private:
    friend class Run;
    explicit Shard(std::unique_ptr<State> state) noexcept;
    void finish(std::unique_ptr<Slot> slot);
    std::unique_ptr<State> state_;
};

}  // namespace wrun::engine
