// The code of an image whose functions are compiled one by one while others run: one range of the
// code range over a memory object, which code is appended to by system calls.
//
//   0            jump table   8 bytes for each function: `call` the thunk, later `jmp` its code
//                thunk        `jmp [r14 + lazy_call]`
//   code_begin   units        in the order they were added; the object is sparse behind them
//
// Only the jump table is mapped a second time, writable, and only until all functions have code.
// What explains a unit is published before the entries that lead to it. Functions may be compiled
// twice, the first to come is kept: so nobody ever waits for another thread, which may not even be
// there in a forked process.
//
// A child of fork() gets an object of its own before fork() returns, because parent and child would
// write different code to the same places. One lock is over the adding of code to all images and
// over fork(): it is held for microseconds, and whoever forks holds it.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <span>

#include "base/os_memory.hpp"
#include "base/result.hpp"
#include "runtime/abi.hpp"
#include "runtime/code_range.hpp"

namespace wrun::runtime {

class LazyCode;

/// What there is of a lazy image: `count` grows, units are never changed.
struct LazyUnits {
    const LazyCode* owner = nullptr;
    const CodeUnit* const* units = nullptr;  // ascending by code
    std::atomic<u32> count = 0;
};

class LazyCode {
public:
    /// Has a function compiled and added, whatever it takes; answers its code or a trap. Called
    /// from generated code, on the host's stack.
    struct Compiler {
        HelperResult (*compile)(void* self, u32 function);
        void* self;
    };
    /// Room for so many functions with so much code. Fails where the system has none for code that
    /// comes in pieces.
    [[nodiscard]] static Result<std::unique_ptr<LazyCode>> make(
        u32 function_count, u64 code_bytes, Compiler compiler);
    ~LazyCode();
    LazyCode(const LazyCode&) = delete;
    LazyCode& operator=(const LazyCode&) = delete;

    [[nodiscard]] const u8* data() const noexcept { return region_.data(); }
    [[nodiscard]] u64 size() const noexcept { return region_.size(); }
    [[nodiscard]] u32 function_count() const noexcept { return function_count_; }
    /// For CodeImage::lazy.
    [[nodiscard]] const LazyUnits& units() const noexcept { return units_; }
    [[nodiscard]] const Compiler& compiler() const noexcept { return compiler_; }

    /// The unit that a function's entry leads to, or null.
    [[nodiscard]] const CodeUnit* unit_of(u32 function) const noexcept;
    /// What reaches a function: its code or, before there is any, its entry of the jump table.
    [[nodiscard]] u32 entry(u32 function) const noexcept;
    [[nodiscard]] bool is_complete() const noexcept {
        return compiled_.load(std::memory_order_acquire) == function_count_;
    }

    /// Whoever holds one is the only thread that adds code, anywhere.
    class Lock {
    public:
        Lock();
        ~Lock();
        Lock(const Lock&) = delete;
        Lock& operator=(const Lock&) = delete;
    };
    /// Where so much code would come to lie.
    [[nodiscard]] Result<u32> place(const Lock&, u64 bytes) const noexcept;
    /// Puts the code of a unit there and leads to those of its functions that had none, which must
    /// be at least one. The unit is borrowed; nothing of it changes any more.
    [[nodiscard]] Result<void> add(
        const Lock&, const CodeUnit& unit, std::span<const u8> code) noexcept;

    /// How often the process was forked, as seen by this one.
    [[nodiscard]] static u32 fork_generation() noexcept;

private:
    LazyCode(u32 function_count, Compiler compiler) noexcept
        : compiler_{compiler}, function_count_{function_count} {}
    [[nodiscard]] Result<void> open(u64 code_bytes);
    [[nodiscard]] Result<int> make_object() const noexcept;
    [[nodiscard]] bool map_table(int file) noexcept;
    void lead_to(u32 function, const CodeUnit& unit) noexcept;
    void close_object() noexcept;
    void unshare() noexcept;
    static void before_fork() noexcept;
    static void after_fork_in_parent() noexcept;
    static void after_fork_in_child() noexcept;

    const Compiler compiler_;
    const u32 function_count_;
    u32 code_begin_ = 0;
    u32 code_end_ = 0;  // of what has been added
    int file_ = -1;     // none: nothing can be added
    CodeRegion region_;
    u64* table_ = nullptr;  // writable alias of the jump table
    u64 table_bytes_ = 0;
    os::MappedRegion unit_list_;       // const CodeUnit*, in the order added
    os::MappedRegion function_units_;  // const CodeUnit*, of each function
    LazyUnits units_;
    std::atomic<u32> compiled_ = 0;  // functions

    // All that there are, under the lock.
    LazyCode* next_ = nullptr;
    LazyCode* previous_ = nullptr;
    static constinit LazyCode* first_;
};

}  // namespace wrun::runtime
