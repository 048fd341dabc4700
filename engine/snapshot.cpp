// Template → Snapshot, and what must hold of one.
#include "engine/snapshot.hpp"

#include <algorithm>
#include <cstring>

#include "base/limits.hpp"
#include "base/os_memory.hpp"
#include "engine/frozen.hpp"
#include "engine/slots.hpp"
#include "engine/start_image.hpp"
#include "validator/matches.hpp"

namespace wrun::engine {

namespace {

[[nodiscard]] bool is_zero(std::span<const u8> bytes) noexcept {
    return std::all_of(bytes.begin(), bytes.end(), [](u8 byte) { return byte == 0; });
}

void find_pages(const runtime::MemoryImage& image, u64 memory, std::vector<MemoryRange>& found) {
    for (u64 at = 0; at < image.bytes(); at += os::page_bytes) {
        if (!is_zero({image.data() + at, os::page_bytes}))
            found.push_back({memory, at, os::page_bytes});
    }
}

}  // namespace

Result<Snapshot> Snapshot::take(const Template& from, u32 learned, u64 monotonic_ns) {
    const Template::State& frozen = from.state();
    const Module::State& module = frozen.module->state();
    Snapshot result;
    result.facts = {SnapshotFacts::none, learned, monotonic_ns};
    if (!frozen.options.init.empty()) {
        const Export* const init = module.find_export(frozen.options.init.back());
        WRUN_CHECK(init != nullptr);  // it has run
        result.facts.init = static_cast<u32>(init - module.decoded.exports.data());
    }
    std::vector<MemoryRange> pages;
    for (const FrozenMemory& memory : frozen.memories) {
        find_pages(*memory.image, result.memory_bytes.size(), pages);
        result.memory_bytes.push_back(memory.bytes);
    }
    result.runs = cover(pages, frozen.memories.size());
    const u64 bytes = total_bytes(result.runs);
    if (bytes > limits::snapshot_bytes_max) return Error{ErrorCode::snapshot_too_large};
    result.pages.resize(bytes);
    for (const ImageRun& run : result.runs) {
        const runtime::MemoryImage& image = *frozen.memories[run.memory].image;
        std::memcpy(result.pages.data() + run.offset, image.data() + run.begin, run.bytes);
    }
    for (const FrozenGlobal& global : frozen.globals) {
        const ValType type = global.type.type;
        const u64 high = type.kind() == Kind::v128 ? global.cell[1] : 0;
        result.globals.push_back(type.is_ref() ? StoredCell{global.reference, 0}
                                               : StoredCell{narrowed(type, global.cell[0]), high});
    }
    for (const FrozenTable& table : frozen.tables) {
        result.table_sizes.push_back(table.elements.size());
        result.elements.insert(result.elements.end(), table.elements.begin(), table.elements.end());
    }
    result.dropped = frozen.dropped_words;
    return result;
}

SnapshotView Snapshot::view() const noexcept {
    return {
        .facts = {&facts, 1},
        .memory_bytes = memory_bytes,
        .runs = runs,
        .pages = pages,
        .globals = globals,
        .table_sizes = table_sizes,
        .elements = elements,
        .dropped = dropped,
    };
}

// ---- checking ----------------------------------------------------------------------------------

namespace {

class Checker {
public:
    Checker(const SnapshotView& snapshot, const wrun::Module& module) noexcept
        : snapshot_{snapshot}, module_{module} {}

    [[nodiscard]] bool run() const noexcept {
        // Imported ones would begin as whoever exports them has them.
        const bool owns_all = module_.imported_memory_count == 0 &&
                              module_.imported_table_count == 0 &&
                              module_.imported_global_count == 0;
        return owns_all && is_init_sound() && are_memories_sound() && are_runs_sound() &&
               are_globals_sound() && are_tables_sound() && are_dropped_sound();
    }

private:
    [[nodiscard]] bool is_init_sound() const noexcept {
        if (snapshot_.facts.size() != 1) return false;
        const u32 init = snapshot_.facts.front().init;
        if (init == SnapshotFacts::none) return true;
        return init < module_.exports.size() && module_.exports[init].kind == ExternKind::func;
    }
    [[nodiscard]] bool are_memories_sound() const noexcept {
        if (snapshot_.memory_bytes.size() != module_.memories.size()) return false;
        for (std::size_t i = 0; i < module_.memories.size(); ++i) {
            const Limits& type = module_.memories[i].type.limits;
            const u64 bytes = snapshot_.memory_bytes[i];
            const u64 pages = bytes / limits::wasm_page_bytes;
            const u64 language_max = type.is_64 ? ~u64{0} : limits::memory32_pages_max;
            if (bytes % limits::wasm_page_bytes != 0 || pages < type.min ||
                pages > type.max.value_or(language_max) || pages > language_max || type.shared) {
                return false;
            }
        }
        return true;
    }
    [[nodiscard]] bool are_runs_sound() const noexcept {
        u64 offset = 0;
        const ImageRun* last = nullptr;
        for (const ImageRun& run : snapshot_.runs) {
            if (run.memory >= snapshot_.memory_bytes.size()) return false;
            const u64 memory_bytes = snapshot_.memory_bytes[run.memory];
            if (run.bytes == 0 || run.bytes % os::page_bytes != 0 ||
                run.begin % os::page_bytes != 0 || run.begin > memory_bytes ||
                run.bytes > memory_bytes - run.begin || run.offset != offset ||
                run.bytes > snapshot_.pages.size() - offset) {
                return false;
            }
            const bool is_behind =
                last == nullptr || run.memory > last->memory ||
                (run.memory == last->memory && run.begin >= last->begin + last->bytes);
            if (!is_behind) return false;
            last = &run;
            offset += run.bytes;
        }
        return offset == snapshot_.pages.size();  // which alone could wrap
    }
    [[nodiscard]] bool are_globals_sound() const noexcept {
        if (snapshot_.globals.size() != module_.globals.size()) return false;
        for (std::size_t i = 0; i < module_.globals.size(); ++i) {
            const ValType type = module_.globals[i].type.type;
            const StoredCell& cell = snapshot_.globals[i];
            if (cell.high != 0 && type.kind() != Kind::v128) return false;
            if (type.is_ref()) {
                if (cell.low > 0xffff'ffff || !fits(static_cast<u32>(cell.low), type)) return false;
            } else if (narrowed(type, cell.low) != cell.low) {
                return false;
            }
        }
        return true;
    }
    [[nodiscard]] bool are_tables_sound() const noexcept {
        if (snapshot_.table_sizes.size() != module_.tables.size()) return false;
        auto elements = snapshot_.elements;
        for (std::size_t i = 0; i < module_.tables.size(); ++i) {
            const TableType& type = module_.tables[i].type;
            const u64 size = snapshot_.table_sizes[i];
            if (size < type.limits.min || size > type.limits.max.value_or(~u64{0}) ||
                size > limits::table_elements_max || size > elements.size()) {
                return false;
            }
            const auto own = elements.first(size);
            elements = elements.subspan(size);
            const auto is_fit = [&](u32 element) { return fits(element, type.element); };
            if (!std::all_of(own.begin(), own.end(), is_fit)) return false;
        }
        return elements.empty();
    }
    /// A FrozenReference where a reference of that type is wanted.
    [[nodiscard]] bool fits(u32 reference, ValType type) const noexcept {
        if (reference == 0) return type.nullable();
        const u32 number = reference - 1;
        const u32 imported = module_.imported_function_count;
        if (number >= imported + module_.escaping_functions.size()) return false;
        const FuncIndex func =
            number < imported ? FuncIndex{number} : module_.escaping_functions[number - imported];
        // An import that escapes goes by its first number.
        if (number >= imported && module_.is_import(func)) return false;
        const ValType its = ValType::reference(module_.functions[func.value], false);
        return matches(module_, its, type);
    }
    [[nodiscard]] bool are_dropped_sound() const noexcept {
        const u64 data_words = runtime::DroppedSet::word_count(module_.data.size());
        const u64 elem_words = runtime::DroppedSet::word_count(module_.elems.size());
        const auto dropped = snapshot_.dropped;
        if (dropped.size() != data_words + elem_words) return false;
        return are_dropped(dropped.first(data_words), module_.data) &&
               are_dropped(dropped.subspan(data_words), module_.elems);
    }
    /// Every segment that only instantiation reads is gone, and no other than there are.
    template <class Segment>
    [[nodiscard]] static bool are_dropped(
        std::span<const u64> words, const Items<Segment>& segments) noexcept {
        for (u64 i = 0; i < words.size() * 64; ++i) {
            const bool is_dropped = ((words[i / 64] >> (i % 64)) & 1) != 0;
            if (i >= segments.size() ? is_dropped
                                     : segments[i].mode != SegmentMode::passive && !is_dropped) {
                return false;
            }
        }
        return true;
    }

    const SnapshotView& snapshot_;
    const wrun::Module& module_;
};

}  // namespace

bool is_sound(const SnapshotView& snapshot, const wrun::Module& module) noexcept {
    return Checker{snapshot, module}.run();
}

}  // namespace wrun::engine
