// What one guest was granted and what it holds: arguments, environment, descriptors. One State for
// each store, used by one thread at a time. Nothing is there unless the Config grants it: an empty
// Config has no arguments, no environment and no files, and its standard streams are those of
// `stdio`.
#pragma once

#include <array>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "wasi/access.hpp"
#include "wasi/descriptors.hpp"
#include "wasi/directories.hpp"
#include "wasi/stream.hpp"

namespace wrun::wasi {

/// What a guest is given but for its arguments and environment.
struct Grants {
    std::vector<Preopen> preopens;
    /// Directories that many states have, before those in `preopens`. Borrowed.
    const Directories* directories = nullptr;
    /// The host's descriptors behind 0, 1 and 2. Borrowed: never closed, their flags never changed,
    /// and they must outlive the state. -1, or one that is not open, is a descriptor the guest does
    /// not have. Writing to a pipe whose reader is gone raises SIGPIPE: hosts ignore that signal.
    std::array<int, 3> stdio = {0, 1, 2};
    /// Instead of those. Borrowed.
    std::array<Stream*, 3> streams = {};
    /// Of 0, 1 and 2, whether they are `nonblock` at first (wasi/layout.hpp, fdflags).
    std::array<u16, 3> stdio_flags = {};
    /// Through which the guest's calls wait, borrowed; absent: in the system.
    Waiter* waiter = nullptr;
    u32 descriptors_max = 1024;
    /// What the guest may learn at all (wasi/access.hpp); everything else traps.
    AccessSet allowed = AccessSet::all();
    /// The least that the guest's monotonic clock tells, in nanoseconds: what an instance has told
    /// before it was frozen, perhaps on another machine. It is added to the host's clock, always,
    /// so that no instance is told less than one that began before, in whichever process.
    u64 monotonic_from_ns = 0;
};

struct Config : Grants {
    std::vector<std::string> args;
    std::vector<std::string> env;  // "NAME=value"
};

/// Strings as preview 1 hands them out: one after the other with their NULs, found by offsets.
/// Whoever made one asks it whether it is_sound() before a guest is given it.
class StringList {
public:
    StringList() = default;
    explicit StringList(std::span<const std::string> strings) { add_each(strings); }
    void reserve(std::size_t strings, std::size_t bytes) {
        offsets_.reserve(strings);
        text_.reserve(bytes);
    }
    /// One string, in parts.
    void add(std::initializer_list<std::string_view> parts);
    void add_each(std::span<const std::string> strings);
    void add_all(const StringList& other);
    /// That no string holds a NUL, and that a guest could address them all. One look at the whole
    /// text: one for each string costs a request more than copying them does.
    [[nodiscard]] bool is_sound() const noexcept;
    [[nodiscard]] const std::vector<u32>& offsets() const noexcept { return offsets_; }
    [[nodiscard]] std::string_view text() const noexcept { return text_; }

private:
    std::vector<u32> offsets_;
    std::string text_;
};

using GenerationId = std::array<u8, 16>;

class State {
public:
    /// Either a state, or what is wrong and what to do about it, for a person.
    struct Made {
        std::unique_ptr<State> state;
        std::string error;
    };
    [[nodiscard]] static Made make(const Config& config);
    /// For hosts that make one for every request: nothing is copied but what a guest may change.
    /// The lists are sound.
    [[nodiscard]] static Made make(const Grants& grants, StringList args, StringList env);

    [[nodiscard]] const StringList& args() const noexcept { return args_; }
    [[nodiscard]] const StringList& env() const noexcept { return env_; }
    [[nodiscard]] AccessSet allowed() const noexcept { return grants_.allowed; }
    [[nodiscard]] Waiter* waiter() const noexcept { return grants_.waiter; }
    /// The kind of the last access that was refused, if one was.
    [[nodiscard]] std::optional<Access> refused() const noexcept { return refused_; }
    void note_refusal(Access kind) noexcept { refused_ = kind; }
    /// What to add to the host's monotonic clock for the guest's.
    [[nodiscard]] u64 monotonic_offset_ns() const noexcept { return grants_.monotonic_from_ns; }
    /// Config::monotonic_from_ns, for who learns it later; before the guest runs.
    void set_monotonic_from(u64 ns) noexcept { grants_.monotonic_from_ns = ns; }
    /// What the guest's monotonic clock tells.
    [[nodiscard]] u64 monotonic_ns() const noexcept;
    /// Random, made when it is asked for first; an error when the system gives none.
    [[nodiscard]] Answer<const GenerationId*> generation_id() noexcept;
    [[nodiscard]] DescriptorTable& descriptors() noexcept {
        is_used_ = true;
        return descriptors_;
    }

    /// From now on 0, 1 and 2 are granted with the flags that they have: for instances whose memory
    /// begins where this guest's is, and remembers what it has set. What to grant them.
    [[nodiscard]] std::array<u16, 3> keep_stdio_flags() noexcept;
    /// The first descriptor that is not as it was granted: opened, closed or changed since. What
    /// the config borrows must still be there. An error like reset()'s in `why`.
    [[nodiscard]] std::optional<u32> find_changed_descriptor(std::string& why) const;

    /// Makes the descriptors what they were at first, for the next guest: what was opened is
    /// closed, and what was granted is opened again. Like make(), what is wrong or nothing; then
    /// the state is of no use. What the config borrows must still be there. The next guest is
    /// another generation; random numbers and clocks are the system's.
    [[nodiscard]] std::string reset();

private:
    State(const Grants& grants, StringList args, StringList env)
        : grants_{grants},
          args_{std::move(args)},
          env_{std::move(env)},
          descriptors_{grants.descriptors_max} {}
    [[nodiscard]] std::string grant_descriptors(DescriptorTable& table) const;

    Grants grants_;
    StringList args_;
    StringList env_;
    DescriptorTable descriptors_;
    std::optional<GenerationId> generation_id_;
    std::optional<Access> refused_;
    bool is_used_ = false;  // the descriptors may not be as they were granted
};

}  // namespace wrun::wasi
