// See lazy_code.hpp.
#include "runtime/lazy_code.hpp"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/check.hpp"
#include "runtime/entry.hpp"
#include "runtime/memory_object.hpp"
#include "runtime/x64/jump_table.hpp"

namespace wrun::runtime {

constinit LazyCode* LazyCode::first_ = nullptr;

namespace {

constinit std::mutex adding;
constinit std::atomic<u32> forks = 0;

/// Compiling needs less than half of this of the host's stack, in a build that is optimised.
constexpr u64 host_stack_room_min = 48 * 1024;
constexpr u64 unit_alignment = 64;

[[nodiscard]] constexpr u64 round_up(u64 value, u64 alignment) noexcept {
    return (value + alignment - 1) & ~(alignment - 1);
}

template <class T>
[[nodiscard]] std::atomic_ref<T> word(const os::MappedRegion& region, u64 index) noexcept {
    return std::atomic_ref<T>{reinterpret_cast<T*>(region.data())[index]};
}

[[nodiscard]] u32 entry_offset(u32 function) noexcept {
    return function * jump_table_entry_bytes;
}

[[nodiscard]] u32 code_of(const CodeUnit& unit, u32 function) noexcept {
    return unit.functions[function - unit.first_function].code_begin;
}

}  // namespace

LazyCode::Lock::Lock() {
    adding.lock();
}

LazyCode::Lock::~Lock() {
    adding.unlock();
}

// ---- making one --------------------------------------------------------------------------------

Result<std::unique_ptr<LazyCode>> LazyCode::make(
    u32 function_count, u64 code_bytes, Compiler compiler) {
    static const bool survives_forks =
        pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child) == 0;
    if (!survives_forks) return Error{ErrorCode::out_of_memory};
    std::unique_ptr<LazyCode> made{new LazyCode{function_count, compiler}};
    WRUN_TRY(made->open(code_bytes));
    const Lock lock;
    made->next_ = first_;
    if (first_ != nullptr) first_->previous_ = made.get();
    first_ = made.get();
    return made;
}

Result<void> LazyCode::open(u64 code_bytes) {
    const u64 pointers_bytes = u64{function_count_} * sizeof(CodeUnit*);
    unit_list_ = WRUN_TRY(os::MappedRegion::allocate(pointers_bytes));
    function_units_ = WRUN_TRY(os::MappedRegion::allocate(pointers_bytes));
    units_.owner = this;
    units_.units = reinterpret_cast<const CodeUnit* const*>(unit_list_.data());
    const u64 thunk = u64{function_count_} * jump_table_entry_bytes;
    table_bytes_ = os::round_up_to_page(thunk);
    code_begin_ = static_cast<u32>(round_up(thunk + x64::lazy_thunk.size(), unit_alignment));
    code_end_ = code_begin_;
    // Offsets are 31 bits, as a rel32 must reach from any place to any other.
    const u64 bytes = os::round_up_to_page(code_begin_ + code_bytes);
    if (bytes > 0x7fff'0000) return Error{ErrorCode::code_too_large};
    file_ = make_memory_object("wrun-lazy-code", bytes);
    if (file_ < 0) return Error{ErrorCode::out_of_memory};
    region_ = WRUN_TRY(CodeRegion::share(file_, bytes));
    std::vector<u64> table(function_count_);
    for (u32 i = 0; i < function_count_; ++i)
        table[i] = x64::unresolved_entry(entry_offset(i), static_cast<u32>(thunk));
    WRUN_TRY(write_memory_object(
        file_, 0, {reinterpret_cast<const u8*>(table.data()), table.size() * sizeof(u64)}));
    WRUN_TRY(write_memory_object(file_, thunk, x64::lazy_thunk));
    if (!map_table(file_)) return Error{ErrorCode::out_of_memory, static_cast<u16>(errno)};
    return {};
}

/// The alias, in the place of the former one if there is any.
bool LazyCode::map_table(int file) noexcept {
    const int placing = table_ != nullptr ? MAP_FIXED : 0;
    void* const table =
        mmap(table_, table_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | placing, file, 0);
    if (table == MAP_FAILED) return false;
    table_ = static_cast<u64*>(table);
    return true;
}

LazyCode::~LazyCode() {
    const Lock lock;
    close_object();
    if (previous_ != nullptr) previous_->next_ = next_;
    if (next_ != nullptr) next_->previous_ = previous_;
    if (first_ == this) first_ = next_;
}

void LazyCode::close_object() noexcept {
    if (table_ != nullptr) (void)munmap(table_, table_bytes_);
    if (file_ >= 0) (void)close(file_);
    table_ = nullptr;
    file_ = -1;
}

// ---- looking and adding ------------------------------------------------------------------------

const CodeUnit* LazyCode::unit_of(u32 function) const noexcept {
    return word<const CodeUnit*>(function_units_, function).load(std::memory_order_acquire);
}

u32 LazyCode::entry(u32 function) const noexcept {
    const CodeUnit* const unit = unit_of(function);
    return unit == nullptr ? entry_offset(function) : code_of(*unit, function);
}

Result<u32> LazyCode::place(const Lock&, u64 bytes) const noexcept {
    const u64 begin = round_up(code_end_, unit_alignment);
    if (file_ < 0) return Error{ErrorCode::out_of_memory};
    if (bytes > size() || begin > size() - bytes) return Error{ErrorCode::code_too_large};
    return static_cast<u32>(begin);
}

Result<void> LazyCode::add(const Lock&, const CodeUnit& unit, std::span<const u8> code) noexcept {
    WRUN_CHECK(unit.code_begin >= code_end_ && unit.code_end <= size());
    WRUN_CHECK(unit.code_end - unit.code_begin == code.size());
    WRUN_CHECK(unit.first_function + unit.function_count <= function_count_);
    WRUN_TRY(write_memory_object(file_, unit.code_begin, code));
    code_end_ = unit.code_end;
    const u32 number = units_.count.load(std::memory_order_relaxed);
    WRUN_CHECK(number < function_count_);
    word<const CodeUnit*>(unit_list_, number).store(&unit, std::memory_order_relaxed);
    units_.count.store(number + 1, std::memory_order_release);
    u32 added = 0;
    for (u32 i = 0; i < unit.function_count; ++i) {
        const u32 function = unit.first_function + i;
        if (unit_of(function) != nullptr) continue;
        lead_to(function, unit);
        ++added;
    }
    WRUN_CHECK(added != 0);
    if (compiled_.fetch_add(added, std::memory_order_release) + added == function_count_) {
        close_object();
        region_.shrink(os::round_up_to_page(code_end_));
    }
    return {};
}

void LazyCode::lead_to(u32 function, const CodeUnit& unit) noexcept {
    word<const CodeUnit*>(function_units_, function).store(&unit, std::memory_order_release);
    const u64 entry = x64::resolved_entry(entry_offset(function), code_of(unit, function));
    std::atomic_ref<u64>{table_[function]}.store(entry, std::memory_order_release);
}

// ---- fork() ------------------------------------------------------------------------------------

u32 LazyCode::fork_generation() noexcept {
    return forks.load(std::memory_order_relaxed);
}

void LazyCode::before_fork() noexcept {
    adding.lock();
}

void LazyCode::after_fork_in_parent() noexcept {
    adding.unlock();
}

void LazyCode::after_fork_in_child() noexcept {
    forks.fetch_add(1, std::memory_order_relaxed);
    for (LazyCode* each = first_; each != nullptr; each = each->next_)
        each->unshare();
    adding.unlock();
}

Result<int> LazyCode::make_object() const noexcept {
    const int file = make_memory_object("wrun-lazy-code", size());
    if (file < 0) return Error{ErrorCode::out_of_memory};
    const auto copied = write_memory_object(file, 0, {data(), code_end_});
    if (copied.ok()) return file;
    (void)close(file);
    return copied.error();
}

/// The parent goes on writing to the object. Its entries may lead to what this process has not
/// heard of, so they are written anew. Where no object can be had, nothing is added any more.
void LazyCode::unshare() noexcept {
    if (file_ < 0) return;
    const auto object = make_object();
    const int shared = file_;
    file_ = -1;
    if (object.ok()) {
        const int own = object.value();
        const u32 thunk = entry_offset(function_count_);
        if (map_table(own)) {
            for (u32 i = 0; i < function_count_; ++i) {
                const u32 target = entry(i);
                const bool has_code = target != entry_offset(i);
                table_[i] = has_code ? x64::resolved_entry(entry_offset(i), target)
                                     : x64::unresolved_entry(entry_offset(i), thunk);
            }
            if (region_.share_instead(own)) file_ = own;
        }
        if (file_ < 0) (void)close(own);
    }
    (void)close(shared);
}

// ---- from the stub -----------------------------------------------------------------------------

// Its result is none of C's types.
HelperResult compile_function(const Context* context, u64 behind_call) noexcept
    __asm__("wrun_compile_function");

/// `behind_call` is in the jump table's entry of the function that was called.
HelperResult compile_function(const Context* context, u64 behind_call) noexcept {
    constexpr u64 stack_overflow =
        entry_status::trap_base + to_underlying(TrapCode::stack_overflow);
    if (host_stack_room() < host_stack_room_min) return {0, stack_overflow};
    const CodeImage& image = *context->image;
    const u64 offset = behind_call - reinterpret_cast<u64>(image.code);
    const LazyCode& code = *image.lazy->owner;
    const u32 function = static_cast<u32>(offset / jump_table_entry_bytes);
    WRUN_CHECK(function < code.function_count());
    return code.compiler().compile(code.compiler().self, function);
}

}  // namespace wrun::runtime
