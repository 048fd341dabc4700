// Running in a process of one's own, whatever happens there, and counting what came of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>

#include "spec-tests/isolate.hpp"
#include "spec-tests/report.hpp"

namespace wrun::spec {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using enum Status;

IsolatedRun run(std::size_t count, std::function<Status(std::size_t)> step) {
    return run_isolated(count, 1, {[] { return true; }, std::move(step), [] {}});
}

TEST(Isolate, StatusesComeBack) {
    const IsolatedRun result = run(3, [](std::size_t i) { return i == 1 ? failed : passed; });
    EXPECT_THAT(result.statuses, ElementsAre(passed, failed, passed));
    EXPECT_EQ(result.problem, "");
}

TEST(Isolate, CrashKeepsWhatWasDone) {
    const IsolatedRun result = run(3, [](std::size_t i) {
        // Not a segmentation fault, which sanitizers turn into a report.
        if (i == 1) std::raise(SIGKILL);
        return passed;
    });
    EXPECT_THAT(result.statuses, ElementsAre(passed, not_run, not_run));
    EXPECT_EQ(result.last, 1U);
    EXPECT_THAT(result.problem, HasSubstr("died: Killed"));
}

TEST(Isolate, EndlessLoopEnds) {
    const IsolatedRun result = run(2, [](std::size_t i) {
        while (i == 1)
            pause();
        return passed;
    });
    EXPECT_THAT(result.statuses, ElementsAre(passed, not_run));
    EXPECT_EQ(result.problem, "the script took longer than 1 s");
}

TEST(Isolate, EarlyExitIsSeen) {
    const IsolatedRun result = run(2, [](std::size_t i) {
        if (i == 1) _exit(0);
        return passed;
    });
    EXPECT_THAT(result.statuses, ElementsAre(passed, not_run));
    EXPECT_NE(result.problem, "");
}

TEST(Isolate, NothingRunsWhereBeginFails) {
    const IsolatedRun result =
        run_isolated(1, 1, {[] { return false; }, [](std::size_t) { return passed; }, [] {}});
    EXPECT_THAT(result.statuses, ElementsAre(not_run));
    EXPECT_THAT(result.problem, HasSubstr("exit code 1"));
}

TEST(Report, StepsCountOnlyWhenTheyFail) {
    Counts counts;
    counts.add(CommandKind::module, passed);
    counts.add(CommandKind::register_, failed);
    counts.add(CommandKind::assert_return, passed);
    counts.add(CommandKind::assert_trap, failed);
    counts.add(CommandKind::assert_invalid, not_run);
    counts.add(CommandKind::assert_malformed_text, skipped);
    EXPECT_EQ(describe(counts.total()), "1 passed, 3 failed, 1 skipped");
}

TEST(Report, SummaryEndsInTotals) {
    ScriptReport report{{"s", "p", "s/a.wast"}, {}};
    report.counts.add(CommandKind::assert_return, passed);
    report.counts.add(CommandKind::assert_malformed_text, skipped);
    ScriptReport other{{"t", "p", "t/b.wast"}, {}};
    other.counts.outside = 1;
    EXPECT_EQ(summary({report, other}),
        "s: 1 files, 1 passed, 0 failed, 1 skipped\n"
        "t: 1 files, 0 passed, 1 failed, 0 skipped\n"
        "skipped: assert_malformed_text 1\n"
        "1 passed, 1 failed, 1 skipped\n");
    EXPECT_EQ(csv({report, other}),
        "set,file,kind,passed,failed,skipped\n"
        "s,a.wast,assert_return,1,0,0\n"
        "s,a.wast,assert_malformed_text,0,0,1\n"
        "t,b.wast,script,0,1,0\n");
}

}  // namespace
}  // namespace wrun::spec
