// See files.hpp.
#include "http/spin/files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>

#include "wasi/beneath.hpp"

namespace wrun::http::spin {
namespace {

using os::File;

constexpr u32 depth_max = 64;
constexpr std::size_t entries_max = 1'000'000;

/// Of a path, without those that are empty or "."; nothing when one is "..".
[[nodiscard]] std::optional<std::vector<std::string>> segments_of(std::string_view path) {
    std::vector<std::string> segments;
    while (!path.empty()) {
        const std::size_t end = std::min(path.find('/'), path.size());
        const std::string_view segment = path.substr(0, end);
        path.remove_prefix(std::min(end + 1, path.size()));
        if (segment == "..") return {};
        if (!segment.empty() && segment != ".") segments.emplace_back(segment);
    }
    return segments;
}

/// What was opened beneath a folder; nothing, and whether the path would have left it.
struct Opened {
    os::File file;
    bool leaves = false;
};

[[nodiscard]] Opened open_below(int folder, const std::string& path, u64 flags) {
    auto answer = wasi::open_beneath(folder, path.empty() ? "." : path.c_str(), flags);
    if (!answer.ok()) return {{}, answer.error() == wasi::Errno::notcapable};
    return {std::move(answer).take(), false};
}

[[nodiscard]] std::string joined(const std::vector<std::string>& segments) {
    std::string path;
    for (const std::string& segment : segments)
        path += (path.empty() ? "" : "/") + segment;
    return path;
}

[[nodiscard]] bool is_within(std::string_view inner, std::string_view outer) noexcept {
    return outer.empty() || inner == outer ||
           (inner.starts_with(outer) && inner[outer.size()] == '/');
}

[[nodiscard]] bool looks_like_pattern(std::string_view text) noexcept {
    return text.find_first_of("*?[") != std::string_view::npos;
}

/// Of `exclude_files`, "*" crosses slashes, and "**/" may stand for nothing.
[[nodiscard]] bool is_excluded(std::string_view pattern, std::string_view path) {
    if (fits_pattern(pattern, path)) return true;
    std::string without{pattern};
    for (std::size_t at = 0; (at = without.find("**/", at)) != std::string::npos;)
        without.erase(at, 3);
    return without != pattern && fits_pattern(without, path);
}

class Collector {
public:
    struct Found {
        std::string path;   // beneath the manifest's folder
        std::string guest;  // beneath "/"
    };

    Collector(int root, const Component& component, Report& report, FileLimits limits)
        : root_{root}, component_{component}, report_{report}, limits_{limits} {}

    struct Folder {
        os::File opened;
        std::string guest;
    };
    std::vector<Found> files;
    std::vector<Folder> folders;  // the entries that are whole folders

    [[nodiscard]] bool is_direct() const {
        if (folders.size() != component_.files.size() || !component_.exclude_files.empty())
            return false;
        for (const Folder& a : folders)
            for (const Folder& b : folders)
                if (&a != &b && is_within(a.guest, b.guest)) return false;
        return true;
    }

    /// Only what the entries name themselves.
    void look() {
        for (const FileEntry& entry : component_.files)
            look_at(entry);
    }

    /// And all that is in there, to be copied.
    void walk_all() {
        for (const Pending& pending : pending_) {
            entry_ = pending.entry;
            const std::size_t before = seen_;
            walk(pending.path, pending.states, 0, pending);
            if (seen_ == before && !is_over_)
                fail("no file fits " + in_quotes(pending.entry->source));
        }
    }

private:
    using States = std::vector<bool>;
    struct Pending {
        const FileEntry* entry = nullptr;
        std::string path;                   // where the walk begins
        std::string guest;                  // and what that is to the guest
        std::vector<std::string> segments;  // of the pattern
        States states;
    };

    void fail(const std::string& what) {
        report_.error(entry_->place, "component." + component_.id + ".files: " + what);
    }

    void look_at(const FileEntry& entry) {
        entry_ = &entry;
        const auto source = segments_of(entry.source);
        const auto guest = segments_of(entry.destination.value_or(entry.source));
        if (!source || entry.source.starts_with('/'))
            return fail(in_quotes(entry.source) + " is not within the manifest's folder");
        if (!guest) return fail("a destination with \"..\"");
        const std::string path = joined(*source);
        const Opened opened = open_below(root_, path, O_PATH);
        if (!opened.file) {
            const bool is_pattern = !entry.destination && looks_like_pattern(entry.source);
            if (opened.leaves)
                return fail(in_quotes(entry.source) + " leads out of the manifest's folder");
            if (!is_pattern) return fail(in_quotes(entry.source) + " does not exist");
            return add_pending({&entry, "", "", *source, {}});
        }
        struct stat status {};
        if (::fstat(opened.file.number(), &status) != 0)
            return fail(in_quotes(entry.source) + " cannot be looked at");
        if (S_ISDIR(status.st_mode)) {
            add_pending({&entry, path, joined(*guest), {"**"}, {}});
            Opened folder = open_below(opened.file.number(), ".", O_RDONLY | O_DIRECTORY);
            if (!folder.file) return fail("cannot read the folder " + in_quotes(entry.source));
            folders.push_back({std::move(folder.file), joined(*guest)});
        } else if (guest->empty() || entry.destination.value_or("").ends_with('/')) {
            fail("the destination of a file names no file");
        } else if (S_ISREG(status.st_mode)) {
            take(path, joined(*guest), static_cast<u64>(status.st_size));
        } else {
            fail(in_quotes(entry.source) + " is neither a file nor a folder");
        }
    }

    void add_pending(Pending pending) {
        pending.states.assign(pending.segments.size() + 1, false);
        enter(pending.states, pending.segments, 0);
        pending_.push_back(std::move(pending));
    }

    /// "**" may stand for no folder at all.
    static void enter(States& states, const std::vector<std::string>& segments, std::size_t at) {
        while (!states[at]) {
            states[at] = true;
            if (at == segments.size() || segments[at] != "**") return;
            ++at;
        }
    }

    [[nodiscard]] static States after(
        const States& states, const std::vector<std::string>& segments, std::string_view name) {
        States next(states.size(), false);
        for (std::size_t at = 0; at < segments.size(); ++at) {
            if (!states[at]) continue;
            if (segments[at] == "**")
                enter(next, segments, at);
            else if (fits_pattern(segments[at], name))
                enter(next, segments, at + 1);
        }
        return next;
    }

    void walk(const std::string& path, const States& states, u32 depth, const Pending& of) {
        if (depth > depth_max) return stop("folders are nested deeper than 64");
        const Opened opened = open_below(root_, path, O_RDONLY | O_DIRECTORY);
        if (!opened.file) return fail("cannot read the folder " + in_quotes(path));
        const int copy = ::dup(opened.file.number());
        const std::unique_ptr<DIR, int (*)(DIR*)> list{::fdopendir(copy), &::closedir};
        if (!list) return stop("cannot read the folder " + in_quotes(path));
        // The order of a folder is the file system's.
        std::vector<std::string> names;
        while (const dirent* entry = ::readdir(list.get())) {
            const std::string name = entry->d_name;
            if (name == "." || name == "..") continue;
            if (++entries_ > entries_max) return stop("more than a million names to look at");
            names.push_back(name);
        }
        std::ranges::sort(names);
        for (const std::string& name : names) {
            if (is_over_) return;
            const States next = after(states, of.segments, name);
            if (std::ranges::find(next, true) == next.end()) continue;
            visit(path.empty() ? name : path + "/" + name, opened.file.number(), name, next, depth,
                of);
        }
    }

    void visit(const std::string& path, int folder, const std::string& name, const States& states,
        u32 depth, const Pending& of) {
        struct stat status {};
        if (::fstatat(folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
            return fail("cannot look at " + in_quotes(path));
        if (S_ISDIR(status.st_mode)) return walk(path, states, depth + 1, of);
        if (!states.back()) return;
        if (S_ISLNK(status.st_mode)) {
            const Opened target = open_below(root_, path, O_PATH);
            if (!target.file)
                return fail(in_quotes(path) + (target.leaves ? " leads out of the manifest's folder"
                                                             : " is a link that leads nowhere"));
            if (::fstat(target.file.number(), &status) != 0) return;
        }
        // Neither links to folders, which could lead in circles, nor devices and the like.
        if (!S_ISREG(status.st_mode)) return;
        ++seen_;
        for (const std::string& pattern : component_.exclude_files)
            if (is_excluded(pattern, path)) return;
        const std::string below =
            of.path.empty() ? path : std::string{std::string_view{path}.substr(of.path.size() + 1)};
        take(path, of.guest.empty() ? below : of.guest + "/" + below,
            static_cast<u64>(status.st_size));
    }

    void take(const std::string& path, const std::string& guest, u64 bytes) {
        bytes_ += bytes;
        if (files.size() >= limits_.files_max)
            return stop("more than " + std::to_string(limits_.files_max) + " files");
        if (bytes_ > limits_.bytes_max)
            return stop("more than " + std::to_string(limits_.bytes_max) + " bytes to copy");
        files.push_back({path, guest});
    }

    void stop(const std::string& why) {
        if (!is_over_) fail(why);
        is_over_ = true;
    }

    int root_;
    const Component& component_;
    Report& report_;
    FileLimits limits_;
    const FileEntry* entry_ = nullptr;
    std::vector<Pending> pending_;
    std::size_t entries_ = 0;
    std::size_t seen_ = 0;
    u64 bytes_ = 0;
    bool is_over_ = false;
};

/// 0 or an errno. What is there already under that name gives way: a later entry wins.
[[nodiscard]] int copy_file(int root, const std::string& path, int to, const std::string& guest) {
    os::File folder{::fcntl(to, F_DUPFD_CLOEXEC, 0)};
    std::string_view rest = guest;
    for (std::size_t slash; (slash = rest.find('/')) != std::string_view::npos;) {
        const std::string name{rest.substr(0, slash)};
        rest.remove_prefix(slash + 1);
        if (::mkdirat(folder.number(), name.c_str(), 0700) != 0 && errno != EEXIST) return errno;
        os::File next{::openat(
            folder.number(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
        if (!next) return errno;
        folder = std::move(next);
    }
    const Opened source = open_below(root, path, O_RDONLY | O_NONBLOCK);
    if (!source.file) return EACCES;
    const std::string name{rest};
    (void)::unlinkat(folder.number(), name.c_str(), 0);
    const os::File target{::openat(
        folder.number(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400)};
    if (!target) return errno;
    for (;;) {
        const ssize_t sent =
            ::sendfile(target.number(), source.file.number(), nullptr, std::size_t{1} << 30);
        if (sent == 0) return 0;
        if (sent < 0 && errno != EINTR) return errno;
    }
}

}  // namespace

bool fits_pattern(std::string_view pattern, std::string_view text) noexcept {
    // One star's choice is enough to remember: what an earlier one left matches as early as it can.
    std::size_t star = std::string_view::npos;
    std::size_t resume = 0;
    std::size_t p = 0;
    std::size_t t = 0;
    while (t < text.size()) {
        bool fits = false;
        std::size_t width = 1;
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            resume = t;
            continue;
        }
        if (p < pattern.size() && pattern[p] == '[') {
            const bool is_not = p + 1 < pattern.size() && pattern[p + 1] == '!';
            const std::size_t begin = p + (is_not ? 2 : 1);
            const std::size_t end = pattern.find(']', begin + 1);
            if (end != std::string_view::npos) {
                bool is_in = false;
                for (std::size_t at = begin; at < end; ++at) {
                    const bool is_range = at + 2 < end && pattern[at + 1] == '-';
                    const char last = is_range ? pattern[at + 2] : pattern[at];
                    is_in = is_in || (text[t] >= pattern[at] && text[t] <= last);
                    if (is_range) at += 2;
                }
                fits = is_in != is_not;
                width = end + 1 - p;
            } else {
                fits = text[t] == '[';
            }
        } else if (p < pattern.size()) {
            fits = pattern[p] == '?' || pattern[p] == text[t];
        }
        if (fits) {
            p += width;
            ++t;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

MountedFiles::~MountedFiles() {
    if (copies_.empty()) return;
    std::error_code ignored;
    std::filesystem::remove_all(copies_, ignored);
}

MountedFiles MountedFiles::make(const Component& component, const std::string& folder,
    const std::string& temporary, Report& report, FileLimits limits) {
    MountedFiles result;
    if (component.files.empty()) return result;
    const Place place = component.files.front().place;
    const std::string where = "component." + component.id + ".files: ";
    const os::File root{
        ::open(folder.empty() ? "." : folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (!root) {
        report.error(place, where + "cannot open the manifest's folder");
        return result;
    }
    Report own;
    Collector collector{root.number(), component, own, limits};
    collector.look();
    const bool is_direct = !own.has_errors() && collector.is_direct();
    if (!is_direct) collector.walk_all();
    for (const Finding& finding : own.findings())
        report.error(finding.place, finding.text);
    if (own.has_errors()) return result;
    if (is_direct) {
        for (Collector::Folder& found : collector.folders)
            result.mounts_.push_back({std::move(found.opened), "/" + found.guest});
        return result;
    }

    std::string name = temporary + "/wrun-files-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) {
        report.error(place, where + "cannot make a folder in " + in_quotes(temporary) + ": " +
                                std::strerror(errno));
        return result;
    }
    result.copies_ = name;
    os::File copies{::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    for (const Collector::Found& found : collector.files) {
        const int failed = copy_file(root.number(), found.path, copies.number(), found.guest);
        if (failed == 0) continue;
        report.error(place, where + "cannot copy " + in_quotes(found.path) + " to " +
                                in_quotes(found.guest) + ": " + std::strerror(failed));
        return result;
    }
    result.mounts_.push_back({std::move(copies), "/"});
    return result;
}

}  // namespace wrun::http::spin
