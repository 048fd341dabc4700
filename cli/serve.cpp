// See serve.hpp.
#include "cli/serve.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <ctime>
#include <filesystem>

#include "base/errors.hpp"
#include "base/os_thread.hpp"
#include "cli/application.hpp"
#include "cli/exit_code.hpp"
#include "cli/load.hpp"
#include "cli/message.hpp"
#include "engine/pool.hpp"
#include "http/operations/admin.hpp"
#include "http/operations/service_manager.hpp"
#include "http/server/server.hpp"
#include "http/text.hpp"

namespace wrun::cli {
namespace {

constexpr u64 watch_interval_ns = u64{500'000'000};

/// The signals that concern a server, taken by one thread when it asks.
class Signals {
public:
    /// Before any other thread begins: they inherit what is blocked.
    Signals() noexcept {
        sigemptyset(&set_);
        for (const int signal : {SIGTERM, SIGINT, SIGHUP})
            sigaddset(&set_, signal);
        static_cast<void>(pthread_sigmask(SIG_BLOCK, &set_, nullptr));
    }
    /// 0 when none came in that time.
    [[nodiscard]] int wait(u64 ns) const noexcept {
        const timespec time{
            static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
        const int signal = sigtimedwait(&set_, nullptr, &time);
        return signal > 0 ? signal : 0;
    }

private:
    sigset_t set_{};
};

/// Whether files are others than they were when it was asked last.
class Watched {
public:
    explicit Watched(std::vector<std::string> files) { set(std::move(files)); }
    void set(std::vector<std::string> files) {
        files_ = std::move(files);
        known_ = look();
    }
    [[nodiscard]] bool have_changed() {
        auto now = look();
        if (now == known_) return false;
        known_ = std::move(now);
        return true;
    }

private:
    [[nodiscard]] std::vector<os::FileStatus> look() const {
        std::vector<os::FileStatus> found;
        for (const std::string& path : files_) {
            const Result<os::File> file = os::File::open_for_reading(path);
            const auto status = file.ok() ? os::status_of(file.value().number())
                                          : Result<os::FileStatus>{file.error()};
            found.push_back(status.ok() ? status.value() : os::FileStatus{});
        }
        return found;
    }
    std::vector<std::string> files_;
    std::vector<os::FileStatus> known_;
};

[[nodiscard]] std::string name_of(const http::Endpoint& endpoint, u16 port) {
    if (!endpoint.unix_path.empty()) return "unix:" + endpoint.unix_path;
    if (endpoint.descriptor >= 0) return "descriptor " + std::to_string(endpoint.descriptor);
    return "http://" + http::host_and_port(endpoint.address, port);
}

[[nodiscard]] Result<os::File> open_log_file(const std::string& path, int more_flags) {
    return os::File::open(
        AT_FDCWD, path.c_str(), O_WRONLY | O_APPEND | O_NONBLOCK | more_flags, 0640);
}

class Service {
public:
    explicit Service(const ServeOptions& options) : options_{options} {}

    [[nodiscard]] int run();

private:
    [[nodiscard]] std::optional<int> make_engine();
    [[nodiscard]] std::optional<int> open_log();
    [[nodiscard]] int check_log() const;
    void reopen_log();
    [[nodiscard]] std::optional<int> listen(std::shared_ptr<const http::Router> router);
    [[nodiscard]] std::optional<int> listen_admin();
    void reload();
    void serve_until_told();
    void drain();

    const ServeOptions& options_;
    Signals signals_;
    std::unique_ptr<engine::Engine> engine_;
    std::unique_ptr<engine::Pool> pool_;
    os::File log_file_;
    std::unique_ptr<http::Journal> journal_;
    std::optional<http::AccessLog> log_;
    std::optional<http::Figures> figures_;
    http::AdminFacts facts_;
    std::optional<Watched> watched_;
    std::unique_ptr<http::Server> server_;
    std::optional<http::Sources> sources_;
    std::unique_ptr<http::Server> admin_;
};

std::optional<int> Service::make_engine() {
    auto engine = engine::Engine::make({});
    if (!engine.ok()) return fail("cannot start: " + describe(engine.error()));
    engine_ = std::move(engine).take();
    engine::PoolOptions pool_options;
    pool_options.slots_max = options_.server.in_flight_max + options_.server.threads * 16;
    pool_options.memory_bytes_max = options_.guests_memory_bytes_max;
    // All that writes to guests here says so before.
    pool_options.watch = runtime::Watch::writes;
    auto pool = engine::Pool::make(*engine_, pool_options);
    if (!pool.ok()) return fail("cannot start: " + describe(pool.error()));
    pool_ = std::move(pool).take();
    return std::nullopt;
}

std::optional<int> Service::open_log() {
    int file = STDERR_FILENO;
    if (options_.log_file) {
        auto opened = open_log_file(*options_.log_file, O_CREAT);
        if (!opened.ok()) return fail(describe_failure(*options_.log_file, opened.error()));
        log_file_ = std::move(opened).take();
        file = log_file_.number();
    }
    auto journal = http::Journal::make(file, http::lost_line(options_.log.format));
    if (!journal.ok()) return fail("cannot start: " + describe(journal.error()));
    journal_ = std::move(journal).take();
    log_.emplace(*journal_, options_.log);
    figures_.emplace(options_.server.threads, &*log_);
    return std::nullopt;
}

/// Makes no file, which might then be another user's than the server's.
int Service::check_log() const {
    if (!options_.log_file) return exit_code::success;
    const std::string& path = *options_.log_file;
    const auto opened = open_log_file(path, 0);
    if (opened.ok()) return exit_code::success;
    Error error = opened.error();
    if (error.detail == ENOENT) {
        const auto folder = std::filesystem::path{path}.parent_path();
        const char* const name = folder.empty() ? "." : folder.c_str();
        if (::faccessat(AT_FDCWD, name, W_OK | X_OK, AT_EACCESS) == 0) return exit_code::success;
        error.detail = static_cast<u16>(errno);
    }
    return fail(describe_failure(path, error));
}

/// The file may have been moved away, as rotation does it.
void Service::reopen_log() {
    if (!options_.log_file) return;
    const auto opened = open_log_file(*options_.log_file, O_CREAT);
    // In place of the number that the journal's thread may be writing to just now.
    if (!opened.ok() || ::dup3(opened.value().number(), log_file_.number(), O_CLOEXEC) < 0)
        log_->notice("the log file could not be opened again: this one is still written");
}

std::optional<int> Service::listen(std::shared_ptr<const http::Router> router) {
    http::ServerOptions how = options_.server;
    how.observer = &*figures_;
    const std::vector<int> sockets = http::take_listening_sockets();
    if (!sockets.empty() && !options_.has_address) how.endpoints.clear();
    for (const int socket : sockets) {
        http::Endpoint endpoint;
        endpoint.descriptor = socket;
        how.endpoints.push_back(endpoint);
    }
    const std::vector<http::Endpoint> endpoints = how.endpoints;
    auto server = http::Server::make(std::move(how), std::move(router), pool_.get());
    if (!server.ok()) {
        std::string where;
        for (const http::Endpoint& endpoint : endpoints)
            where += (where.empty() ? "" : ", ") + name_of(endpoint, endpoint.port);
        return fail("cannot listen at " + where + ": " + describe(server.error()) +
                    " (--addr names another address)");
    }
    server_ = std::move(server).take();
    for (std::size_t i = 0; i < endpoints.size(); ++i)
        facts_.addresses.push_back(name_of(endpoints[i], server_->port(i)));
    return std::nullopt;
}

std::optional<int> Service::listen_admin() {
    if (!options_.admin) return std::nullopt;
    http::ServerOptions how;
    how.endpoints = {*options_.admin};
    how.connections_max = 100;
    how.in_flight_max = 16;
    auto server = http::Server::make(how, http::make_admin_router(*sources_, facts_));
    if (!server.ok())
        return fail("cannot listen at " + name_of(*options_.admin, options_.admin->port) + ": " +
                    describe(server.error()) + " (--admin-addr names another address)");
    admin_ = std::move(server).take();
    announce("the admin page is at " + name_of(*options_.admin, admin_->port()) + "/");
    return std::nullopt;
}

void Service::reload() {
    // The time tells the manager that this is the reload which it has asked for.
    const Listening listening{[this](std::string_view text) { log_->notice(text); }};
    http::notify_service_manager(
        "RELOADING=1\nMONOTONIC_USEC=" + std::to_string(os::monotonic_ns() / 1000));
    auto application = make_application(*engine_, options_);
    if (application) {
        server_->set_router(application->router);
        if (watched_) watched_->set(application->files);
        facts_.reloads.fetch_add(1);
        log_->notice("loaded again");
    } else {
        facts_.failed_reloads.fetch_add(1);
        log_->notice("not loaded again: what was served before still is");
    }
    http::notify_service_manager("READY=1");
}

void Service::serve_until_told() {
    constexpr u64 long_ns = u64{3600} * 1'000'000'000;
    for (;;) {
        const int signal = signals_.wait(watched_ ? watch_interval_ns : long_ns);
        if (signal == SIGTERM || signal == SIGINT) return;
        if (signal == SIGHUP) reopen_log();
        if (signal == SIGHUP || (watched_ && watched_->have_changed())) reload();
    }
}

/// Until all has been answered, the time is over, or somebody asks again.
void Service::drain() {
    http::notify_service_manager("STOPPING=1");
    facts_.is_ready.store(false);
    const u64 end_ns = os::monotonic_ns() + options_.drain_ns;
    server_->drain(end_ns);
    constexpr u64 step_ns = u64{20'000'000};
    const auto is_busy = [&] {
        u64 busy = 0;
        for (std::size_t i = 0; i < server_->threads(); ++i)
            busy += server_->counters(i).connections.get();
        return busy != 0;
    };
    while (is_busy() && os::monotonic_ns() < end_ns + step_ns) {
        if (signals_.wait(step_ns) != 0) break;
    }
    server_->drain(1);
    server_->join();
}

int Service::run() {
    if (const auto failed = make_engine()) return *failed;
    auto application = make_application(*engine_, options_);
    if (!application) return exit_code::failure;
    if (options_.check_config) return check_log();
    if (const auto failed = open_log()) return *failed;
    facts_.name = application->name;
    if (options_.watch) watched_.emplace(application->files);
    if (const auto failed = listen(std::move(application->router))) return *failed;
    sources_.emplace(http::Sources{*server_, *figures_, pool_.get(), os::monotonic_ns()});
    if (const auto failed = listen_admin()) return *failed;
    for (const std::string& address : facts_.addresses)
        announce("serving " + printable(facts_.name) + " at " + printable(address, 500));
    http::notify_service_manager("READY=1");
    serve_until_told();
    drain();
    admin_.reset();
    server_.reset();
    return exit_code::success;
}

}  // namespace

int serve(const ServeOptions& options) {
    if (std::signal(SIGPIPE, SIG_IGN) == SIG_ERR) say(Level::warn, "cannot ignore SIGPIPE");
    return Service{options}.run();
}

}  // namespace wrun::cli
