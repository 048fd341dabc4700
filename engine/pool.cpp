// Pool: slots from demand to demand. The way of a start: this shard's idle slot of the template,
// else one of the pool's, else one that is bound now: a new one while there may be more, else the
// one whose template was not asked for longest. Only the first takes no lock.
#include "engine/pool.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <unordered_map>

#include "base/os_thread.hpp"
#include "engine/slot.hpp"

namespace wrun::engine {

using runtime::GuestStack;
using runtime::PageFinder;
using SlotPtr = std::unique_ptr<Slot>;
using TemplatePtr = std::shared_ptr<const Template>;

// ---- what all threads share
// ----------------------------------------------------------------------

/// What the background thread is to do: one spare slot, or the template with dense memories.
struct Errand {
    enum class What : u8 { spare, dense };
    What what;
    TemplatePtr of;
    bool operator==(const Errand&) const = default;
};

struct Pool::State {
    State(Engine& for_engine, const PoolOptions& with) noexcept
        : engine{for_engine}, options{with}, budget{with.memory_bytes_max} {}
    ~State();

    /// A slot bound to nothing; null when there may be no more.
    [[nodiscard]] SlotPtr make_slot();
    void destroy(SlotPtr slot) noexcept;
    /// An idle slot bound to this, or null.
    [[nodiscard]] SlotPtr take(const Template* bound_to);
    /// The idle slot that was put down first, or null when there are no more than `kept`.
    [[nodiscard]] SlotPtr take_oldest(u32 kept = 0);
    void put(SlotPtr slot);
    /// Has spare slots made, unless there are some or they are on their way.
    void want_spares(const TemplatePtr& of);
    void want_dense(const TemplatePtr& of);
    void run_errands();
    void make_spare(const TemplatePtr& of, bool can_look);
    void make_dense(const TemplatePtr& of);

    Engine& engine;
    const PoolOptions options;
    runtime::MemoryBudget budget;
    std::atomic<u32> slots = 0;
    std::atomic<u64> binds = 0;
    std::atomic<u64> background_binds = 0;
    std::atomic<u64> dense_templates = 0;
    std::atomic<u64> quarantined = 0;
    /// A shard found nothing: idle slots are to come here, where it looks next.
    std::atomic<bool> is_starved = false;

    mutable std::mutex lock;  // of what follows
    std::vector<SlotPtr> idle;
    std::vector<Errand> errands;
    bool is_closing = false;
    std::condition_variable errand_comes;
    os::Thread background;
};

Pool::State::~State() {
    {
        const std::lock_guard guard{lock};
        is_closing = true;
    }
    errand_comes.notify_all();
    background.join();
    while (SlotPtr slot = take_oldest())
        destroy(std::move(slot));
    WRUN_CHECK(slots.load() == 0);  // a shard is still there
}

SlotPtr Pool::State::make_slot() {
    if (slots.fetch_add(1, std::memory_order_relaxed) >= options.slots_max) {
        slots.fetch_sub(1, std::memory_order_relaxed);
        return nullptr;
    }
    return std::make_unique<Slot>(engine, budget, options.watch);
}

void Pool::State::destroy(SlotPtr slot) noexcept {
    slot.reset();
    slots.fetch_sub(1, std::memory_order_relaxed);
}

SlotPtr Pool::State::take(const Template* bound_to) {
    const std::lock_guard guard{lock};
    const auto found = std::find_if(idle.rbegin(), idle.rend(),
        [&](const SlotPtr& slot) { return slot->bound_to() == bound_to; });
    if (found == idle.rend()) return nullptr;
    SlotPtr slot = std::move(*found);
    idle.erase(std::next(found).base());
    return slot;
}

SlotPtr Pool::State::take_oldest(u32 kept) {
    const std::lock_guard guard{lock};
    if (idle.size() <= kept) return nullptr;
    SlotPtr slot = std::move(idle.front());
    idle.erase(idle.begin());
    return slot;
}

void Pool::State::put(SlotPtr slot) {
    const std::lock_guard guard{lock};
    idle.push_back(std::move(slot));
    is_starved.store(false, std::memory_order_relaxed);
}

void Pool::State::want_spares(const TemplatePtr& of) {
    if (options.spare_slots == 0) return;
    const Errand errand{Errand::What::spare, of};
    {
        const std::lock_guard guard{lock};
        const auto has = std::count_if(idle.begin(), idle.end(),
            [&](const SlotPtr& slot) { return slot->bound_to() == of.get(); });
        const auto comes = std::count(errands.begin(), errands.end(), errand);
        const auto missing = static_cast<i64>(options.spare_slots) - has - comes;
        if (missing <= 0) return;
        errands.insert(errands.end(), static_cast<std::size_t>(missing), errand);
    }
    errand_comes.notify_one();
}

void Pool::State::want_dense(const TemplatePtr& of) {
    if (of->state().is_dense_wanted.exchange(true)) return;
    {
        const std::lock_guard guard{lock};
        errands.push_back({Errand::What::dense, of});
    }
    errand_comes.notify_one();
}

/// The background thread. An errand is a favour: what stands in its way is nobody's error.
void Pool::State::run_errands() {
    const PageFinder finder{options.look};
    std::unique_lock guard{lock};
    while (true) {
        errand_comes.wait(guard, [&] { return is_closing || !errands.empty(); });
        if (is_closing) return;
        const Errand errand = errands.front();
        guard.unlock();
        if (errand.what == Errand::What::spare) {
            make_spare(errand.of, finder.works());
        } else {
            make_dense(errand.of);
        }
        guard.lock();
        errands.erase(errands.begin());
    }
}

void Pool::State::make_spare(const TemplatePtr& of, bool can_look) {
    SlotPtr slot = make_slot();
    if (slot == nullptr) return;
    if (!slot->bind(of, can_look).ok()) return destroy(std::move(slot));
    ++binds;
    ++background_binds;
    const std::lock_guard guard{lock};
    idle.push_back(std::move(slot));
}

void Pool::State::make_dense(const TemplatePtr& of) {
    auto made = of->state().make_dense();
    if (!made.ok()) return;
    of->state().dense = std::move(made).take();
    of->state().has_dense.store(true, std::memory_order_release);
    ++dense_templates;
}

Pool::Pool(std::unique_ptr<State> state) noexcept : state_{std::move(state)} {}
Pool::~Pool() = default;

Result<std::unique_ptr<Pool>> Pool::make(Engine& engine, const PoolOptions& options) {
    auto state = std::make_unique<State>(engine, options);
    const auto run = [](void* self) { static_cast<State*>(self)->run_errands(); };
    const bool has_errands = options.spare_slots != 0 || options.growing_runs_max != 0;
    if (has_errands && !state->background.start(run, state.get())) {
        return Error{ErrorCode::out_of_memory};
    }
    return std::unique_ptr<Pool>{new Pool{std::move(state)}};
}

void Pool::trim(u32 slots_kept) {
    while (SlotPtr slot = state_->take_oldest(slots_kept))
        state_->destroy(std::move(slot));
}

PoolStats Pool::stats() const {
    PoolStats stats;
    stats.slots = state_->slots.load();
    stats.memory_bytes = state_->budget.used();
    stats.binds = state_->binds.load();
    stats.background_binds = state_->background_binds.load();
    stats.dense_templates = state_->dense_templates.load();
    stats.quarantined = state_->quarantined.load();
    return stats;
}

// ---- what one thread has -----------------------------------------------------------------------

constexpr u64 watched_runs_per_trim = 256;

struct Shard::State {
    explicit State(Pool::State& of) noexcept : pool{of}, finder{of.options.look} {}

    /// This shard's idle slots of a template; the reference holds until lists are dropped.
    [[nodiscard]] std::vector<SlotPtr>& list_of(const Template* of);
    [[nodiscard]] Result<SlotPtr> slot_for(const TemplatePtr& from);
    /// Of the template or what replaces it by now.
    [[nodiscard]] Result<SlotPtr> slot_of_current(const TemplatePtr& from);
    [[nodiscard]] Result<SlotPtr> bind(const TemplatePtr& to);
    /// The idle slot of the template that was not used for longest, or null.
    [[nodiscard]] SlotPtr take_oldest();
    [[nodiscard]] Result<GuestStack> take_stack(u32 bytes);
    void put(SlotPtr slot);

    Pool::State& pool;
    PageFinder finder;
    u64 runs = 0;
    u32 running = 0;
    u32 idle_count = 0;
    std::unordered_map<const Template*, std::vector<SlotPtr>> idle;  // no list is empty for long
    const Template* latest = nullptr;                                // whose list was used last
    std::vector<SlotPtr>* latest_list = nullptr;
    std::vector<GuestStack> stacks;
};

std::vector<SlotPtr>& Shard::State::list_of(const Template* of) {
    if (of != latest) {
        latest = of;
        latest_list = &idle[of];
    }
    return *latest_list;
}

Result<SlotPtr> Shard::State::slot_for(const TemplatePtr& from) {
    std::vector<SlotPtr>& list = list_of(from.get());
    if (!list.empty()) [[likely]] {
        SlotPtr slot = std::move(list.back());
        list.pop_back();
        --idle_count;
        return slot;
    }
    pool.want_spares(from);
    if (SlotPtr slot = pool.take(from.get())) return slot;
    return bind(from);
}

Result<SlotPtr> Shard::State::slot_of_current(const TemplatePtr& from) {
    const TemplatePtr& current = from->state().current(from);
    Result<SlotPtr> slot = slot_for(current);
    if (slot.ok() || current == from) return slot;
    // All that a dense memory may hold is open at once, which a system that promises no more than
    // it has can refuse.
    const ErrorCode code = slot.error().code;
    const bool is_refused = code == ErrorCode::out_of_memory || code == ErrorCode::address_space;
    return is_refused ? slot_for(from) : std::move(slot);
}

Result<SlotPtr> Shard::State::bind(const TemplatePtr& to) {
    const auto any_idle = [&] {
        SlotPtr slot = take_oldest();
        return slot != nullptr ? std::move(slot) : pool.take_oldest();
    };
    SlotPtr slot = pool.make_slot();
    if (slot == nullptr) slot = any_idle();
    if (slot == nullptr) {
        pool.is_starved.store(true, std::memory_order_relaxed);
        return Error{ErrorCode::slot_limit};
    }
    while (true) {
        const Result<void> bound = slot->bind(to, finder.works());
        if (bound.ok()) break;
        pool.destroy(std::move(slot));
        if (bound.error().code != ErrorCode::pool_memory_limit) return bound.error();
        // Idle slots hold memory that this one could have.
        SlotPtr victim = any_idle();
        if (victim == nullptr) {
            pool.is_starved.store(true, std::memory_order_relaxed);
            return bound.error();
        }
        slot = std::move(victim);
    }
    ++pool.binds;
    return slot;
}

SlotPtr Shard::State::take_oldest() {
    latest = nullptr;
    auto oldest = idle.end();
    for (auto list = idle.begin(); list != idle.end();) {
        if (list->second.empty()) {
            list = idle.erase(list);
            continue;
        }
        const auto used = [](const auto& of) { return of->second.back()->last_used; };
        if (oldest == idle.end() || used(list) < used(oldest)) oldest = list;
        ++list;
    }
    if (oldest == idle.end()) return nullptr;
    SlotPtr slot = std::move(oldest->second.front());
    oldest->second.erase(oldest->second.begin());
    --idle_count;
    return slot;
}

Result<GuestStack> Shard::State::take_stack(u32 bytes) {
    const auto fits = [&](const GuestStack& stack) {
        return stack.bytes() == GuestStack::rounded(bytes);
    };
    const auto found = std::find_if(stacks.rbegin(), stacks.rend(), fits);
    if (found == stacks.rend()) return GuestStack::make(bytes);
    GuestStack stack = std::move(*found);
    stacks.erase(std::next(found).base());
    return stack;
}

void Shard::State::put(SlotPtr slot) {
    if (pool.is_starved.load(std::memory_order_relaxed)) [[unlikely]] {
        pool.put(std::move(slot));
        return;
    }
    list_of(slot->bound_to()).push_back(std::move(slot));
    ++idle_count;
}

Shard::Shard(std::unique_ptr<State> state) noexcept : state_{std::move(state)} {}

Shard::~Shard() {
    WRUN_CHECK(state_->running == 0);  // a run would come back to nowhere
    while (SlotPtr slot = state_->take_oldest())
        state_->pool.put(std::move(slot));
}

Result<std::unique_ptr<Shard>> Shard::make(Pool& pool) {
    return std::unique_ptr<Shard>{new Shard{std::make_unique<State>(pool.state())}};
}

Result<Run> Shard::start(const TemplatePtr& from, void* host_data) {
    SlotPtr slot = WRUN_TRY(state_->slot_of_current(from));
    auto stack = state_->take_stack(from->state().options.store.stack_bytes);
    if (!stack.ok()) {
        state_->put(std::move(slot));
        return stack.error();
    }
    slot->last_used = ++state_->runs;
    ++state_->running;
    slot->begin(std::move(stack).take(), host_data);
    return Run{*this, std::move(slot)};
}

void Shard::finish(SlotPtr slot) {
    --state_->running;
    const bool is_new = slot->reset(state_->finder);
    GuestStack stack = slot->take_stack();
    // A run that took faults may have gone deep; where those are not counted, any of the last ones.
    const bool may_be_deep =
        !slot->was_quiet() || (slot->is_watched() && state_->runs % watched_runs_per_trim == 0);
    if (may_be_deep) stack.trim();
    state_->stacks.push_back(std::move(stack));
    const u32 growing_runs_max = state_->pool.options.growing_runs_max;
    if (growing_runs_max != 0 && slot->growing_runs() >= growing_runs_max) [[unlikely]] {
        state_->pool.want_dense(slot->shared_template());
    }
    if (is_new) [[likely]] {
        state_->put(std::move(slot));
        return;
    }
    ++state_->pool.quarantined;
    state_->pool.destroy(std::move(slot));
}

void Shard::trim(u32 slots_kept) {
    while (state_->idle_count > slots_kept)
        state_->pool.destroy(state_->take_oldest());
    state_->stacks.clear();
}

// ---- one run -----------------------------------------------------------------------------------

Run::Run() noexcept = default;
Run::Run(Shard& shard, SlotPtr slot) noexcept : shard_{&shard}, slot_{std::move(slot)} {}
Run::Run(Run&& other) noexcept = default;

Run& Run::operator=(Run&& other) noexcept {
    std::swap(shard_, other.shard_);
    std::swap(slot_, other.slot_);
    return *this;
}

Run::~Run() {
    if (slot_ != nullptr) shard_->finish(std::move(slot_));
}

Instance& Run::instance() const noexcept {
    return slot_->instance();
}

Store& Run::store() const noexcept {
    return slot_->store();
}

bool Run::is_watched() const noexcept {
    return slot_->is_watched();
}

Result<Outcome> Run::call(FuncIndex func, std::span<const Value> arguments,
    std::vector<Value>& results, const CallLimits& limits) {
    return slot_->call(func, arguments, results, limits);
}

}  // namespace wrun::engine
