// wrun in its ways of starting an instance. Imports of programs that are only started are host
// functions that trap.
#include <sys/mman.h>

#include "base/errors.hpp"
#include "bench/cold/subject.hpp"
#include "engine/pool.hpp"

namespace wrun::cold {
namespace {

template <class T>
T must(Result<T> result) {
    if (!result.ok()) give_up("wrun", describe(result.error()));
    return std::move(result).take();
}

void must_return(const engine::Outcome& outcome) {
    if (!std::holds_alternative<engine::Returned>(outcome)) give_up("wrun", "the guest trapped");
}

engine::HostResult trapping(engine::Caller&, void*, std::span<u64>) {
    return engine::HostResult::trapped(runtime::TrapCode::host);
}

void stub_imports(const wrun::Module& module, engine::Linker& linker) {
    for (const Import& import : module.imports) {
        if (import.kind != ExternKind::func) continue;  // whoever links says that it is missing
        const TypeIndex type = module.functions[import.index];
        const auto params = module.params(type);
        const auto results = module.results(type);
        // A name that is imported twice is defined already.
        static_cast<void>(linker.define_function(module.text(import.module),
            module.text(import.field),
            {{params.begin(), params.end()}, {results.begin(), results.end()}}, trapping, nullptr));
    }
}

/// A program and how it is linked.
struct Linked {
    std::shared_ptr<const engine::Module> module;
    engine::Linker linker;
};

std::unique_ptr<engine::Engine> make_engine() {
    return must(engine::Engine::make({}));
}

std::vector<std::unique_ptr<Linked>> link(engine::Engine& engine, const Setup& setup) {
    std::vector<std::unique_ptr<Linked>> all;
    for (const std::vector<u8>& bytes : setup.programs) {
        auto& one = *all.emplace_back(std::make_unique<Linked>());
        one.module = must(engine::Module::compile(engine, bytes));
        stub_imports(one.module->decoded(), one.linker);
    }
    return all;
}

std::span<const u8> whole(const engine::GuestMemory& memory) {
    return *memory.view(0, memory.size());
}

/// A store and an instance for each start.
class StoreWorker final : public Worker {
public:
    StoreWorker(engine::Engine& engine, std::span<const std::unique_ptr<Linked>> programs)
        : engine_{engine}, programs_{programs} {}

    void start(std::size_t program) override {
        const Linked& linked = *programs_[program];
        store_ = must(engine::Store::make(engine_));
        const auto made = must(store_->instantiate(linked.module, linked.linker));
        must_return(made.outcome);
        instance_ = made.instance;
    }
    u32 call(u32 argument) override {
        const engine::Value value = engine::Value::i32(argument);
        must_return(
            must(store_->call(instance_->find_export("handle")->func, {&value, 1}, results_)));
        return static_cast<u32>(results_[0].bits);
    }
    void finish() override { store_.reset(); }
    std::span<const u8> memory() override { return whole(instance_->memory()); }
    void keep() override { kept_.push_back(std::move(store_)); }

private:
    engine::Engine& engine_;
    std::span<const std::unique_ptr<Linked>> programs_;
    std::unique_ptr<engine::Store> store_;
    engine::Instance* instance_ = nullptr;
    std::vector<engine::Value> results_;
    std::vector<std::unique_ptr<engine::Store>> kept_;
};

class StoreSubject final : public Subject {
public:
    explicit StoreSubject(const Setup& setup)
        : engine_{make_engine()}, programs_{link(*engine_, setup)} {}
    std::unique_ptr<Worker> worker() override {
        return std::make_unique<StoreWorker>(*engine_, programs_);
    }

private:
    std::unique_ptr<engine::Engine> engine_;
    std::vector<std::unique_ptr<Linked>> programs_;
};

/// How a pool is told to reset.
struct PoolWay {
    std::optional<runtime::ResetWay> reset = std::nullopt;
    std::optional<os::PageScanner::Way> look = std::nullopt;
    runtime::Watch watch = runtime::Watch::faults;
    /// Each run takes a page fault that has nothing to do with its memory, so that it is looked for
    /// written pages although there are no new ones.
    bool disturbs = false;
};

struct PooledProgram {
    std::shared_ptr<const engine::Template> made;
    FuncIndex handle{};
};

/// A slot of a pool for each start.
class PoolWorker final : public Worker {
public:
    PoolWorker(engine::Pool& pool, std::span<const PooledProgram> programs, bool disturbs)
        : pool_{pool},
          programs_{programs},
          shard_{must(engine::Shard::make(pool))},
          disturbs_{disturbs} {
        if (!disturbs) return;
        void* const page =
            mmap(nullptr, page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED) give_up("wrun", "no page to fault on");
        page_ = static_cast<volatile u8*>(page);
    }
    PoolWorker(const PoolWorker&) = delete;
    PoolWorker& operator=(const PoolWorker&) = delete;
    ~PoolWorker() override {
        if (page_ != nullptr) munmap(const_cast<u8*>(page_), page_bytes);
    }

    void start(std::size_t program) override {
        handle_ = programs_[program].handle;
        run_.emplace(must(shard_->start(programs_[program].made)));
    }
    u32 call(u32 argument) override {
        const engine::Value value = engine::Value::i32(argument);
        must_return(must(run_->call(handle_, {&value, 1}, results_)));
        return static_cast<u32>(results_[0].bits);
    }
    void finish() override { run_.reset(); }
    std::span<const u8> memory() override { return whole(run_->instance().memory()); }
    void keep() override {
        kept_.push_back(std::move(*run_));
        run_.reset();
    }
    bool forget() override {
        shard_->trim();
        pool_.trim();
        return true;
    }
    std::optional<u64> binds() override { return pool_.stats().binds; }
    [[nodiscard]] bool disturbs() const override { return disturbs_; }
    void disturb() override {
        if (!disturbs_) return;
        madvise(const_cast<u8*>(page_), page_bytes, MADV_DONTNEED);
        *page_ = 1;
    }

private:
    engine::Pool& pool_;
    std::span<const PooledProgram> programs_;
    std::unique_ptr<engine::Shard> shard_;
    FuncIndex handle_{};
    std::vector<engine::Value> results_;
    std::optional<engine::Run> run_;
    std::vector<engine::Run> kept_;
    bool disturbs_;
    volatile u8* page_ = nullptr;
};

class PoolSubject final : public Subject {
public:
    PoolSubject(const PoolWay& way, const Setup& setup) : engine_{make_engine()}, way_{way} {
        engine::TemplateOptions options;
        options.reset = way.reset;
        for (const auto& linked : link(*engine_, setup)) {
            auto done = must(engine::Template::make(linked->module, linked->linker, options));
            must_return(done.outcome);
            const FuncIndex handle = done.made->find_function("handle").value_or(FuncIndex{});
            programs_.push_back({std::move(done.made), handle});
        }
        engine::PoolOptions limits;
        limits.look = way.look;
        limits.watch = way.watch;
        if (setup.slots != 0) limits.slots_max = setup.slots;
        if (setup.slots == 1) limits.spare_slots = 0;
        pool_ = must(engine::Pool::make(*engine_, limits));
    }
    std::unique_ptr<Worker> worker() override {
        return std::make_unique<PoolWorker>(*pool_, programs_, way_.disturbs);
    }

private:
    std::unique_ptr<engine::Engine> engine_;
    PoolWay way_;
    std::vector<PooledProgram> programs_;
    std::unique_ptr<engine::Pool> pool_;
};

constexpr PoolWay learned_way{};
constexpr PoolWay watched_way{.watch = runtime::Watch::writes};
constexpr PoolWay drop_way{.reset = runtime::ResetWay::drop};
constexpr PoolWay scan_way{.look = os::PageScanner::Way::scan, .disturbs = true};
constexpr PoolWay read_way{.look = os::PageScanner::Way::read, .disturbs = true};

template <const PoolWay& way>
std::unique_ptr<Subject> make_pool(const Setup& setup) {
    return std::make_unique<PoolSubject>(way, setup);
}

std::unique_ptr<Subject> make_store(const Setup& setup) {
    return std::make_unique<StoreSubject>(setup);
}

std::string never_missing() {
    return {};
}

std::string missing_watch() {
    auto watch = os::WriteWatch::open();
    if (!watch) return "the system cannot refuse pages (userfaultfd of Linux 6.4)";
    watch->close();
    return {};
}

constexpr SubjectKind kinds[] = {
    {"wrun", "wrun", "a slot of a pool for each start, defaults", false, make_pool<learned_way>,
        never_missing},
    {"wrun-watched", "wrun, writes watched",
        "the same, told that no system call writes to a guest's memory unannounced "
        "(`Watch::writes`): a run whose pages are all known is watched by write protection of all "
        "others, without a system call",
        false, make_pool<watched_way>, missing_watch},
    {"wrun-scan", "wrun, looks (scan)",
        "the same when each run takes a page fault elsewhere (its time does not count), so that "
        "written pages are looked for, by `PAGEMAP_SCAN`",
        false, make_pool<scan_way>, never_missing},
    {"wrun-read", "wrun, looks (read)",
        "the same, by reading `/proc/self/pagemap`, as before Linux 6.7", false,
        make_pool<read_way>, never_missing},
    {"wrun-drop", "wrun, drops",
        "a slot that gives all written pages back (`ResetWay::drop`): what is done where nothing "
        "else is safe",
        false, make_pool<drop_way>, never_missing},
    {"wrun-store", "wrun, new store", "a new store and instance each time, nothing kept", false,
        make_store, never_missing},
};

}  // namespace

std::span<const SubjectKind> wrun_kinds() {
    return kinds;
}

}  // namespace wrun::cold
