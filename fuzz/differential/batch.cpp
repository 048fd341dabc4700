// See batch.hpp.
#include "fuzz/differential/batch.hpp"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "fuzz/differential/readings.hpp"

namespace wrun::differ {
namespace {

/// What a child leaves behind when it dies.
struct Shared {
    u64 next;  // number of the module to take next
    BatchCounts counts;
    bool stop;
    bool busy;  // a module has been taken and is not done
    char name[1024];
    char doing[64];
};

/// After so many modules a child ends and another goes on, so that what leaks stays small.
constexpr u32 modules_per_child = 2000;
constexpr int exit_finished = 0;
constexpr int exit_relieved = 3;

template <std::size_t n>
void copy_text(char (&to)[n], std::string_view text) {
    const std::size_t size = std::min(text.size(), n - 1);
    std::memcpy(to, text.data(), size);
    to[size] = 0;
}

void keep_module(const std::string& folder, const Input& input) {
    if (folder.empty()) return;
    const std::string file = input.name.substr(input.name.rfind('/') + 1);
    const std::size_t dot = file.rfind('.');
    std::ofstream out(folder + '/' + file.substr(0, dot) + ".wasm", std::ios::binary);
    out.write(reinterpret_cast<const char*>(input.wasm.data()),
        static_cast<std::streamsize>(input.wasm.size()));
    if (!out) std::fprintf(stderr, "cannot write to %s\n", folder.c_str());
}

/// A child's work, and its engines.
class Worker {
public:
    Worker(Source& source, const BatchOptions& options, Shared& shared)
        : source_{source}, options_{options}, shared_{shared}, second_{make_second_subject(false)} {
        for (const u32 homes : options.homes)
            subjects_.push_back(make_wrun_subject(homes, options.stress, options.bounds));
    }

    [[nodiscard]] int run() {
        // Nobody handles this signal: it ends the process whatever it hangs in.
        std::signal(SIGALRM, SIG_DFL);
        Input input;
        for (u32 done = 0; done < modules_per_child; ++done) {
            input = {};
            if (!source_.get(shared_.next, input)) return exit_finished;
            begin(input);
            const Comparison comparison =
                input.problem.empty() ? compare_engines(input)
                                      : Comparison{Comparison::Kind::skipped, input.problem};
            finish(input, comparison);
            if (shared_.stop) return exit_finished;
        }
        return exit_relieved;
    }

private:
    void begin(const Input& input) {
        ++shared_.next;
        copy_text(shared_.name, input.name);
        shared_.busy = true;
        alarm(options_.timeout_seconds);
    }

    [[nodiscard]] Comparison compare_engines(const Input& input) {
        if (!options_.save_folder.empty()) {
            // Before it can do harm; taken away again when it does none.
            keep_module(options_.save_folder, input);
        }
        copy_text(shared_.doing, second_->name());
        const Transcript second = observe(*second_, input.wasm, options_.observe);
        if (options_.trace) print(second);
        Comparison result;
        for (const auto& subject : subjects_) {
            copy_text(shared_.doing, subject->name());
            const Transcript mine = observe(*subject, input.wasm, options_.observe);
            if (options_.trace) print(mine);
            Comparison comparison = compare_modules(input.wasm, mine, second);
            if (comparison.kind == Comparison::Kind::different)
                return depends_on_nans(input, second) ? nan_dependent() : comparison;
            if (comparison.kind == Comparison::Kind::skipped) result = std::move(comparison);
        }
        return result;
    }

    /// Which NaN an operation makes is the engine's choice; a module that lets its bits be seen
    /// proves nothing.
    [[nodiscard]] bool depends_on_nans(const Input& input, const Transcript& second) {
        if (!canonical_) canonical_ = make_second_subject(true);
        copy_text(shared_.doing, canonical_->name());
        const Transcript other = observe(*canonical_, input.wasm, options_.observe);
        return compare(other, second).kind == Comparison::Kind::different;
    }
    [[nodiscard]] static Comparison nan_dependent() {
        return {Comparison::Kind::skipped, "depends on which NaN an operation makes"};
    }

    void finish(const Input& input, const Comparison& comparison) {
        alarm(0);
        ++shared_.counts.modules;
        const char* word = "same";
        switch (comparison.kind) {
            case Comparison::Kind::same: break;
            case Comparison::Kind::skipped:
                word = "skipped";
                ++shared_.counts.skipped;
                break;
            case Comparison::Kind::different:
                word = "different";
                ++shared_.counts.differences;
                shared_.stop = !options_.keep_going;
                break;
        }
        const bool different = comparison.kind == Comparison::Kind::different;
        if (!different && !options_.save_folder.empty()) forget_module(input);
        if (different || options_.say_each) {
            std::string line = comparison.text.empty() ? "" : ' ' + comparison.text;
            std::replace(line.begin(), line.end(), '\n', ' ');  // one line for one module
            std::printf("%s %s%s\n", word, input.name.c_str(), line.c_str());
            std::fflush(stdout);
        }
        shared_.busy = false;
    }

    void forget_module(const Input& input) const {
        const std::string file = input.name.substr(input.name.rfind('/') + 1);
        const std::string path =
            options_.save_folder + '/' + file.substr(0, file.rfind('.')) + ".wasm";
        std::remove(path.c_str());
    }

    static void print(const Transcript& transcript) {
        std::printf("---- %s\n", transcript.subject.c_str());
        for (const Event& event : transcript.events)
            std::printf("%s\n", text(transcript, event).c_str());
    }

    Source& source_;
    const BatchOptions& options_;
    Shared& shared_;
    std::unique_ptr<Subject> second_;
    std::unique_ptr<Subject> canonical_;  // made when first needed
    std::vector<std::unique_ptr<Subject>> subjects_;
};

[[noreturn]] void fail(const char* what) {
    std::fprintf(stderr, "%s: %s\n", what, std::strerror(errno));
    std::exit(2);
}

Shared& make_shared_memory() {
    void* const mapped =
        mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) fail("cannot map memory");
    return *static_cast<Shared*>(mapped);
}

std::string describe_end(int status, const Shared& shared, u32 timeout_seconds) {
    std::string text = "the process ";
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
        text += "took longer than " + std::to_string(timeout_seconds) + " s";
    } else if (WIFSIGNALED(status)) {
        text += std::string{"died: "} + strsignal(WTERMSIG(status));
    } else {
        text += "ended with exit code " + std::to_string(WEXITSTATUS(status));
    }
    return text + ", in " + shared.doing;
}

}  // namespace

BatchCounts run_batch(Source& source, const BatchOptions& options) {
    Shared& shared = make_shared_memory();
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    for (;;) {
        std::fflush(nullptr);
        const pid_t child = fork();
        if (child < 0) fail("cannot make a process");
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            const int code = Worker{source, options, shared}.run();
            std::fflush(nullptr);
            _exit(code);
        }
        int status = 0;
        while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
        }
        if (WIFEXITED(status) && WEXITSTATUS(status) == exit_finished) break;
        if (WIFEXITED(status) && WEXITSTATUS(status) == exit_relieved) continue;
        if (!shared.busy) {
            std::fprintf(stderr, "a worker broke outside of any module: %s\n",
                describe_end(status, shared, options.timeout_seconds).c_str());
            std::exit(2);
        }
        shared.busy = false;
        ++shared.counts.modules;
        ++shared.counts.differences;
        std::printf("different %s %s\n", shared.name,
            describe_end(status, shared, options.timeout_seconds).c_str());
        if (!options.keep_going) break;
    }
    const BatchCounts counts = shared.counts;
    munmap(&shared, sizeof(Shared));
    return counts;
}

}  // namespace wrun::differ
