// Slot: one instance of a template, and what makes it new again. Owns the address space of its
// memories for its whole life, everything else from bind() to bind(). A slot is used by one thread
// at a time; which one may change between runs. After a failure of bind() or reset() it must only
// be destroyed.
#pragma once

#include "engine/frozen.hpp"
#include "runtime/memory_reset.hpp"

namespace wrun::engine {

class Slot {
public:
    /// `budget` counts what guests' memories hold; it outlives the slot. `watch`: how runs are
    /// watched, where the system can.
    Slot(Engine& engine, runtime::MemoryBudget& budget, runtime::Watch watch) noexcept
        : engine_{engine}, budget_{budget}, watch_{watch} {}
    ~Slot();
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;

    /// Makes the template's instance here, whatever was here before. `can_look`: whether those who
    /// reset have a PageFinder that works.
    [[nodiscard]] Result<void> bind(std::shared_ptr<const Template> to, bool can_look);
    /// What it is bound to, if anything.
    [[nodiscard]] const Template* bound_to() const noexcept { return template_.get(); }

    /// A run begins on this thread, on that stack.
    void begin(runtime::GuestStack stack, void* host_data) noexcept;
    /// It is over, on the same thread: the instance is as begin() has found it, or the slot is lost
    /// (false).
    [[nodiscard]] bool reset(runtime::PageFinder& finder);
    /// The stack of the last run, and whether that run took no page fault.
    [[nodiscard]] runtime::GuestStack take_stack() noexcept;
    [[nodiscard]] bool was_quiet() const noexcept { return was_quiet_; }
    /// How many runs in a row have grown a memory by changing what is mapped.
    [[nodiscard]] u32 growing_runs() const noexcept { return growing_runs_; }
    /// What it is bound to, to be kept.
    [[nodiscard]] const std::shared_ptr<const Template>& shared_template() const noexcept {
        return template_;
    }

    /// Whether runs are watched by their writes.
    [[nodiscard]] bool is_watched() const noexcept { return !watched_.empty(); }

    [[nodiscard]] Store& store() const noexcept { return *store_; }
    [[nodiscard]] Instance& instance() const noexcept { return *instance_; }
    [[nodiscard]] Result<Outcome> call(FuncIndex func, std::span<const Value> arguments,
        std::vector<Value>& results, const CallLimits& limits);

    u64 last_used = 0;  // by the shard's count of runs

private:
    [[nodiscard]] const Template::State& from() const noexcept { return template_->state(); }
    [[nodiscard]] Instance::State& state() const noexcept { return instance_->state(); }

    [[nodiscard]] Result<Outcome> call_plain(FuncIndex func, std::span<const Value> arguments,
        std::vector<Value>& results, const CallLimits& limits);
    void unbind() noexcept;
    void make_imports();
    void make_records();
    void make_globals();
    [[nodiscard]] Result<void> make_tables();
    [[nodiscard]] Result<void> make_memories(bool can_look);
    void make_segments();
    void restore_table(std::size_t index);
    void resolve(const FrozenTable& frozen, std::span<runtime::Reference> to) const noexcept;
    void forget_what_the_host_made();
    void learn_to_watch();
    void stop_watching() noexcept;

    /// So many quiet runs in a row, the first time, before writes are watched: refusing pages costs
    /// as much as some fifty runs save.
    static constexpr u32 quiet_runs_first = 64;
    static constexpr u32 quiet_runs_last = 4096;

    Engine& engine_;
    runtime::MemoryBudget& budget_;
    runtime::Watch watch_;
    std::shared_ptr<const Template> template_;
    std::unique_ptr<Store> store_;
    Instance* instance_ = nullptr;  // the store's
    ContextBlock pristine_;
    /// Of tables that runs were seen to write, what they begin with; none for the others.
    std::vector<std::vector<runtime::Reference>> pristine_tables_;
    std::vector<std::unique_ptr<runtime::Memory>> memories_;  // while bound to nothing
    std::vector<runtime::MemoryReset> resets_;
    runtime::WriteGate gate_;
    std::vector<runtime::WatchedRange> watched_;  // of all memories, or of none
    bool was_quiet_ = false;
    u32 quiet_runs_ = 0;  // in a row
    u32 quiet_runs_wanted_ = quiet_runs_first;
    u32 growing_runs_ = 0;
    bool is_restored_ = true;  // whether wrun_restored has run in this run, if there is one
    u64 made_at_bind_ = 0;     // in the store
};

}  // namespace wrun::engine
