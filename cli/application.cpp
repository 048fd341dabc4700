// See application.hpp.
#include "cli/application.hpp"

#include <filesystem>
#include <map>

#include "base/errors.hpp"
#include "cli/load.hpp"
#include "cli/message.hpp"
#include "cli/module_loader.hpp"
#include "http/abi.hpp"
#include "http/fixed_answer.hpp"
#include "http/spin/files.hpp"
#include "http/spin/manifest.hpp"
#include "http/table_router.hpp"
#include "http/upstream.hpp"

namespace wrun::cli {
namespace {

namespace spin = http::spin;

constexpr u64 manifest_bytes_max = u64{4} << 20;

/// One module, compiled or found, and kept while anything of it runs.
struct Loaded {
    RunOptions options;
    Stopwatch watch;
    Phases phases;
    ModuleLoader loader{options, watch, phases};

    explicit Loaded(RunOptions how) : options{std::move(how)} {}
};

/// All that lives as long as the router.
struct Parts {
    std::vector<std::unique_ptr<Loaded>> modules;
    std::vector<spin::MountedFiles> mounts;
    http::TableRouter router;
};

[[nodiscard]] bool refuse(std::string_view text) {
    say(Level::error, text);
    return false;
}

[[nodiscard]] http::HandlerOptions handler_options(const ServeOptions& options) {
    http::HandlerOptions result;
    result.env = options.run.variables;
    result.preopens = options.run.directories;
    result.memory_bytes_max = options.run.memory_bytes_max.value_or(result.memory_bytes_max);
    result.table_elements_max = options.run.table_elements_max.value_or(result.table_elements_max);
    result.stack_bytes = options.run.stack_bytes.value_or(result.stack_bytes);
    result.allow_tainted = options.run.allow_tainted;
    result.reuse = options.reuse;
    result.config = options.config;
    return result;
}

class Builder {
public:
    Builder(engine::Engine& engine, const ServeOptions& options) noexcept
        : engine_{engine}, options_{options} {}

    [[nodiscard]] std::optional<Application> build() {
        if (!find_upstream()) return std::nullopt;
        const bool is_made = options_.manifest ? serve_manifest() : serve_module();
        if (!is_made) return std::nullopt;
        if (upstream_ && !passes_on_) {
            (void)refuse("--upstream: no handler here passes requests on: http-wasm's can");
            return std::nullopt;
        }
        application_.router = {parts_, &parts_->router};
        return std::move(application_);
    }

private:
    /// A handler in the router; null, and said why, when there is none.
    [[nodiscard]] const http::Handler* add_handler(
        const std::string& path, const http::HandlerOptions& how) {
        RunOptions run = options_.run;
        run.module = path;
        parts_->modules.push_back(std::make_unique<Loaded>(std::move(run)));
        Loaded& loaded = *parts_->modules.back();
        application_.files.push_back(path);
        if (loaded.loader.load(engine_)) return nullptr;
        http::MadeHandler made = http::make_handler(loaded.loader.module(), how);
        if (!made.output.empty())
            say(Level::info, printable(path, 500) + " says: " + printable(made.output, 4096));
        if (made.handler) {
            passes_on_ = passes_on_ || http::find_abi(loaded.loader.module()->decoded())->passes_on;
            return &parts_->router.keep(std::move(made.handler));
        }
        say(Level::error, printable(path, 500) + ": " + made.error);
        return nullptr;
    }

    [[nodiscard]] bool find_upstream() {
        if (options_.upstream.empty()) return true;
        http::Upstream::Made made = http::Upstream::make(options_.upstream);
        upstream_ = std::move(made.handler);
        return upstream_ || refuse("--upstream: " + printable(made.error, 500));
    }

    /// What every handler is given.
    [[nodiscard]] http::HandlerOptions common_options() const {
        http::HandlerOptions result = handler_options(options_);
        result.next = upstream_;
        return result;
    }

    [[nodiscard]] bool serve_module() {
        const std::string& path = options_.run.module;
        application_.name = std::filesystem::path{path}.stem().string();
        const http::Handler* const handler = add_handler(path, common_options());
        return handler != nullptr &&
               parts_->router.add("/...", application_.name, *handler, options_.route_in_flight_max)
                   .ok();
    }

    [[nodiscard]] bool serve_manifest();
    [[nodiscard]] std::optional<http::HandlerOptions> component_options(
        const spin::Component& component, const spin::Variables& variables, spin::Report& report);
    [[nodiscard]] bool add_trigger(
        const spin::Manifest& manifest, const spin::Trigger& trigger, spin::Report& report);

    engine::Engine& engine_;
    const ServeOptions& options_;
    Application application_;
    std::shared_ptr<const http::Handler> upstream_;
    bool passes_on_ = false;  // some handler does, to upstream_
    std::shared_ptr<Parts> parts_ = std::make_shared<Parts>();
    std::filesystem::path folder_;
    std::vector<std::optional<http::HandlerOptions>> component_options_;
    /// By a component's number and arguments: routes share what is the same.
    std::map<std::pair<std::size_t, std::string>, const http::Handler*> handlers_;
};

std::optional<http::HandlerOptions> Builder::component_options(
    const spin::Component& component, const spin::Variables& variables, spin::Report& report) {
    http::HandlerOptions how = common_options();
    how.has_spin_fields = true;
    for (spin::EnvironmentEntry& entry : spin::resolve_environment(component, variables, report))
        how.env.push_back(std::move(entry.text));
    static_cast<void>(spin::resolve_hosts(component, variables, report));
    // Where there is none, as in a container of the program alone, who needs it says so.
    std::error_code no_folder;
    std::string temporary = std::filesystem::temp_directory_path(no_folder).string();
    if (no_folder) temporary = "/tmp";
    parts_->mounts.push_back(
        spin::MountedFiles::make(component, folder_.string(), temporary, report));
    for (const auto& mount : parts_->mounts.back().mounts()) {
        wasi::Preopen preopen;
        preopen.guest_path = mount.guest_path;
        preopen.read_only = true;
        preopen.host_directory = mount.folder.number();
        how.preopens.push_back(std::move(preopen));
    }
    return how;
}

bool Builder::add_trigger(
    const spin::Manifest& manifest, const spin::Trigger& trigger, spin::Report& report) {
    if (!trigger.route) return true;  // nobody comes from outside
    const http::Handler* handler = nullptr;
    std::string component;
    if (trigger.static_response) {
        handler = &parts_->router.keep(
            std::make_unique<http::FixedAnswer>(trigger.static_response->status,
                trigger.static_response->fields, trigger.static_response->body));
    } else {
        const std::size_t number = trigger.component.value();
        const spin::Component& its = manifest.components[number];
        component = its.id;
        const http::Handler*& made = handlers_[{number, trigger.argv}];
        if (made == nullptr) {
            http::HandlerOptions how = component_options_[number].value();
            how.argv = trigger.argv;
            made = add_handler((folder_ / its.source).string(), how);
        }
        handler = made;
        if (handler == nullptr) return false;
    }
    const auto added =
        parts_->router.add(*trigger.route, component, *handler, options_.route_in_flight_max);
    if (added.duplicate_of) {
        report.error(trigger.route_place,
            "route " + spin::in_quotes(*trigger.route) + " meets the same paths as one before");
    } else if (!added.ok()) {
        report.error(trigger.route_place, added.why);
    }
    return added.ok();
}

bool Builder::serve_manifest() {
    const std::string& path = *options_.manifest;
    folder_ = std::filesystem::path{path}.parent_path();
    if (folder_.empty()) folder_ = ".";
    application_.files.push_back(path);
    std::string text;
    const Result<os::File> file = os::File::open_for_reading(path);
    const Result<os::FileStatus> status =
        file.ok() ? os::status_of(file.value().number()) : Result<os::FileStatus>{file.error()};
    if (!status.ok()) return refuse(describe_failure(path, status.error()));
    if (status.value().bytes > manifest_bytes_max)
        return refuse(printable(path, 500) + ": too large for a spin.toml");
    text.resize(status.value().bytes);
    const std::span<u8> bytes{reinterpret_cast<u8*>(text.data()), text.size()};
    if (const auto read = os::read_at(file.value().number(), 0, bytes); !read.ok())
        return refuse(describe_failure(path, read.error()));

    spin::Report report;
    const spin::Manifest manifest = spin::read_manifest(text, report);
    spin::Variables variables{
        manifest.variables, [](const char* name) { return std::getenv(name); }};
    for (const std::string& word : options_.manifest_variables) {
        std::string why;
        if (!variables.set(word, why)) return refuse("--variable: " + why);
    }
    if (!report.has_errors()) {
        variables.require_all(report);
        for (const spin::Component& component : manifest.components)
            component_options_.push_back(component_options(component, variables, report));
    }
    application_.name = manifest.name;
    bool is_made = !report.has_errors();
    if (is_made) {
        parts_->router.add_well_known(manifest.name, manifest.version);
        for (const spin::Trigger& trigger : manifest.triggers)
            is_made = add_trigger(manifest, trigger, report) && is_made;
    }
    const std::string said = report.text(path);
    if (!said.empty()) say(report.has_errors() ? Level::error : Level::warn, "\n" + said);
    return is_made;
}

}  // namespace

std::optional<Application> make_application(engine::Engine& engine, const ServeOptions& options) {
    return Builder{engine, options}.build();
}

}  // namespace wrun::cli
