// The rules of §3.5 about declarations: one function per section, in the order in which they depend
// on each other.
#include <algorithm>
#include <functional>
#include <span>
#include <string_view>

#include "base/limits.hpp"
#include "decoder/immediates.hpp"
#include "validator/const_expr.hpp"
#include "validator/matches.hpp"
#include "validator/validate.hpp"

namespace wrun {
namespace {

class ModuleValidator {
public:
    ModuleValidator(Module& module, FeatureSet features)
        : module_{module}, features_{features}, constants_{module, features} {}

    Result<void> run() {
        WRUN_TRY(types());
        WRUN_TRY(functions());
        WRUN_TRY(tables());
        WRUN_TRY(memories());
        WRUN_TRY(globals());
        WRUN_TRY(table_initialisers());
        WRUN_TRY(exports());
        WRUN_TRY(start());
        WRUN_TRY(elements());
        WRUN_TRY(data());
        find_escaping_functions();
        return {};
    }

private:
    // Numbers of the binary format, for offsets in errors.
    enum class Section : u8 {
        type = 1,
        import = 2,
        function = 3,
        table = 4,
        memory = 5,
        global = 6
    };
    static constexpr u8 start_section = 8;
    static constexpr u8 element_section = 9;
    static constexpr u8 data_section = 11;

    /// Where a section's payload begins: declarations do not keep their own offsets.
    [[nodiscard]] u32 section_offset(u8 id) const noexcept {
        for (const SectionInfo& section : module_.sections) {
            if (section.id == id) return section.bytes.begin;
        }
        return Error::no_offset;
    }
    /// The import that brought item `index` of a kind, or the section that defines the kind.
    [[nodiscard]] u32 item_offset(ExternKind kind, u32 index, Section defined_in) const noexcept {
        for (const Import& import : module_.imports) {
            if (import.kind == kind && import.index == index) return import.module.begin;
        }
        return section_offset(to_underlying(defined_in));
    }
    [[nodiscard]] bool is_known(ValType type) const noexcept {
        return !type.is_ref() || !type.concrete() || type.type_index().value < module_.types.size();
    }

    Result<void> types() const;
    Result<void> functions() const;
    Result<void> tables() const;
    Result<void> memories() const;
    Result<void> globals();
    Result<void> table_initialisers();
    Result<void> exports() const;
    Result<void> export_names() const;
    Result<void> start() const;
    Result<void> elements();
    Result<void> element_items(const ElemSegment& segment, u32 at);
    Result<void> data();
    void find_escaping_functions();

    [[nodiscard]] u32 global_count() const noexcept {
        return static_cast<u32>(module_.globals.size());
    }
    static ValType address_type(const Limits& limits) noexcept {
        return limits.is_64 ? type_i64 : type_i32;
    }

    Module& module_;
    FeatureSet features_;
    ConstExprValidator constants_;
};

Result<void> ModuleValidator::types() const {
    for (const TypeDef& def : module_.types) {
        const u32 group_end = def.group_begin + def.group_size;
        const auto values = std::span{module_.value_types}.subspan(
            def.values_begin, def.param_count + def.result_count);
        for (const ValType type : values) {
            if (type.is_ref() && type.concrete() && type.type_index().value >= group_end) {
                return Error{
                    ErrorCode::unknown_type, 0, section_offset(to_underlying(Section::type))};
            }
        }
    }
    return {};
}

Result<void> ModuleValidator::functions() const {
    for (u32 i = 0; i < module_.functions.size(); ++i) {
        if (module_.functions[i].value < module_.types.size()) continue;
        return Error{
            ErrorCode::unknown_type, 0, item_offset(ExternKind::func, i, Section::function)};
    }
    return {};
}

Result<void> ModuleValidator::tables() const {
    for (u32 i = 0; i < module_.tables.size(); ++i) {
        const Table& table = module_.tables[i];
        const Limits& limits = table.type.limits;
        const auto at = [&] { return item_offset(ExternKind::table, i, Section::table); };
        if (i > 0 && !features_.has(Feature::reference_types)) {
            return unsupported(Feature::reference_types, at());
        }
        if (!is_known(table.type.element)) return Error{ErrorCode::unknown_type, 0, at()};
        if (limits.max && limits.min > *limits.max) {
            return Error{ErrorCode::limits_min_above_max, 0, at()};
        }
        const bool needs_init = !table.imported && !table.type.element.nullable();
        if (needs_init && table.init.size() == 0) {
            return Error{ErrorCode::uninitialized_table, 0, at()};
        }
    }
    return {};
}

Result<void> ModuleValidator::memories() const {
    for (u32 i = 0; i < module_.memories.size(); ++i) {
        const Limits& limits = module_.memories[i].type.limits;
        const auto error = [&](ErrorCode code) {
            return Error{code, 0, item_offset(ExternKind::memory, i, Section::memory)};
        };
        if (i > 0 && !features_.has(Feature::multi_memory)) {
            return error(ErrorCode::multiple_memories);
        }
        const u64 pages_max = limits.is_64 ? u64{1} << 48 : limits::memory32_pages_max;
        if (limits.min > pages_max || limits.max.value_or(0) > pages_max) {
            return error(ErrorCode::memory_too_large);
        }
        if (limits.max && limits.min > *limits.max) return error(ErrorCode::limits_min_above_max);
        if (limits.shared && !limits.max) return error(ErrorCode::shared_without_maximum);
    }
    return {};
}

Result<void> ModuleValidator::globals() {
    for (u32 i = 0; i < module_.globals.size(); ++i) {
        const Global& global = module_.globals[i];
        const auto at = [&] { return item_offset(ExternKind::global, i, Section::global); };
        if (!is_known(global.type.type)) return Error{ErrorCode::unknown_type, 0, at()};
        if (global.imported) {
            if (global.type.is_mutable && !features_.has(Feature::mutable_globals)) {
                return unsupported(Feature::mutable_globals, at());
            }
            continue;
        }
        WRUN_TRY(constants_.validate(global.init, global.type.type, i));
    }
    return {};
}

Result<void> ModuleValidator::table_initialisers() {
    for (const Table& table : module_.tables) {
        if (table.init.size() == 0) continue;
        WRUN_TRY(
            constants_.validate(table.init, table.type.element, module_.imported_global_count));
    }
    return {};
}

Result<void> ModuleValidator::exports() const {
    for (const Export& item : module_.exports) {
        const auto error = [&](ErrorCode code) { return Error{code, 0, item.field.begin}; };
        switch (item.kind) {
            case ExternKind::func:
                if (item.index >= module_.functions.size())
                    return error(ErrorCode::unknown_function);
                break;
            case ExternKind::table:
                if (item.index >= module_.tables.size()) return error(ErrorCode::unknown_table);
                break;
            case ExternKind::memory:
                if (item.index >= module_.memories.size()) return error(ErrorCode::unknown_memory);
                break;
            case ExternKind::global:
                if (item.index >= module_.globals.size()) return error(ErrorCode::unknown_global);
                break;
            case ExternKind::tag: return unsupported(Feature::exceptions, item.field.begin);
        }
    }
    return export_names();
}

/// No two exports have one name. Sorted by hash and then by name: names chosen to collide cost no
/// more than the sort.
Result<void> ModuleValidator::export_names() const {
    struct Entry {
        std::size_t hash;
        std::string_view text;
        u32 offset;
    };
    std::vector<Entry> entries;
    entries.reserve(module_.exports.size());
    for (const Export& item : module_.exports) {
        const std::string_view text = module_.text(item.field);
        entries.push_back({std::hash<std::string_view>{}(text), text, item.field.begin});
    }
    std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
        if (a.hash != b.hash) return a.hash < b.hash;
        if (const int order = a.text.compare(b.text); order != 0) return order < 0;
        return a.offset < b.offset;
    });
    u32 first_double = Error::no_offset;
    for (std::size_t i = 1; i < entries.size(); ++i) {
        if (entries[i].hash != entries[i - 1].hash || entries[i].text != entries[i - 1].text)
            continue;
        first_double = std::min(first_double, entries[i].offset);
    }
    if (first_double == Error::no_offset) return {};
    return Error{ErrorCode::duplicate_export_name, 0, first_double};
}

Result<void> ModuleValidator::start() const {
    if (!module_.start) return {};
    const u32 at = section_offset(start_section);
    if (module_.start->value >= module_.functions.size()) {
        return Error{ErrorCode::unknown_function, 0, at};
    }
    const TypeDef& type = module_.types[module_.functions[module_.start->value].value];
    if (type.param_count + type.result_count != 0) {
        return Error{ErrorCode::invalid_start_function, 0, at};
    }
    return {};
}

Result<void> ModuleValidator::element_items(const ElemSegment& segment, u32 at) {
    const auto items =
        std::span{module_.elem_items}.subspan(segment.items_begin, segment.item_count);
    for (const ElemItem& item : items) {
        if (!item.is_func()) {
            const ConstExpr expr{item.func_or_begin, item.end};
            WRUN_TRY(constants_.validate(expr, segment.type, global_count()));
        } else if (item.func_or_begin >= module_.functions.size()) {
            return Error{ErrorCode::unknown_function, 0, at};
        }
    }
    return {};
}

Result<void> ModuleValidator::elements() {
    const u32 section = section_offset(element_section);
    for (const ElemSegment& segment : module_.elems) {
        const bool active = segment.mode == SegmentMode::active;
        const u32 at = active ? segment.offset.begin : section;
        if (!is_known(segment.type)) return Error{ErrorCode::unknown_type, 0, at};
        if (active) {
            if (segment.table.value >= module_.tables.size()) {
                return Error{ErrorCode::unknown_table, 0, at};
            }
            const TableType& table = module_.tables[segment.table.value].type;
            if (!matches(module_, segment.type, table.element)) {
                return Error{ErrorCode::type_mismatch, 0, at};
            }
            WRUN_TRY(
                constants_.validate(segment.offset, address_type(table.limits), global_count()));
        }
        WRUN_TRY(element_items(segment, at));
    }
    return {};
}

Result<void> ModuleValidator::data() {
    for (const DataSegment& segment : module_.data) {
        if (segment.mode != SegmentMode::active) {
            if (features_.has(Feature::bulk_memory)) continue;
            return unsupported(Feature::bulk_memory, section_offset(data_section));
        }
        if (segment.memory.value >= module_.memories.size()) {
            return Error{ErrorCode::unknown_memory, 0, segment.offset.begin};
        }
        const Limits& limits = module_.memories[segment.memory.value].type.limits;
        WRUN_TRY(constants_.validate(segment.offset, address_type(limits), global_count()));
    }
    return {};
}

void ModuleValidator::find_escaping_functions() {
    std::vector<bool> escapes(module_.functions.size());
    for (const Export& item : module_.exports) {
        if (item.kind == ExternKind::func) escapes[item.index] = true;
    }
    for (const ElemItem& item : module_.elem_items) {
        if (item.is_func()) escapes[item.func_or_begin] = true;
    }
    for (const FuncIndex func : constants_.references())
        escapes[func.value] = true;
    module_.escaping_functions.clear();
    for (u32 i = 0; i < escapes.size(); ++i) {
        if (escapes[i]) module_.escaping_functions.push_back(FuncIndex{i});
    }
}

}  // namespace

Result<void> validate_module(Module& module, FeatureSet features) {
    return ModuleValidator{module, features}.run();
}

}  // namespace wrun
