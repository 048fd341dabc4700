// A running guest for tests of the runtime: the functions of guest_code.hpp published as an image,
// one context with one memory and one table, a stack. Owns everything; several may live side by
// side.
#pragma once

#include <memory>

#include "runtime/code_range.hpp"
#include "runtime/entry.hpp"
#include "runtime/instance.hpp"
#include "runtime/stack.hpp"
#include "runtime/trace.hpp"
#include "tests/runtime/guest_code.hpp"

namespace wrun::test {

struct GuestOptions {
    u64 stack_bytes = 256 * 1024;
    Limits memory{1, 4, false, false};
    Limits table{4, 16, false, false};
};

/// What a run left: the entry status, the arguments with their results, the record with the place.
struct GuestRun {
    u64 status = 0;
    runtime::EntryArguments arguments{};
    runtime::EntryRecord record{};

    [[nodiscard]] u64 value() const { return arguments.integer_result; }
};

class Guest {
public:
    explicit Guest(const GuestOptions& options = {});
    ~Guest();
    Guest(const Guest&) = delete;
    Guest& operator=(const Guest&) = delete;

    /// Integer arguments only, at most six.
    GuestRun run(GuestFunction function, std::initializer_list<u64> integers = {});
    /// With `guest_rsp` as far below the stack's top as asked.
    GuestRun run_at(
        u64 guest_rsp, GuestFunction function, std::initializer_list<u64> integers = {});
    void run(GuestFunction function, GuestRun& run);

    /// A record of one of the functions in this guest's context.
    runtime::FuncRecord record(GuestFunction function, u16 stack_arg_slots = 0);
    [[nodiscard]] const void* entry(GuestFunction function) const;

    runtime::GuestStack stack;
    std::unique_ptr<runtime::Memory> memory;
    std::unique_ptr<runtime::Table> table;
    runtime::Context context{};
    runtime::Instance instance;

private:
    runtime::CodeRegion code_;
    std::vector<runtime::FunctionCode> functions_;
    std::vector<runtime::TrapRow> rows_;
    runtime::CodeImage image_{};
    runtime::Memory* memories_[1] = {};
    runtime::Table* tables_[1] = {};
    std::vector<u64> dropped_ = std::vector<u64>(2);
};

/// A host function of a test: what it is called with goes to a callable.
struct TestHostFunction : runtime::HostFunction {
    u64 (*body)(runtime::HostCallArea& area, runtime::Context* caller, const u64* stack_args,
        void* env) = nullptr;
    void* env = nullptr;
    runtime::FuncRecord record{};

    TestHostFunction(decltype(body) callback, void* environment, u16 stack_arg_slots = 0);
};

/// The status of a run that ended in a trap.
[[nodiscard]] constexpr u64 trapped(runtime::TrapCode code) {
    return runtime::entry_status::trap_base + static_cast<u8>(code);
}

}  // namespace wrun::test
