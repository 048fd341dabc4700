// Lines for a log whose reader is fast, slow, stuck or gone: they are whole and in order, and what
// is lost is counted and said.
#include "http/operations/journal.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <unistd.h>

#include <csignal>
#include <span>
#include <thread>
#include <vector>

#include "base/os_file.hpp"
#include "http/operations/access_log.hpp"

namespace wrun::http {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::MatchesRegex;
using testing::Not;
using testing::SizeIs;

std::string lost(u64 lines) {
    return std::to_string(lines) + " lost";
}

/// A pipe that a test reads when it likes. Writing to it waits, as to standard error, or does not.
class Pipe {
public:
    explicit Pipe(bool waits) {
        EXPECT_EQ(::pipe2(ends_, O_CLOEXEC), 0);
        ::fcntl(ends_[0], F_SETFL, O_NONBLOCK);
        if (!waits) ::fcntl(ends_[1], F_SETFL, O_NONBLOCK);
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    ~Pipe() {
        stop_reading();
        ::close(ends_[1]);
    }

    [[nodiscard]] int in() const { return ends_[1]; }
    void stop_reading() {
        if (ends_[0] >= 0) ::close(ends_[0]);
        ends_[0] = -1;
    }
    /// Whole lines, up to one that ends so; without it when nothing more comes for some time.
    [[nodiscard]] std::vector<std::string> lines_until(std::string_view end) {
        std::vector<std::string> lines;
        for (;;) {
            for (auto at = text_.find('\n'); at != text_.npos; at = text_.find('\n')) {
                lines.push_back(text_.substr(0, at));
                text_.erase(0, at + 1);
                if (lines.back().ends_with(end)) return lines;
            }
            pollfd one{ends_[0], POLLIN, 0};
            if (::poll(&one, 1, 10'000) != 1) return lines;
            char piece[65536];
            const ssize_t count = ::read(ends_[0], piece, sizeof piece);
            if (count > 0) text_.append(piece, static_cast<std::size_t>(count));
        }
    }

private:
    int ends_[2] = {-1, -1};
    std::string text_;
};

std::unique_ptr<Journal> journal_to(int file) {
    return Journal::make(file, &lost).take();
}

/// Every other one is short: it would fit where its predecessor does not.
std::string line_of(u64 number) {
    return std::to_string(number) + std::string(number % 2 == 0 ? 10'000 : 10, 'x');
}

/// More than is kept while nobody reads, until some are lost; gives back how many lines it gave.
u64 fill(Journal& journal) {
    u64 given = 0;
    while (journal.lost() < 100)
        journal.add(line_of(given++));
    return given;
}

bool soon_has_lost(const Journal& journal, u64 lines) {
    for (int i = 0; i < 10'000 && journal.lost() != lines; i++)
        ::usleep(1000);
    return journal.lost() == lines;
}

/// Files where writing waits, as standard error, and others: they are written in different ways.
class JournalTest : public testing::TestWithParam<bool> {
protected:
    JournalTest() { std::signal(SIGPIPE, SIG_IGN); }
    ~JournalTest() override { std::signal(SIGPIPE, SIG_DFL); }
    Pipe pipe_{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Waits, JournalTest, testing::Bool());

TEST_P(JournalTest, LinesAreWholeAndInOrder) {
    const auto journal = journal_to(pipe_.in());
    constexpr std::size_t count = 4, lines = 200;  // less than what may wait
    std::vector<std::thread> threads;
    for (std::size_t number = 0; number < count; number++) {
        threads.emplace_back([&journal, number] {
            for (std::size_t i = 0; i < lines; i++)
                journal->add(
                    std::to_string(number) + std::string(i % 9 * 1000, 'x') + std::to_string(i));
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    journal->add("end");
    std::size_t next[count] = {};
    const std::vector<std::string> got = pipe_.lines_until("end");
    ASSERT_EQ(got.size(), count * lines + 1);
    for (const std::string& line : std::span{got}.first(count * lines)) {
        const auto number = static_cast<std::size_t>(line.front() - '0');
        ASSERT_LT(number, count) << line;
        const std::size_t i = next[number]++;
        EXPECT_EQ(line.substr(1), std::string(i % 9 * 1000, 'x') + std::to_string(i));
    }
    EXPECT_EQ(journal->lost(), 0u);
}

TEST_P(JournalTest, LinesAreLostRatherThanWaitedForAndSaid) {
    const auto journal = journal_to(pipe_.in());
    const u64 given = fill(*journal);
    const u64 lost = journal->lost();
    // They are said where they are missing, without a line that comes later.
    u64 next = 0, said = 0;
    while (next < given) {
        const std::vector<std::string> got = pipe_.lines_until(" lost");
        ASSERT_THAT(got, Not(IsEmpty())) << next << " of " << given;
        for (const std::string& line : got) {
            if (line.ends_with(" lost")) {
                said += std::stoull(line);
                next += std::stoull(line);
            } else {
                EXPECT_EQ(line, line_of(next++));
            }
        }
    }
    EXPECT_EQ(next, given);
    EXPECT_EQ(said, lost);
    journal->add("again");
    EXPECT_THAT(pipe_.lines_until("again"), ElementsAre("again"));
    EXPECT_EQ(journal->lost(), lost);
}

TEST_P(JournalTest, OneLineThatIsTooLongIsLostAlone) {
    const auto journal = journal_to(pipe_.in());
    journal->add(std::string(Journal::bytes_max, 'x'));
    EXPECT_EQ(journal->lost(), 1u);
    journal->add("a");
    journal->add("b");
    EXPECT_THAT(pipe_.lines_until("b"), IsSupersetOf({"a", "b"}));
}

TEST_P(JournalTest, WhatIsThereAtTheEndIsWritten) {
    auto journal = journal_to(pipe_.in());
    for (const char* const line : {"a", "b", "c"})
        journal->add(line);
    journal.reset();
    EXPECT_THAT(pipe_.lines_until("c"), ElementsAre("a", "b", "c"));
}

TEST_P(JournalTest, TheEndDoesNotWaitForWhoDoesNotRead) {
    auto journal = journal_to(pipe_.in());
    (void)fill(*journal);
    journal.reset();  // comes back
    EXPECT_THAT(pipe_.lines_until(line_of(0)), SizeIs(1));
}

TEST_P(JournalTest, WhatAFileRefusesIsLostAndSaidInTheNext) {
    const os::File full{::open("/dev/full", O_WRONLY | O_CLOEXEC | (GetParam() ? 0 : O_NONBLOCK))};
    ASSERT_TRUE(full);
    Pipe gone{GetParam()};
    gone.stop_reading();
    for (const int refusing : {full.number(), gone.in()}) {
        const auto journal = journal_to(refusing);
        for (u64 lines = 1; lines <= 3; lines++) {
            journal->add("a");
            ASSERT_TRUE(soon_has_lost(*journal, lines)) << journal->lost();
        }
        journal->set_file(pipe_.in());
        journal->add("b");
        journal->add("c");
        EXPECT_THAT(pipe_.lines_until("c"), ElementsAre("3 lost", "b", "c"));
        EXPECT_EQ(journal->lost(), 3u);
    }
}

TEST(LostLine, IsALineOfItsLog) {
    const std::string time = "....-..-..T..:..:..\\....Z";
    EXPECT_THAT(lost_line(LogFormat::text)(1), MatchesRegex(time + " wrun: 1 line was lost here"));
    EXPECT_THAT(lost_line(LogFormat::json)(20),
        MatchesRegex("\\{\"time\":\"" + time +
                     "\",\"kind\":\"server\",\"line\":\"20 lines were lost here\"\\}"));
}

}  // namespace
}  // namespace wrun::http
