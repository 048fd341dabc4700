// Names, notes, publishing and eviction.
#include "engine/cache.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "base/checksum.hpp"
#include "base/os_memory.hpp"
#include "engine/artifact.hpp"

namespace wrun::engine {

namespace {

constexpr std::string_view module_ending = ".wrun";
constexpr std::string_view note_ending = ".note";
constexpr std::string_view temporary_ending = ".tmp";
/// Nobody takes so long to write one.
constexpr i64 temporary_ns_max = i64{3600} * 1'000'000'000;
/// How exact eviction knows the last use: saying it costs as much as a small start.
constexpr i64 use_ns = i64{60} * 1'000'000'000;

[[nodiscard]] std::string hex(std::span<const u8> bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const u8 byte : bytes) {
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

template <class T>
[[nodiscard]] std::span<const u8> bytes_of(const T& value) noexcept {
    static_assert(std::has_unique_object_representations_v<T>);
    return {reinterpret_cast<const u8*>(&value), sizeof value};
}

[[nodiscard]] std::string module_name(const Sha256Digest& wasm, const ArtifactIdentity& identity) {
    Sha256 hash;
    hash.update(wasm);
    hash.update(identity.build_id);
    hash.update(bytes_of(identity.cpu_features));
    hash.update(bytes_of(identity.configuration));
    return hex(hash.finish()) + std::string{module_ending};
}

/// What a note's file holds.
struct Note {
    std::array<u8, 8> magic{};
    u64 device = 0;
    u64 inode = 0;
    u64 bytes = 0;
    i64 modified_ns = 0;
    i64 changed_ns = 0;
    Sha256Digest wasm{};
    u64 sum = 0;  // of all before

    static constexpr std::array<u8, 8> its_magic = {'w', 'r', 'u', 'n', 'n', 'o', 't', 1};
};

[[nodiscard]] Note note_of(const os::FileStatus& file, const Sha256Digest& wasm) noexcept {
    Note note{Note::its_magic, file.device, file.inode, file.bytes, file.modified_ns,
        file.changed_ns, wasm, 0};
    note.sum = checksum(bytes_of(note).first(offsetof(Note, sum)));
    return note;
}

[[nodiscard]] std::string note_name(const os::FileStatus& file) {
    return hex(bytes_of(file.device)) + "-" + hex(bytes_of(file.inode)) + std::string{note_ending};
}

/// Ours alone to write.
[[nodiscard]] bool is_own(const os::FileStatus& status) noexcept {
    constexpr u32 writable_by_others = 022;
    return status.owner == os::effective_user() && (status.permissions & writable_by_others) == 0;
}

void tell_use(const os::File& file, const os::FileStatus& status) noexcept {
    if (os::calendar_ns() - status.modified_ns > use_ns) (void)os::touch(file.number());
}

}  // namespace

Result<Cache> Cache::open(const std::string& path, u64 bytes_max, i64 trusted_since_ns) {
    WRUN_TRY(os::Folder::make(path));
    Cache cache;
    cache.bytes_max_ = bytes_max;
    cache.trusted_since_ns_ = trusted_since_ns;
    cache.folder_ = WRUN_TRY(os::Folder::open_itself(path));
    if (!is_own(WRUN_TRY(cache.folder_.status()))) return Error{ErrorCode::cache_not_own};
    return cache;
}

Result<Cache::Opened> Cache::open_entry(const std::string& name) const {
    Opened opened;
    opened.file = WRUN_TRY(folder_.open_file(name));
    opened.status = WRUN_TRY(os::status_of(opened.file.number()));
    if (!opened.status.is_regular || !is_own(opened.status)) {
        return Error{ErrorCode::cache_not_own};
    }
    return opened;
}

// ---- finding -----------------------------------------------------------------------------------

std::shared_ptr<const Module> Cache::find(
    Engine& engine, const ModuleOptions& options, const Sha256Digest& wasm) const {
    const std::string name = module_name(wasm, ArtifactIdentity::here(engine.options(), options));
    Result<Opened> opened = open_entry(name);
    if (!opened.ok()) return nullptr;
    auto& [file, status] = opened.value();
    const bool is_trusted = status.changed_ns > trusted_since_ns_;
    if (!is_trusted && !verify_artifact(file.copy()).ok()) return nullptr;
    tell_use(file, status);
    auto module = load_own_artifact(engine, std::move(file), wasm, options);
    return module.ok() ? std::move(module).take() : nullptr;
}

std::optional<Sha256Digest> Cache::noted(const os::FileStatus& file) const {
    const Result<Opened> opened = open_entry(note_name(file));
    if (!opened.ok()) return std::nullopt;
    Note note;
    const std::span to{reinterpret_cast<u8*>(&note), sizeof note};
    if (!os::read_at(opened.value().file.number(), 0, to).ok()) return std::nullopt;
    const Note wanted = note_of(file, note.wasm);
    if (std::memcmp(&note, &wanted, sizeof note) != 0) return std::nullopt;
    tell_use(opened.value().file, opened.value().status);
    return note.wasm;
}

std::shared_ptr<const Module> Cache::find(
    Engine& engine, const ModuleOptions& options, const os::FileStatus& file) const {
    const auto wasm = noted(file);
    return wasm ? find(engine, options, *wasm) : nullptr;
}

// ---- keeping -----------------------------------------------------------------------------------

/// A name that no other writer has: another process has another number, and one that had this
/// number before has left its file or not.
Result<void> Cache::publish(const std::string& name, const auto& write) const {
    static std::atomic<u32> counter = 0;
    const std::string temporary = std::to_string(os::process_number()) + "-" +
                                  std::to_string(counter.fetch_add(1)) + "-" +
                                  std::to_string(os::calendar_ns()) + std::string{temporary_ending};
    const os::File file = WRUN_TRY(folder_.create(temporary, 0600));
    Result<void> done = write(file.number());
    if (done.ok()) done = os::set_permissions(file.number(), 0400);
    if (done.ok()) done = folder_.rename(temporary, name);
    if (!done.ok()) (void)folder_.remove(temporary);
    return done;
}

Result<void> Cache::keep(const Module& module, const Sha256Digest& wasm) const {
    const ArtifactBytes artifact {
        module, WRUN_TRY(finished_code(module))
    };
    if (artifact.header().file_bytes > bytes_max_) return {};
    const std::string name =
        module_name(wasm, ArtifactIdentity::here(module.engine().options(), module.options()));
    WRUN_TRY(publish(name, [&](int file) { return artifact.write_to(file); }));
    return prune(bytes_max_);
}

Result<void> Cache::note(const os::FileStatus& file, const Sha256Digest& wasm) const {
    const i64 settled = os::calendar_ns() - settled_ns;
    if (!file.is_regular || file.modified_ns > settled || file.changed_ns > settled) return {};
    const Note note = note_of(file, wasm);
    return publish(note_name(file), [&](int to) { return os::write_at(to, 0, bytes_of(note)); });
}

// ---- eviction ----------------------------------------------------------------------------------

Result<std::vector<Cache::Entry>> Cache::entries() const {
    std::vector<Entry> found;
    for (std::string& name : WRUN_TRY(folder_.names())) {
        const bool is_module = name.ends_with(module_ending);
        const bool is_temporary = name.ends_with(temporary_ending);
        if (!is_module && !is_temporary && !name.ends_with(note_ending)) continue;
        const Result<os::FileStatus> status = folder_.status(name);
        if (!status.ok()) continue;  // somebody has removed it
        const os::FileStatus& file = status.value();
        if (is_temporary) {
            const bool is_left = os::calendar_ns() - file.modified_ns > temporary_ns_max;
            if (is_left) (void)folder_.remove(name);
            continue;
        }
        found.push_back(
            {std::move(name), os::round_up_to_page(file.bytes), file.modified_ns, is_module});
    }
    return found;
}

Result<Cache::Contents> Cache::contents() const {
    Contents contents;
    for (const Entry& entry : WRUN_TRY(entries())) {
        contents.modules += u64{entry.is_module};
        contents.bytes += entry.bytes;
    }
    return contents;
}

Result<void> Cache::prune(u64 bytes_max) const {
    std::vector<Entry> found = WRUN_TRY(entries());
    std::sort(found.begin(), found.end(),
        [](const Entry& left, const Entry& right) { return left.used_ns < right.used_ns; });
    u64 bytes = 0;
    for (const Entry& entry : found)
        bytes += entry.bytes;
    Result<void> outcome;
    for (const Entry& entry : found) {
        if (bytes <= bytes_max) break;
        const Result<void> removed = folder_.remove(entry.name);
        if (!removed.ok() && removed.error().detail != os::no_such_file) outcome = removed;
        bytes -= entry.bytes;
    }
    return outcome;
}

}  // namespace wrun::engine
