// Guests of the runtime's tests.
#include "tests/runtime/guest.hpp"

#include <algorithm>
#include <cstring>

#include "base/check.hpp"
#include "runtime/signals.hpp"

namespace wrun::test {

namespace {

template <class T>
T must(Result<T> result) {
    WRUN_CHECK(result.ok());
    return std::move(result).take();
}

}  // namespace

Guest::Guest(const GuestOptions& options) {
    WRUN_CHECK(runtime::reserve_code_range().ok());
    WRUN_CHECK(runtime::install_signal_handlers().ok());
    WRUN_CHECK(runtime::prepare_thread_for_signals().ok());
    stack = must(runtime::GuestStack::make(options.stack_bytes));
    memory = must(runtime::Memory::make({options.memory}, ~u64{0}));
    table = must(runtime::Table::make({type_funcref, options.table}, ~u64{0}, 0));

    const auto bytes = guest_code();
    auto writer = must(runtime::CodeWriter::make(bytes.size()));
    WRUN_CHECK(writer.write(0, bytes).ok());
    code_ = must(std::move(writer).publish(os::round_up_to_page(bytes.size())));
    functions_ = guest_functions();
    rows_ = guest_rows();
    image_ = {code_.data(), static_cast<u32>(bytes.size()), static_cast<u32>(functions_.size()),
        functions_.data(), rows_.data(), static_cast<u32>(rows_.size()), 0};
    runtime::register_image(image_, this);

    memories_[0] = memory.get();
    tables_[0] = table.get();
    instance.context = &context;
    instance.memories = memories_;
    instance.tables = tables_;
    instance.dropped_data = runtime::DroppedSet{std::span{dropped_}.first(1)};
    instance.dropped_elems = runtime::DroppedSet{std::span{dropped_}.subspan(1)};
    context.memory_base = memory->base();
    context.switch_call = wrun_switch_call;
    context.helper_call = wrun_helper_call;
    context.results = stack.results();
    context.stack_limit = stack.limit();
    context.image = &image_;
    context.instance = &instance;
}

Guest::~Guest() {
    runtime::forget_image(image_);
}

const void* Guest::entry(GuestFunction function) const {
    return code_.data() + functions_[static_cast<u32>(function)].code_begin;
}

runtime::FuncRecord Guest::record(GuestFunction function, u16 stack_arg_slots) {
    return {entry(function), &context, 7, static_cast<u32>(function), stack_arg_slots, 0, 0};
}

void Guest::run(GuestFunction function, GuestRun& run) {
    if (run.record.guest_rsp == 0) run.record.guest_rsp = stack.high();
    run.record.stack_low = stack.low();
    run.record.stack_high = stack.high();
    run.status = runtime::enter_guest(run.record, entry(function), &context, run.arguments);
}

GuestRun Guest::run_at(u64 guest_rsp, GuestFunction function, std::initializer_list<u64> integers) {
    GuestRun result;
    result.record.guest_rsp = guest_rsp;
    std::copy(integers.begin(), integers.end(), result.arguments.integers.begin());
    run(function, result);
    return result;
}

GuestRun Guest::run(GuestFunction function, std::initializer_list<u64> integers) {
    return run_at(stack.high(), function, integers);
}

TestHostFunction::TestHostFunction(decltype(body) callback, void* environment, u16 stack_arg_slots)
    : body{callback}, env{environment} {
    dispatch = [](runtime::HostFunction& self, const runtime::FuncRecord&,
                   runtime::HostCallArea& area, runtime::Context* caller, const u64* stack_args) {
        auto& function = static_cast<TestHostFunction&>(self);
        return function.body(area, caller, stack_args, function.env);
    };
    record = {nullptr,
        reinterpret_cast<runtime::Context*>(static_cast<runtime::HostFunction*>(this)), 7, 0,
        stack_arg_slots, runtime::FuncRecord::flag_host, 0};
}

}  // namespace wrun::test
