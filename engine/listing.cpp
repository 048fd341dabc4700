// See listing.hpp.
#include "engine/listing.hpp"

#include <algorithm>
#include <cstddef>

#include "base/limits.hpp"
#include "decoder/decode.hpp"
#include "runtime/context_layout.hpp"

namespace wrun::engine {

Result<std::unique_ptr<Lister>> Lister::make(std::vector<u8> bytes, const ListingOptions& options) {
    if (bytes.size() > limits::module_bytes_max) return Error{ErrorCode::module_too_large};
    std::unique_ptr<Lister> lister{new Lister};
    lister->bytes_ = std::move(bytes);
    lister->module_ = WRUN_TRY(decode(lister->bytes_, options.features));
    WRUN_TRY(validate_module(lister->module_, options.features));
    lister->layout_ = WRUN_TRY(runtime::context_layout(lister->module_));
    codegen::CompileOptions compile = options.compile;
    compile.record_lines = true;
    lister->validator_ = std::make_unique<FunctionValidator>(lister->module_, options.features);
    lister->compiler_ =
        std::make_unique<codegen::FunctionCompiler>(lister->module_, lister->layout_, compile);
    return lister;
}

Result<FunctionListing> Lister::list(FuncIndex func) {
    WRUN_TRY(validator_->validate(func, summary_));
    compiler_->clear();
    WRUN_TRY(compiler_->compile(func, summary_));
    const codegen::CodeChunk chunk = compiler_->chunk();
    FunctionListing listing;
    listing.code.assign(chunk.code.begin(), chunk.code.end());
    listing.lines.assign(chunk.lines.begin(), chunk.lines.end());
    listing.homes = compiler_->homes();
    listing.rows.assign(chunk.rows.begin(), chunk.rows.end());
    listing.calls.assign(chunk.calls.begin(), chunk.calls.end());
    listing.frame_bytes = runtime::slot_bytes * (summary_.local_slots + summary_.stack_slots_max);
    std::stable_sort(listing.lines.begin(), listing.lines.end(),
        [](const LineRow& a, const LineRow& b) { return a.code_offset < b.code_offset; });
    return listing;
}

std::string Lister::context_item(u32 offset) const {
    using runtime::Context;
    switch (offset) {
        case offsetof(Context, memory_base): return "memory base";
        case offsetof(Context, type_ids): return "type ids";
        case offsetof(Context, records): return "function records";
        case offsetof(Context, switch_call): return "switching call";
        case offsetof(Context, helper_call): return "helper call";
        case offsetof(Context, results): return "results";
        case offsetof(Context, stack_limit): return "stack limit";
        case offsetof(Context, meter): return "meter";
        default: break;
    }
    // In the order of ContextLayout; each array ends where the next one begins.
    struct Area {
        const char* name;
        u32 begin;
        u32 end;
        u32 item_bytes;
        u32 first;
        bool has_size;
    };
    const runtime::ContextLayout& at = layout_;
    const Area areas[] = {
        {"func ", at.imported_functions, at.imported_tables, sizeof(void*), 0, false},
        {"table ", at.imported_tables, at.imported_memories, sizeof(void*), 0, false},
        {"memory ", at.imported_memories, at.imported_globals, sizeof(void*), 0, false},
        {"global ", at.imported_globals, at.memories, sizeof(void*), 0, false},
        {"memory ", at.memories, at.tables, sizeof(runtime::MemoryHeader),
            module_.imported_memory_count, true},
        {"table ", at.tables, at.globals, sizeof(runtime::TableHeader),
            module_.imported_table_count, true},
        {"global ", at.globals, at.total_bytes, runtime::global_cell_bytes,
            module_.imported_global_count, false},
    };
    for (const Area& area : areas) {
        if (offset < area.begin || offset >= area.end) continue;
        const u32 inside = offset - area.begin;
        std::string item = area.name + std::to_string(area.first + inside / area.item_bytes);
        static constexpr std::string_view words[] = {" base", " size", " is_written", ""};
        if (area.has_size) item += words[inside % area.item_bytes / sizeof(u64)];
        return item;
    }
    return {};
}

std::string_view helper_name(u64 number) noexcept {
    static constexpr std::string_view names[] = {
#define WRUN_HELPER(name, operands, immediates, result) #name,
#include "runtime/helpers.def"
#undef WRUN_HELPER
    };
    return number < std::size(names) ? names[number] : std::string_view{};
}

}  // namespace wrun::engine
