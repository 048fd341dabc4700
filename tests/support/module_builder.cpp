// See module_builder.hpp.
#include "tests/support/module_builder.hpp"

#include <algorithm>

#include "decoder/type_reader.hpp"

namespace wrun::build {

Bytes leb_u(u64 value) {
    Bytes bytes;
    do {
        const u8 low = value & 0x7f;
        value >>= 7;
        bytes.push_back(static_cast<u8>(low | (value != 0 ? 0x80 : 0)));
    } while (value != 0);
    return bytes;
}

Bytes leb_s(i64 value) {
    Bytes bytes;
    for (;;) {
        const u8 low = value & 0x7f;
        value >>= 7;
        const bool done = (low & 0x40) != 0 ? value == -1 : value == 0;
        bytes.push_back(static_cast<u8>(low | (done ? 0 : 0x80)));
        if (done) return bytes;
    }
}

Bytes sized(const Bytes& bytes) {
    return join(leb_u(bytes.size()), bytes);
}

Bytes name(std::string_view text) {
    return join(leb_u(text.size()), text);
}

Bytes fixed(u64 value, std::size_t size) {
    Bytes bytes;
    for (std::size_t i = 0; i < size; ++i)
        bytes.push_back(static_cast<u8>(value >> (8 * i)));
    return bytes;
}

Bytes val_type(ValType type) {
    for (unsigned byte = 0; byte < type_bytes.size(); ++byte) {
        if (type_bytes[byte].type == type) return {static_cast<u8>(byte)};
    }
    const u8 form = type.nullable() ? type_byte::ref_null : type_byte::ref;
    if (type.concrete()) return join(form, leb_s(type.type_index().value));
    return join(form, val_type(ValType::reference(type.heap())));
}

Bytes repeat(u32 count, const Bytes& item) {
    const std::size_t size = count * item.size();
    Bytes all(size);
    if (size == 0) return all;
    std::copy(item.begin(), item.end(), all.begin());
    // What is there already is copied behind itself.
    for (std::size_t done = item.size(); done < size; done *= 2) {
        std::copy_n(all.data(), std::min(done, size - done), all.data() + done);
    }
    return all;
}

Bytes limits(u64 min, std::optional<u64> max) {
    if (!max) return join(0, leb_u(min));
    return join(1, leb_u(min), leb_u(*max));
}

Bytes opcode(Op op) {
    const OpInfo& row = info(op);
    if (row.prefix == 0) return {row.code};
    return join(row.prefix, leb_u(row.code));
}

namespace detail {

Bytes block_type() {
    return {type_byte::empty};
}
Bytes block_type(ValType type) {
    return val_type(type);
}
Bytes block_type(TypeIndex type) {
    return leb_s(type.value);
}

}  // namespace detail

Bytes header() {
    return join(0, "asm", 1, 0, 0, 0);
}

Bytes section(u8 id, const Bytes& payload) {
    return join(id, sized(payload));
}

u32 ModuleBuilder::Items::add(const Bytes& item) {
    append(bytes, item);
    return count++;
}

u32 ModuleBuilder::type(const ValTypes& params, const ValTypes& results) {
    Bytes item{type_byte::func};
    for (const ValTypes& side : {params, results}) {
        append(item, leb_u(side.size()));
        for (const ValType type : side)
            append(item, val_type(type));
    }
    return types_.add(item);
}

u32 ModuleBuilder::import_item(
    std::string_view module, std::string_view field, ExternKind kind, const Bytes& description) {
    imports_.add(join(name(module), name(field), to_underlying(kind), description));
    return imported_[to_underlying(kind)]++;
}

u32 ModuleBuilder::import_function(std::string_view module, std::string_view field, u32 type) {
    return import_item(module, field, ExternKind::func, leb_u(type));
}

u32 ModuleBuilder::import_table(
    std::string_view module, std::string_view field, ValType element, const Bytes& table_limits) {
    return import_item(module, field, ExternKind::table, join(val_type(element), table_limits));
}

u32 ModuleBuilder::import_memory(
    std::string_view module, std::string_view field, const Bytes& memory_limits) {
    return import_item(module, field, ExternKind::memory, memory_limits);
}

u32 ModuleBuilder::import_global(
    std::string_view module, std::string_view field, ValType type, bool is_mutable) {
    return import_item(module, field, ExternKind::global, join(val_type(type), is_mutable));
}

u32 ModuleBuilder::function(u32 type, const Bytes& code, const std::vector<Locals>& locals) {
    Bytes declarations = leb_u(locals.size());
    for (const Locals& run : locals) {
        append(declarations, leb_u(run.count));
        append(declarations, val_type(run.type));
    }
    functions_.add(leb_u(type));
    return imported_[to_underlying(ExternKind::func)] + code_.add(sized(join(declarations, code)));
}

u32 ModuleBuilder::function(const ValTypes& params, const ValTypes& results, const Bytes& code,
    const std::vector<Locals>& locals) {
    return function(type(params, results), code, locals);
}

u32 ModuleBuilder::table(ValType element, u64 min, std::optional<u64> max) {
    return imported_[to_underlying(ExternKind::table)] +
           tables_.add(join(val_type(element), limits(min, max)));
}

u32 ModuleBuilder::memory(u64 min, std::optional<u64> max) {
    return memory(limits(min, max));
}

u32 ModuleBuilder::memory(const Bytes& memory_limits) {
    return imported_[to_underlying(ExternKind::memory)] + memories_.add(memory_limits);
}

u32 ModuleBuilder::global(ValType type, bool is_mutable, const Bytes& init) {
    return imported_[to_underlying(ExternKind::global)] +
           globals_.add(join(val_type(type), is_mutable, init));
}

void ModuleBuilder::export_item(std::string_view field, ExternKind kind, u32 index) {
    exports_.add(join(name(field), to_underlying(kind), leb_u(index)));
}

void ModuleBuilder::start(u32 function) {
    start_ = function;
}

u32 ModuleBuilder::element(const Bytes& segment) {
    return elements_.add(segment);
}

u32 ModuleBuilder::active_elements(const Bytes& offset, const std::vector<u32>& functions) {
    Bytes segment = join(0, offset, leb_u(functions.size()));
    for (const u32 function : functions)
        append(segment, leb_u(function));
    return element(segment);
}

u32 ModuleBuilder::declared_elements(const std::vector<u32>& functions) {
    Bytes segment = join(3, 0, leb_u(functions.size()));
    for (const u32 function : functions)
        append(segment, leb_u(function));
    return element(segment);
}

u32 ModuleBuilder::data(const Bytes& segment) {
    return data_.add(segment);
}

u32 ModuleBuilder::active_data(const Bytes& offset, std::string_view text) {
    return data(join(0, offset, name(text)));
}

u32 ModuleBuilder::passive_data(std::string_view text) {
    return data(join(1, name(text)));
}

void ModuleBuilder::data_count(u32 count) {
    data_count_ = count;
}

void ModuleBuilder::custom(std::string_view field, const Bytes& bytes) {
    append(customs_, section(0, join(name(field), bytes)));
}

void ModuleBuilder::write(Bytes& to, u8 id, const Items& items) {
    if (items.count != 0) append(to, section(id, join(leb_u(items.count), items.bytes)));
}

Bytes ModuleBuilder::bytes() const {
    Bytes module = header();
    write(module, 1, types_);
    write(module, 2, imports_);
    write(module, 3, functions_);
    write(module, 4, tables_);
    write(module, 5, memories_);
    write(module, 6, globals_);
    write(module, 7, exports_);
    if (start_) append(module, section(8, leb_u(*start_)));
    write(module, 9, elements_);
    if (data_count_) append(module, section(12, leb_u(*data_count_)));
    write(module, 10, code_);
    write(module, 11, data_);
    append(module, customs_);
    return module;
}

}  // namespace wrun::build
