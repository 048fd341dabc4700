// The jump table and its stub, with a compiler that destroys all that it may: what a function is
// called with is what it gets, however often, and an answer that is a trap leaves the guest.
#include "runtime/lazy_code.hpp"

#include <gtest/gtest.h>

#include <memory>

#include "tests/runtime/guest.hpp"

// Its arguments: the integers, each times its number, and the lower halves of the vectors likewise.
// clang-format off
asm(R"(
    .intel_syntax noprefix
    .pushsection .rodata
    .globl wrun_test_sum_begin, wrun_test_sum_end
wrun_test_sum_begin:
    mov rax, rdi
    imul rsi, rsi, 2
    add rax, rsi
    imul r8, r8, 3
    add rax, r8
    imul r9, r9, 4
    add rax, r9
    imul r10, r10, 5
    add rax, r10
    imul rdx, rdx, 6
    add rax, rdx
    .irp number, 4, 5, 6, 7, 8, 9, 10, 11
    movq rcx, xmm\number
    imul rcx, rcx, \number + 3
    add rax, rcx
    punpckhqdq xmm\number, xmm\number
    movq rcx, xmm\number
    imul rcx, rcx, \number + 11
    add rax, rcx
    .endr
    ret
wrun_test_sum_end:
    .popsection
    .att_syntax prefix
)");
// clang-format on
extern "C" const wrun::u8 wrun_test_sum_begin[];
extern "C" const wrun::u8 wrun_test_sum_end[];

namespace wrun::test {
namespace {

using runtime::HelperResult;
using runtime::LazyCode;

/// Three functions, all the one above.
class LazyStub : public ::testing::Test {
protected:
    static constexpr u32 functions = 3;

    LazyStub() {
        code_ = LazyCode::make(functions, 4096, {compile, this}).take();
        image_.code = code_->data();
        image_.code_bytes = static_cast<u32>(code_->size());
        image_.function_count = functions;
        image_.lazy = &code_->units();
        guest_.context.image = &image_;
        guest_.context.lazy_call = wrun_lazy_call;
    }
    GuestRun run(u32 function) {
        GuestRun run;
        for (u32 i = 0; i < run.arguments.integers.size(); ++i)
            run.arguments.integers[i] = 1'000 + i;
        for (u32 i = 0; i < run.arguments.floats.size(); ++i)
            run.arguments.floats[i] = {20'000 + i, 300'000 + i};
        run.record.guest_rsp = guest_.stack.high();
        run.record.stack_low = guest_.stack.low();
        run.record.stack_high = guest_.stack.high();
        run.status = runtime::enter_guest(
            run.record, code_->data() + code_->entry(function), &guest_.context, run.arguments);
        return run;
    }
    static u64 expected() {
        u64 sum = 0;
        for (u64 i = 0; i < 6; ++i)
            sum += (1'000 + i) * (i + 1);
        for (u64 i = 0; i < 8; ++i)
            sum += (20'000 + i) * (i + 7) + (300'000 + i) * (i + 15);
        return sum;
    }

    u32 compiled_ = 0;
    bool refuses_ = false;
    Guest guest_;
    std::unique_ptr<LazyCode> code_;

private:
    static HelperResult compile(void* self, u32 function) {
        auto& test = *static_cast<LazyStub*>(self);
        const HelperResult result = test.add(function);
        // Whatever a function of C++ may.
        asm volatile(
            "pcmpeqd %%xmm4, %%xmm4\n pcmpeqd %%xmm5, %%xmm5\n pcmpeqd %%xmm6, %%xmm6\n"
            "pcmpeqd %%xmm7, %%xmm7\n pcmpeqd %%xmm8, %%xmm8\n pcmpeqd %%xmm9, %%xmm9\n"
            "pcmpeqd %%xmm10, %%xmm10\n pcmpeqd %%xmm11, %%xmm11\n"
            "mov $-1, %%rdi\n mov $-1, %%rsi\n mov $-1, %%r8\n mov $-1, %%r9\n mov $-1, %%r10\n"
            :
            :
            : "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "rdi", "rsi", "r8",
            "r9", "r10");
        return result;
    }
    HelperResult add(u32 function) {
        ++compiled_;
        if (refuses_) return {0, trapped(runtime::TrapCode::not_compiled)};
        const std::span bytes{wrun_test_sum_begin, wrun_test_sum_end};
        const LazyCode::Lock lock;
        const u32 at = code_->place(lock, bytes.size()).value();
        const u32 end = at + static_cast<u32>(bytes.size());
        function_codes_[function] = {at, end, 0};
        units_[function] = {at, end, function, 1, &function_codes_[function], nullptr, 0};
        EXPECT_TRUE(code_->add(lock, units_[function], bytes).ok());
        return {reinterpret_cast<u64>(code_->data() + at), 0};
    }

    runtime::CodeImage image_{};
    std::array<runtime::FunctionCode, functions> function_codes_{};
    std::array<runtime::CodeUnit, functions> units_{};
};

TEST_F(LazyStub, PassesAllArgumentsOn) {
    for (u32 function = 0; function < functions; ++function) {
        const u32 entry = code_->entry(function);
        EXPECT_EQ(entry, function * runtime::jump_table_entry_bytes);
        for (int i = 0; i < 3; ++i) {
            const GuestRun done = run(function);
            EXPECT_EQ(done.status, runtime::entry_status::returned);
            EXPECT_EQ(done.value(), expected());
        }
        EXPECT_EQ(compiled_, function + 1) << "each once";
        EXPECT_NE(code_->entry(function), entry);
    }
    EXPECT_TRUE(code_->is_complete());
}

TEST_F(LazyStub, LeavesTheGuestWithATrap) {
    refuses_ = true;
    for (u32 i = 1; i < 3; ++i) {
        EXPECT_EQ(run(1).status, trapped(runtime::TrapCode::not_compiled));
        EXPECT_EQ(compiled_, i) << "and is asked again";
    }
    refuses_ = false;
    EXPECT_EQ(run(1).value(), expected());
}

}  // namespace
}  // namespace wrun::test
