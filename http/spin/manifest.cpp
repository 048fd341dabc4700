// See manifest.hpp.
#include "http/spin/manifest.hpp"

#include <algorithm>

#include "http/routes.hpp"
#include "http/spin/fields.hpp"

namespace wrun::http::spin {
namespace {

using Kind = TomlValue::Kind;

/// What is wrong with a component's id: words of letters and digits with "-" between them, each all
/// small or all capital letters.
[[nodiscard]] std::string_view check_id(std::string_view id) noexcept {
    const auto is_small = [](char c) { return c >= 'a' && c <= 'z'; };
    const auto is_capital = [](char c) { return c >= 'A' && c <= 'Z'; };
    if (id.find('_') != std::string_view::npos) return "words of an id are separated by \"-\"";
    char first = '-';
    for (const char c : id) {
        const bool begins = first == '-';
        if (c == '-' && begins) return "an id has an empty word";
        if (begins && !is_small(c) && !is_capital(c)) return "words of an id begin with a letter";
        if (begins || c == '-') {
            first = c;
            continue;
        }
        if (!is_small(c) && !is_capital(c) && !(c >= '0' && c <= '9'))
            return "an id has letters, digits and \"-\" only";
        if ((is_small(c) && is_capital(first)) || (is_capital(c) && is_small(first)))
            return "a word of an id is all small or all capital letters";
    }
    if (first == '-') return id.empty() ? "an id is empty" : "an id has an empty word";
    return {};
}

[[nodiscard]] bool is_token(std::string_view text) noexcept {
    return !text.empty() && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               (c != '\0' && std::string_view{"!#$%&'*+-.^_`|~"}.find(c) != std::string_view::npos);
    });
}

[[nodiscard]] bool is_field_value(std::string_view text) noexcept {
    return std::ranges::none_of(
        text, [](char c) { return (static_cast<u8>(c) < 0x20 && c != '\t') || c == 0x7f; });
}

[[nodiscard]] bool is_framing_field(std::string_view name) noexcept {
    constexpr std::string_view names[] = {"content-length", "transfer-encoding", "connection",
        "keep-alive", "upgrade", "trailer", "te", "proxy-connection"};
    return std::ranges::any_of(
        names, [name](std::string_view other) { return is_same_name(name, other); });
}

class Reader {
public:
    explicit Reader(Report& report) noexcept : report_{report} {}

    [[nodiscard]] Manifest read(const TomlValue& root) {
        if (!check_version(root)) return {};
        Fields fields{root, FieldTable::root, "", report_};
        if (const TomlValue* application = fields.require("application"))
            read_application(*application);
        if (const TomlValue* variables = fields.find("variables")) read_variables(*variables);
        if (const TomlValue* components = fields.find("component"))
            for (const TomlEntry& entry : components->entries)
                read_component(entry.name, entry.place, entry.value);
        if (const TomlValue* triggers = fields.require("trigger")) read_triggers(*triggers);
        check_routes();
        check_unused();
        return std::move(manifest_);
    }

private:
    /// Of version 1 nothing else is looked at: nearly everything would be wrong.
    [[nodiscard]] bool check_version(const TomlValue& root) {
        constexpr std::string_view name = "spin_manifest_version";
        const TomlValue* const version = root.find(name);
        if (version != nullptr && version->is(Kind::integer) && version->integer == 2) return true;
        const bool is_first =
            version != nullptr && ((version->is(Kind::integer) && version->integer == 1) ||
                                      (version->is(Kind::string) && version->text == "1"));
        const bool looks_like_first = version == nullptr && root.find("spin_version") != nullptr;
        if (is_first || looks_like_first)
            report_.error(version != nullptr ? version->place : Place{},
                "a manifest of version 1: only version 2 is read (`spin doctor` rewrites it)");
        else if (version != nullptr)
            report_.error(version->place, "spin_manifest_version: expected the number 2");
        else
            report_.error({}, "spin_manifest_version = 2 is missing");
        return false;
    }

    void read_application(const TomlValue& table) {
        Fields fields{table, FieldTable::application, "application", report_};
        (void)fields.require("name");
        manifest_.name = fields.text("name");
        manifest_.version = fields.text("version");
        manifest_.description = fields.text("description");
        read_targets(fields);
    }

    void read_variables(const TomlValue& table) {
        for (const TomlEntry& entry : table.entries) {
            const Fields fields{
                entry.value, FieldTable::variable, "variables." + entry.name, report_};
            if (const auto wrong = check_variable_name(entry.name); !wrong.empty())
                report_.error(entry.place, "variables." + entry.name + ": " + std::string{wrong});
            VariableDeclaration declaration{entry.name, entry.place, {}, false};
            if (const TomlValue* value = fields.find("default"))
                declaration.default_value = value->text;
            if (const TomlValue* secret = fields.find("secret"))
                declaration.is_secret = secret->boolean;
            manifest_.variables.push_back(std::move(declaration));
        }
    }

    /// Its number.
    std::size_t read_component(std::string_view id, Place place, const TomlValue& table) {
        Component component;
        component.id = id;
        component.place = place;
        Fields fields{table, FieldTable::component, "component." + component.id, report_};
        if (const auto wrong = check_id(id); !wrong.empty())
            report_.error(place, "component " + in_quotes(id) + ": " + std::string{wrong});
        if (const TomlValue* source = fields.require("source"))
            read_source(fields, *source, component);
        component.description = fields.text("description");
        read_environment(fields, component);
        if (const TomlValue* variables = fields.find("variables")) {
            for (const TomlEntry& entry : variables->entries) {
                const std::string where = fields.where("variables." + entry.name);
                if (const auto wrong = check_variable_name(entry.name); !wrong.empty())
                    report_.error(entry.place, where + ": " + std::string{wrong});
                add_template(component.variables, entry.name, where, entry.value);
            }
        }
        if (const TomlValue* files = fields.find("files")) {
            for (const TomlValue& entry : files->items)
                read_file(fields.where("files"), entry, component);
        }
        if (const TomlValue* excluded = fields.find("exclude_files"))
            for (const TomlValue& entry : excluded->items)
                component.exclude_files.push_back(entry.text);
        read_hosts(fields, component);
        read_what_is_for_others(fields);
        manifest_.components.push_back(std::move(component));
        return manifest_.components.size() - 1;
    }

    void read_source(const Fields& fields, const TomlValue& source, Component& component) {
        component.source_place = source.place;
        if (source.is(Kind::table)) {
            const Fields inner{source, FieldTable::source, fields.where("source"), report_};
            if (inner.find("url") == nullptr && inner.find("package") == nullptr)
                report_.error(source.place, fields.where("source") +
                                                ": neither a path nor { url, digest } nor "
                                                "{ registry, package, version }");
            return;
        }
        if (source.text.empty() || source.text.find('\0') != std::string::npos)
            report_.error(source.place, fields.where("source") + ": not the path of a file");
        component.source = source.text;
    }

    void read_environment(const Fields& fields, Component& component) {
        const TomlValue* const environment = fields.find("environment");
        if (environment == nullptr) return;
        for (const TomlEntry& entry : environment->entries) {
            const std::string where = fields.where("environment." + entry.name);
            if (entry.name.empty() || entry.name.find('=') != std::string::npos ||
                entry.name.find('\0') != std::string::npos)
                report_.error(entry.place, where + ": no name of a variable of the environment");
            if (entry.value.text.find('\0') != std::string::npos)
                report_.error(entry.value.place, where + ": a NUL in its value");
            add_template(component.environment, entry.name, where, entry.value);
        }
    }

    void read_file(const std::string& where, const TomlValue& entry, Component& component) {
        FileEntry file{entry.text, {}, entry.place};
        if (entry.is(Kind::table)) {
            Fields fields{entry, FieldTable::file, where, report_};
            const TomlValue* const source = fields.require("source");
            const TomlValue* const destination = fields.require("destination");
            if (source == nullptr || destination == nullptr) return;
            file.source = source->text;
            file.destination = destination->text;
        }
        if (file.source.empty()) report_.error(entry.place, where + ": an empty pattern or source");
        if (file.source.find('\0') != std::string::npos ||
            (file.destination && file.destination->find('\0') != std::string::npos))
            report_.error(entry.place, where + ": a NUL in a path");
        component.files.push_back(std::move(file));
    }

    void read_hosts(const Fields& fields, Component& component) {
        const TomlValue* const hosts = fields.find("allowed_outbound_hosts");
        if (hosts == nullptr) return;
        const std::string where = fields.where("allowed_outbound_hosts");
        for (const TomlValue& entry : hosts->items) {
            add_template(component.allowed_outbound_hosts, "", where, entry);
            std::string why;
            const auto parsed = Template::parse(entry.text, why);
            if (parsed && parsed->is_literal() && !parse_allowed_host(entry.text, why))
                report_.error(entry.place, where + ": " + in_quotes(entry.text) + " " + why);
        }
    }

    /// Other tools read these, but what they could not read is an error here too.
    void read_what_is_for_others(const Fields& fields) {
        read_targets(fields);
        if (const TomlValue* build = fields.find("build"))
            (void)Fields{*build, FieldTable::build, fields.where("build"), report_}.require(
                "command");
        read_dependencies(fields);
        if (const TomlValue* profiles = fields.find("profile")) {
            for (const TomlEntry& entry : profiles->entries) {
                const Fields profile{entry.value, FieldTable::profile,
                    fields.where("profile." + entry.name), report_};
                read_dependencies(profile);
                if (const TomlValue* build = profile.find("build"))
                    (void)Fields{
                        *build, FieldTable::profile_build, profile.where("build"), report_};
            }
        }
    }

    void read_targets(const Fields& fields) {
        if (const TomlValue* targets = fields.find("targets"))
            for (const TomlValue& item : targets->items)
                if (item.is(Kind::table))
                    (void)Fields{item, FieldTable::target, fields.where("targets"), report_};
    }

    void read_dependencies(const Fields& fields) {
        const TomlValue* const dependencies = fields.find("dependencies");
        if (dependencies == nullptr) return;
        for (const TomlEntry& entry : dependencies->entries) {
            const std::string where = fields.where("dependencies");
            if (entry.value.is(Kind::table))
                (void)Fields{entry.value, FieldTable::dependency, where, report_};
            else if (!entry.value.is(Kind::string))
                report_.error(entry.value.place, where + ": expected a string or a table, found " +
                                                     std::string{name_of(entry.value.kind)});
        }
    }

    void add_template(std::vector<NamedTemplate>& to, const std::string& name,
        const std::string& where, const TomlValue& value) {
        std::string why;
        auto parsed = Template::parse(value.text, why);
        if (!parsed) {
            report_.error(value.place, where + ": " + why);
            return;
        }
        std::vector<std::string_view> known;
        for (const VariableDeclaration& declaration : manifest_.variables)
            known.push_back(declaration.name);
        for (const Template::Part& part : parsed->parts())
            if (part.is_name && std::ranges::find(known, part.text) == known.end())
                report_.error(value.place, where + ": [variables] declares no " +
                                               in_quotes(part.text) + suggestion(part.text, known));
        to.push_back({name, std::move(*parsed), value.place});
    }

    void read_triggers(const TomlValue& types) {
        constexpr std::string_view known[] = {"http"};
        for (const TomlEntry& type : types.entries) {
            const bool is_array =
                type.value.is(Kind::array) &&
                std::ranges::all_of(type.value.items,
                    [](const TomlValue& trigger) { return trigger.is(Kind::table); });
            if (!is_array) {
                report_.error(type.place, "trigger." + type.name +
                                              ": expected an array of tables, [[trigger." +
                                              type.name + "]]");
            } else if (type.name == "http") {
                for (const TomlValue& trigger : type.value.items)
                    read_trigger(trigger);
            } else {
                report_.warn(type.place, "triggers of the type " + in_quotes(type.name) +
                                             " are not served" + suggestion(type.name, known));
            }
        }
        if (manifest_.triggers.empty() && !report_.has_errors())
            report_.error(types.place, "no [[trigger.http]]: there is nothing to serve");
    }

    void read_trigger(const TomlValue& table) {
        Trigger trigger;
        trigger.place = table.place;
        Fields fields{table, FieldTable::http_trigger, "trigger.http", report_};
        trigger.id = fields.text("id");
        if (trigger.id.empty())
            trigger.id = "http-trigger" + std::to_string(manifest_.triggers.size() + 1);
        if (const TomlValue* route = fields.require("route")) read_route(*route, trigger);
        const TomlValue* const component = fields.find("component");
        const TomlValue* const answer = fields.find("static_response");
        // Which of the two is of a wrong type has been told.
        if ((table.find("component") == nullptr) == (table.find("static_response") == nullptr) &&
            table.find("components") == nullptr)
            report_.error(table.place, component == nullptr
                                           ? "trigger.http: component or static_response is missing"
                                           : "trigger.http: both component and static_response");
        if (component != nullptr) read_component_of(trigger, *component);
        if (answer != nullptr) read_static_response(*answer, trigger);
        if (const TomlValue* executor = fields.find("executor")) {
            read_executor(*executor, trigger);
            if (answer != nullptr)
                report_.error(executor->place, "trigger.http: a static_response has no executor");
        }
        manifest_.triggers.push_back(std::move(trigger));
    }

    void read_route(const TomlValue& route, Trigger& trigger) {
        trigger.route_place = route.place;
        if (route.is(Kind::string)) {
            trigger.route = route.text;
            return;
        }
        if (route.is(Kind::table)) {
            Fields fields{route, FieldTable::route, "trigger.http.route", report_};
            const TomlValue* const is_private = fields.require("private");
            if (is_private == nullptr) return;
            if (is_private->boolean)
                report_.warn(route.place,
                    "trigger.http.route: nothing can reach a private route "
                    "yet: components do not call each other");
            else
                report_.error(
                    is_private->place, "trigger.http.route: a pattern or { private = true }");
            return;
        }
        report_.error(route.place,
            "trigger.http.route: expected a pattern or { private = true }, "
            "found " +
                std::string{name_of(route.kind)});
    }

    void read_component_of(Trigger& trigger, const TomlValue& component) {
        if (component.is(Kind::table)) {
            std::string id = trigger.id + "-component";
            for (u32 number = 1; find_component(id) || !check_id(id).empty(); ++number)
                id = "inline-component" + std::to_string(number);
            trigger.component = read_component(id, component.place, component);
            return;
        }
        trigger.component = find_component(component.text);
        if (trigger.component) return;
        std::vector<std::string_view> known;
        for (const Component& other : manifest_.components)
            known.push_back(other.id);
        report_.error(component.place, "there is no component " + in_quotes(component.text) +
                                           suggestion(component.text, known));
    }

    [[nodiscard]] std::optional<std::size_t> find_component(std::string_view id) const {
        const auto found = std::ranges::find(manifest_.components, id, &Component::id);
        if (found == manifest_.components.end()) return {};
        return static_cast<std::size_t>(found - manifest_.components.begin());
    }

    void read_static_response(const TomlValue& table, Trigger& trigger) {
        const Fields fields{
            table, FieldTable::static_response, "trigger.http.static_response", report_};
        StaticAnswer answer;
        if (const TomlValue* status = fields.find("status_code")) {
            if (status->integer < 200 || status->integer > 599)
                report_.error(status->place, fields.where("status_code") + ": from 200 to 599");
            else
                answer.status = static_cast<u32>(status->integer);
        }
        answer.body = fields.text("body");
        if ((answer.status == 204 || answer.status == 205 || answer.status == 304) &&
            !answer.body.empty())
            report_.error(table.place, fields.where("body") + ": a status " +
                                           std::to_string(answer.status) + " has no body");
        if (const TomlValue* headers = fields.find("headers")) {
            for (const TomlEntry& entry : headers->entries) {
                if (!is_token(entry.name))
                    report_.error(entry.place,
                        fields.where("headers") + ": no name of a field: " + in_quotes(entry.name));
                else if (is_framing_field(entry.name))
                    report_.error(entry.place,
                        fields.where("headers") + ": " + entry.name + " is the server's to send");
                if (!is_field_value(entry.value.text))
                    report_.error(entry.value.place,
                        fields.where("headers") + ": a control character in a value");
                answer.fields.emplace_back(entry.name, entry.value.text);
            }
        }
        trigger.static_response = std::move(answer);
    }

    void read_executor(const TomlValue& table, Trigger& trigger) {
        constexpr std::string_view known[] = {"http", "wagi"};
        Fields fields{table, FieldTable::executor, "trigger.http.executor", report_};
        const TomlValue* const type = fields.require("type");
        if (type == nullptr) return;
        const TomlValue* const argv = fields.find("argv");
        const TomlValue* const entrypoint = fields.find("entrypoint");
        if (type->text == "wagi") {
            trigger.executor = Trigger::Executor::wagi;
            if (argv != nullptr) trigger.argv = argv->text;
            if (trigger.argv.find('\0') != std::string::npos)
                report_.error(argv->place, fields.where("argv") + ": a NUL in it");
            if (entrypoint != nullptr && entrypoint->text != "_start")
                report_.error(entrypoint->place,
                    fields.where("entrypoint") + ": modules begin at \"_start\"");
        } else if (type->text == "http" || type->text == "spin") {
            trigger.executor = Trigger::Executor::http;
            for (const TomlValue* const other : {argv, entrypoint})
                if (other != nullptr)
                    report_.error(other->place,
                        "trigger.http.executor: argv and entrypoint are those of the type wagi");
        } else {
            report_.error(type->place, fields.where("type") + ": neither \"http\" nor \"wagi\"" +
                                           suggestion(type->text, known));
        }
    }

    void check_routes() {
        RouteTable table;
        std::vector<const Trigger*> added;
        for (const Trigger& trigger : manifest_.triggers) {
            if (!trigger.route) continue;
            const std::string where = "route " + in_quotes(*trigger.route) + ": ";
            const RouteTable::Added result = table.add(*trigger.route, trigger.id);
            if (!result.why.empty()) report_.error(trigger.route_place, where + result.why);
            if (result.duplicate_of) {
                const Trigger& other = *added[*result.duplicate_of];
                report_.error(trigger.route_place, where + "it meets the same paths as " +
                                                       in_quotes(*other.route) + " of line " +
                                                       std::to_string(other.route_place.line));
            }
            if (result.ok()) added.push_back(&trigger);
            constexpr std::string_view reserved[] = {".well-known", "spin"};
            if (is_below(*trigger.route, reserved))
                report_.error(trigger.route_place, where + "/.well-known/spin/ is the server's");
        }
    }

    void check_unused() {
        for (std::size_t number = 0; number < manifest_.components.size(); ++number) {
            const Component& component = manifest_.components[number];
            if (std::ranges::none_of(manifest_.triggers,
                    [number](const Trigger& trigger) { return trigger.component == number; }))
                report_.warn(component.place,
                    "component " + in_quotes(component.id) + " has no [[trigger.http]]");
        }
    }

    Report& report_;
    Manifest manifest_;
};

}  // namespace

Manifest read_manifest(std::string_view text, Report& report) {
    const auto root = parse_toml(text, report);
    if (!root) return {};
    return Reader{report}.read(*root);
}

std::vector<AllowedHost> resolve_hosts(
    const Component& component, const Variables& variables, Report& report) {
    std::vector<AllowedHost> hosts;
    for (const NamedTemplate& entry : component.allowed_outbound_hosts) {
        const auto value = variables.resolve(entry.value);
        if (!value) continue;  // told as a variable without a value
        const bool is_nothing =
            value->text.empty() || value->text == "http://" || value->text == "https://";
        if (is_nothing && !entry.value.is_literal()) continue;
        std::string why;
        auto host = parse_allowed_host(value->text, why);
        if (host)
            hosts.push_back(std::move(*host));
        else
            report.error(entry.place, "component." + component.id + ".allowed_outbound_hosts: " +
                                          in_quotes(entry.value.source()) +
                                          " with the values of its variables " + why);
    }
    return hosts;
}

std::vector<EnvironmentEntry> resolve_environment(
    const Component& component, const Variables& variables, Report& report) {
    std::vector<EnvironmentEntry> entries;
    for (const NamedTemplate& entry : component.environment) {
        const auto value = variables.resolve(entry.value);
        if (!value) continue;
        if (value->text.find('\0') != std::string::npos)
            report.error(entry.place, "component." + component.id + ".environment." + entry.name +
                                          ": a NUL in its value");
        else
            entries.push_back({entry.name + "=" + value->text, value->is_secret});
    }
    return entries;
}

WasmKind wasm_kind(std::span<const u8> bytes) noexcept {
    constexpr std::array<u8, 4> magic = {0, 'a', 's', 'm'};
    if (bytes.size() < 8 || !std::equal(magic.begin(), magic.end(), bytes.begin()))
        return WasmKind::neither;
    // A version, then the layer: 0 for modules, 1 for components.
    return bytes[6] == 1 && bytes[7] == 0 ? WasmKind::component : WasmKind::module;
}

}  // namespace wrun::http::spin
