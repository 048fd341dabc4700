// A spin.toml of version 2, read strictly: what the server acts on, as plain data. All errors of a
// file are told at once, each with its place; a field that Spin knows and this server does not act
// on is named in a warning (fields.def, docs/spin.md).
#pragma once

#include "http/spin/outbound_hosts.hpp"
#include "http/spin/variables.hpp"

namespace wrun::http::spin {

struct NamedTemplate {
    std::string name;
    Template value;
    Place place;
};

/// One entry of `files`: a pattern, or a source with its destination.
struct FileEntry {
    std::string source;
    std::optional<std::string> destination;
    Place place;
};

struct Component {
    std::string id;
    Place place;
    std::string source;  // a path, relative to the manifest's folder
    Place source_place;
    std::string description;
    std::vector<NamedTemplate> environment;
    std::vector<NamedTemplate> variables;
    std::vector<FileEntry> files;
    std::vector<std::string> exclude_files;
    std::vector<NamedTemplate> allowed_outbound_hosts;  // without names
};

struct StaticAnswer {
    u32 status = 200;
    std::vector<std::pair<std::string, std::string>> fields;
    std::string body;
};

struct Trigger {
    enum class Executor : u8 { detect, http, wagi };
    std::string id;
    Place place;
    std::optional<std::string> route;  // none: private
    Place route_place;
    std::optional<std::size_t> component;         // of Manifest::components
    std::optional<StaticAnswer> static_response;  // if there is no component
    Executor executor = Executor::detect;
    std::string argv = "${SCRIPT_NAME} ${ARGS}";  // of wagi
};

struct Manifest {
    std::string name;
    std::string version;
    std::string description;
    std::vector<VariableDeclaration> variables;
    std::vector<Component> components;
    std::vector<Trigger> triggers;  // of http, in the order of the file
};

/// What could be read of it; it may be used when the report has no errors. The components' sources
/// and files are not looked at yet.
[[nodiscard]] Manifest read_manifest(std::string_view text, Report& report);

/// The component's hosts with their variables; an entry that comes out empty is left out, as Spin
/// does it. Texts name the entry as it is written, never what its variables stand for.
[[nodiscard]] std::vector<AllowedHost> resolve_hosts(
    const Component& component, const Variables& variables, Report& report);

/// "NAME=value" for each entry of `environment`, and whether it holds a secret.
struct EnvironmentEntry {
    std::string text;
    bool is_secret = false;
};
[[nodiscard]] std::vector<EnvironmentEntry> resolve_environment(
    const Component& component, const Variables& variables, Report& report);

/// What a file is, by its first eight bytes.
enum class WasmKind : u8 { neither, module, component };
[[nodiscard]] WasmKind wasm_kind(std::span<const u8> bytes) noexcept;

}  // namespace wrun::http::spin
