// What a whole process takes, from posix_spawn to its end and to its first output, as often as is
// said, one after the other. Prints one JSON object; fails when a process does.
// usage: spawn_bench COUNT EXIT_CODE PROGRAM [ARGUMENT…]
#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "bench/cold/samples.hpp"
#include "bench/cold/subject.hpp"

namespace wrun::cold {

void give_up(std::string_view what, std::string_view why) {
    static_cast<void>(std::fprintf(stderr, "error: spawn_bench: %s: %s\n",
        std::string{what}.c_str(), std::string{why}.c_str()));
    std::exit(1);
}

namespace {

struct Seen {
    u64 first_output = 0;  // 0: nothing came
    u64 whole = 0;
    u64 cpu_ns = 0;
    u64 faults = 0;
    int exit_code = -1;
};

u64 nanoseconds(const timeval& time) noexcept {
    return static_cast<u64>(time.tv_sec) * 1'000'000'000 + static_cast<u64>(time.tv_usec) * 1000;
}

Seen run(const Clock& clock, char** words) {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) give_up("pipe2", std::strerror(errno));
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO);
    Seen seen;
    pid_t process = 0;
    const u64 begin = ticks_at_begin();
    errno = posix_spawnp(&process, words[0], &files, nullptr, words, environ);
    if (errno != 0) give_up(words[0], std::strerror(errno));
    close(ends[1]);
    std::array<char, 65536> text{};
    for (ssize_t got = 1; got > 0;) {
        got = read(ends[0], text.data(), text.size());
        if (got > 0 && seen.first_output == 0) {
            seen.first_output = clock.span(begin, ticks_at_end());
        }
    }
    int status = 0;
    rusage usage{};
    wait4(process, &status, 0, &usage);
    seen.whole = clock.span(begin, ticks_at_end());
    close(ends[0]);
    posix_spawn_file_actions_destroy(&files);
    seen.cpu_ns = nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime);
    seen.faults = static_cast<u64>(usage.ru_minflt + usage.ru_majflt);
    if (WIFEXITED(status)) seen.exit_code = WEXITSTATUS(status);
    return seen;
}

int measure(std::size_t count, int exit_code, char** words) {
    const Clock clock = Clock::calibrated();
    Samples whole{count};
    Samples first_output{count};
    u64 cpu_ns = 0;
    u64 faults = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const Seen seen = run(clock, words);
        if (seen.exit_code != exit_code) {
            static_cast<void>(std::fprintf(stderr, "error: spawn_bench: %s ended with %d, not %d\n",
                words[0], seen.exit_code, exit_code));
            return 1;
        }
        whole.add(seen.whole);
        if (seen.first_output != 0) first_output.add(seen.first_output);
        cpu_ns += seen.cpu_ns / count;
        faults += seen.faults;
    }
    std::printf("{\"whole\":%s,\"first_output\":%s,\"cpu_ns\":%llu,\"faults\":%.1f}\n",
        whole.json(clock).c_str(), first_output.json(clock).c_str(),
        static_cast<unsigned long long>(cpu_ns),
        static_cast<double>(faults) / static_cast<double>(count));
    return 0;
}

}  // namespace
}  // namespace wrun::cold

int main(int argc, char** argv) {
    if (argc < 4 || std::atoi(argv[1]) < 1) {
        static_cast<void>(
            std::fprintf(stderr, "usage: spawn_bench COUNT EXIT_CODE PROGRAM [ARGUMENT...]\n"));
        return 2;
    }
    return wrun::cold::measure(std::strtoul(argv[1], nullptr, 10), std::atoi(argv[2]), argv + 3);
}
