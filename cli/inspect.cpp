// See inspect.hpp.
#include "cli/inspect.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>

#include "base/errors.hpp"
#include "base/json.hpp"
#include "cli/artifacts.hpp"
#include "cli/exit_code.hpp"
#include "cli/grants.hpp"
#include "cli/load.hpp"
#include "cli/message.hpp"
#include "cli/report.hpp"
#include "decoder/decode.hpp"
#include "decoder/reader.hpp"
#include "engine/engine.hpp"
#include "engine/type_match.hpp"

namespace wrun::cli {
namespace {

FeatureSet all_features() {
    FeatureSet set;
#define WRUN_FEATURE(name, text, state) set.set(Feature::name);
#include "base/features.def"
#undef WRUN_FEATURE
    return set;
}

constexpr Feature features[] = {
#define WRUN_FEATURE(name, text, state) Feature::name,
#include "base/features.def"
#undef WRUN_FEATURE
};

/// What a module needs beyond the first version of WebAssembly, found by adding what validation
/// asks for until it asks no more.
struct Needs {
    std::vector<Feature> needed;
    std::string problem;  // why the module cannot be run here, if it cannot
};

Result<void> validate_with(FeatureSet set, std::span<const u8> bytes) {
    engine::EngineOptions options;
    options.features = set;
    const std::unique_ptr<engine::Engine> engine = WRUN_TRY(engine::Engine::make(options));
    return engine::Module::validate(*engine, bytes);
}

Needs find_needs(std::span<const u8> bytes) {
    Needs needs;
    FeatureSet set;
    set.set(Feature::mvp);
    for (std::size_t round = 0; round <= std::size(features); ++round) {
        const Result<void> checked = validate_with(set, bytes);
        if (checked.ok()) break;
        const auto asked_for = static_cast<Feature>(checked.error().detail);
        if (checked.error().code != ErrorCode::unsupported_feature || set.has(asked_for)) {
            needs.problem = describe(checked.error());
            break;
        }
        set.set(asked_for);
        needs.needed.push_back(asked_for);
        if (!default_features().has(asked_for)) needs.problem = describe(checked.error());
    }
    std::sort(needs.needed.begin(), needs.needed.end());
    return needs;
}

std::string_view section_name(u8 id) {
    constexpr std::array<std::string_view, 14> names = {"custom", "type", "import", "function",
        "table", "memory", "global", "export", "start", "element", "code", "data", "data count",
        "tag"};
    return id < names.size() ? names[id] : "unknown";
}

/// The sections alone, of a module whose contents we cannot read yet.
Result<Module> outline(std::span<const u8> bytes) {
    constexpr u32 header_bytes = 8;
    Module module;
    module.bytes = bytes;
    Reader reader{bytes, {header_bytes, static_cast<u32>(bytes.size())}, all_features()};
    while (!reader.at_end()) {
        const u8 id = WRUN_TRY(reader.byte());
        const u32 size = WRUN_TRY(reader.leb_u32());
        const ByteRange payload = WRUN_TRY(reader.bytes(size));
        module.sections.push_back({id, payload});
        if (id != 0) continue;
        Reader custom{bytes, payload, all_features()};
        const u32 name_bytes = WRUN_TRY(custom.leb_u32());
        const ByteRange field = WRUN_TRY(custom.bytes(name_bytes));
        module.customs.push_back({field, payload});
    }
    return module;
}

struct Inspection {
    const std::string& path;
    const Module& module;
    Needs needs;
    bool outline_only = false;
    const engine::ArtifactOutline* artifact = nullptr;  // that the module lies in

    /// Custom sections in the order in which they lie, as their names are kept apart from the
    /// others.
    [[nodiscard]] std::string_view custom_name(const SectionInfo& section) const {
        for (const CustomSection& custom : module.customs)
            if (custom.field.begin >= section.bytes.begin && custom.field.end <= section.bytes.end)
                return module.text(custom.field);
        return {};
    }
    [[nodiscard]] std::string export_type(const Export& item) const {
        Import same;
        same.kind = item.kind;
        same.index = item.index;
        return describe_import(module, same);
    }
    [[nodiscard]] FuncIndex largest_function() const {
        const auto largest = std::max_element(module.bodies.begin(), module.bodies.end(),
            [](ByteRange a, ByteRange b) { return a.size() < b.size(); });
        return FuncIndex{
            module.imported_function_count + static_cast<u32>(largest - module.bodies.begin())};
    }
};

// ---- for people ------------------------------------------------------------------------------

std::string padded(std::string text, std::size_t width) {
    text.resize(std::max(text.size(), width), ' ');
    return text + ' ';
}

std::string list_sections(const Inspection& inspection) {
    std::string text = "sections\n";
    for (const SectionInfo& section : inspection.module.sections) {
        const std::string_view custom = inspection.custom_name(section);
        text += "  " + padded(std::string{section_name(section.id)}, 11) +
                padded(describe_bytes(section.bytes.size()), 10) +
                (custom.empty() ? "" : '"' + printable(custom) + '"') + '\n';
    }
    return text;
}

std::string list_imports(const Inspection& inspection) {
    const Module& module = inspection.module;
    std::string text = "imports " + std::to_string(module.imports.size()) + '\n';
    for (const Import& import : module.imports)
        text += "  " + printable(module.text(import.module)) + '.' +
                printable(module.text(import.field)) + ' ' + describe_import(module, import) + '\n';
    return text;
}

std::string list_exports(const Inspection& inspection) {
    std::string text = "exports " + std::to_string(inspection.module.exports.size()) + '\n';
    for (const Export& item : inspection.module.exports)
        text += "  " + printable(inspection.module.text(item.field)) + ' ' +
                inspection.export_type(item) + '\n';
    return text;
}

std::string list_sizes(const Inspection& inspection) {
    const Module& module = inspection.module;
    std::string text = "functions " + std::to_string(module.bodies.size()) + " defined, " +
                       std::to_string(module.imported_function_count) + " imported\n";
    if (!module.bodies.empty()) {
        const FuncIndex largest = inspection.largest_function();
        text += "  largest body " + describe_bytes(module.body(largest).size()) + ", func " +
                std::to_string(largest.value) + ' ' + printable(module.function_name(largest)) +
                '\n';
    }
    for (const Memory& memory : module.memories)
        text +=
            "memory " + engine::describe(memory.type) + (memory.imported ? " imported\n" : "\n");
    for (const Table& table : module.tables)
        text += "table " + engine::describe(table.type) + (table.imported ? " imported\n" : "\n");
    text += "globals " + std::to_string(module.globals.size()) + ", data segments " +
            std::to_string(module.data.size()) + ", element segments " +
            std::to_string(module.elems.size()) + ", function names " +
            std::to_string(module.function_names.size()) + '\n';
    return text;
}

std::string list_features(const Inspection& inspection) {
    std::string text = "features needed:";
    for (const Feature feature : inspection.needs.needed) {
        text += ' ';
        text += name(feature);
    }
    if (inspection.needs.needed.empty()) text += " none beyond the first version";
    text += '\n';
    if (!inspection.needs.problem.empty())
        text += "cannot be run here: " + inspection.needs.problem + '\n';
    return text;
}

/// The export that ran last before the snapshot was taken.
std::string_view init_of(const Module& module, const engine::SnapshotFacts& facts) {
    if (facts.init >= module.exports.size()) return {};
    return module.text(module.exports[facts.init].field);
}

std::string list_artifact(const Inspection& inspection) {
    const engine::ArtifactOutline& artifact = *inspection.artifact;
    std::string text =
        "artifact with " + describe_bytes(artifact.code_bytes) + " of machine code\n";
    if (!artifact.snapshot) return text;
    const std::string_view init = init_of(inspection.module, *artifact.snapshot);
    const wasi::AccessSet learned = learned_kinds(*artifact.snapshot);
    return text + "snapshot: begins after " + (init.empty() ? "its start" : printable(init)) +
           ", with " + describe_bytes(artifact.snapshot_bytes) + " of memory\n" +
           (learned.empty() ? "" : "tainted: init could learn " + list_kinds(learned, ", ") + '\n');
}

std::string as_text(const Inspection& inspection) {
    std::string text = printable(inspection.path, 500) + ": " +
                       describe_bytes(inspection.module.bytes.size()) + '\n' +
                       (inspection.artifact == nullptr ? "" : list_artifact(inspection)) +
                       list_sections(inspection);
    if (!inspection.outline_only)
        text += list_imports(inspection) + list_exports(inspection) + list_sizes(inspection);
    return text + list_features(inspection);
}

// ---- for programs ------------------------------------------------------------------------------

void write_sections(JsonWriter& json, const Inspection& inspection) {
    json.key("sections").open('[');
    for (const SectionInfo& section : inspection.module.sections) {
        json.open('{').key("id").value(section.id).key("name").value(section_name(section.id));
        if (section.id == 0) json.key("custom").value(inspection.custom_name(section));
        json.key("offset").value(section.bytes.begin).key("bytes").value(section.bytes.size());
        json.close('}');
    }
    json.close(']');
}

void write_externs(JsonWriter& json, const Inspection& inspection) {
    const Module& module = inspection.module;
    json.key("imports").open('[');
    for (const Import& import : module.imports)
        json.open('{')
            .key("module")
            .value(module.text(import.module))
            .key("name")
            .value(module.text(import.field))
            .key("kind")
            .value(name(import.kind))
            .key("type")
            .value(describe_import(module, import))
            .close('}');
    json.close(']').key("exports").open('[');
    for (const Export& item : module.exports)
        json.open('{')
            .key("name")
            .value(module.text(item.field))
            .key("kind")
            .value(name(item.kind))
            .key("type")
            .value(inspection.export_type(item))
            .close('}');
    json.close(']');
}

void write_sizes(JsonWriter& json, const Inspection& inspection) {
    const Module& module = inspection.module;
    json.key("functions").value(module.bodies.size());
    json.key("imported_functions").value(module.imported_function_count);
    json.key("code_bytes").value(module.code_end - module.code_begin);
    if (!module.bodies.empty())
        json.key("largest_body_bytes").value(module.body(inspection.largest_function()).size());
    json.key("memories").open('[');
    for (const Memory& memory : module.memories) {
        json.open('{').key("min_pages").value(memory.type.limits.min);
        if (memory.type.limits.max) json.key("max_pages").value(*memory.type.limits.max);
        json.key("imported").value(memory.imported).close('}');
    }
    json.close(']').key("tables").open('[');
    for (const Table& table : module.tables) {
        json.open('{').key("element").value(name(table.type.element));
        json.key("min").value(table.type.limits.min);
        if (table.type.limits.max) json.key("max").value(*table.type.limits.max);
        json.key("imported").value(table.imported).close('}');
    }
    json.close(']');
    json.key("globals").value(module.globals.size());
    json.key("data_segments").value(module.data.size());
    json.key("element_segments").value(module.elems.size());
    json.key("function_names").value(module.function_names.size());
}

void write_outline(JsonWriter& json, const Inspection& inspection) {
    const engine::ArtifactOutline& artifact = *inspection.artifact;
    json.key("artifact").open('{').key("code_bytes").value(artifact.code_bytes);
    if (artifact.snapshot) {
        json.key("snapshot").open('{');
        json.key("init").value(init_of(inspection.module, *artifact.snapshot));
        json.key("bytes").value(artifact.snapshot_bytes).key("tainted").open('[');
        const wasi::AccessSet learned = learned_kinds(*artifact.snapshot);
        for (const wasi::Access kind : wasi::access_kinds)
            if (learned.has(kind)) json.value(wasi::name(kind));
        json.close(']').close('}');
    }
    json.close('}');
}

std::string as_json(const Inspection& inspection) {
    JsonWriter json;
    json.open('{').key("file").value(inspection.path);
    json.key("bytes").value(inspection.module.bytes.size());
    if (inspection.artifact != nullptr) write_outline(json, inspection);
    write_sections(json, inspection);
    if (!inspection.outline_only) {
        write_externs(json, inspection);
        write_sizes(json, inspection);
    }
    json.key("features").open('[');
    for (const Feature feature : inspection.needs.needed)
        json.value(name(feature));
    json.close(']').key("runnable").value(inspection.needs.problem.empty());
    if (!inspection.needs.problem.empty()) json.key("problem").value(inspection.needs.problem);
    json.close('}');
    return json.text() + '\n';
}

}  // namespace

int inspect(const InspectOptions& options) {
    std::string why;
    std::optional<engine::ArtifactOutline> artifact;
    Result<os::File> file =
        options.module == "-" ? os::File{} : os::File::open_for_reading(options.module);
    if (!file.ok()) return fail(describe_failure(options.module, file.error()));
    if (holds_artifact(file.value())) {
        auto outline = engine::outline_artifact(std::move(file).take());
        if (!outline.ok()) return fail(describe_artifact_failure(options.module, outline.error()));
        artifact = std::move(outline).take();
    }
    const std::optional<std::vector<u8>> bytes =
        artifact ? std::move(artifact->wasm)
                 : load(options.module, file.value() ? file.value().number() : STDIN_FILENO, why);
    if (!bytes) return fail(why);
    Result<Module> module = decode(*bytes, all_features());
    const bool unsupported =
        !module.ok() && error_class(module.error().code) == ErrorClass::unsupported;
    if (unsupported && module.error().code == ErrorCode::unsupported_feature)
        module = outline(*bytes);
    if (!module.ok()) return fail(describe_failure(options.module, module.error()));
    const Inspection inspection{options.module, module.value(), find_needs(*bytes), unsupported,
        artifact ? &*artifact : nullptr};
    const std::string text = options.json ? as_json(inspection) : as_text(inspection);
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
        return fail(std::string{"cannot write: "} + std::strerror(errno));
    return exit_code::success;
}

}  // namespace wrun::cli
