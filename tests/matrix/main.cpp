// The matrix: every operation that computes or accesses memory, with its operands in every place,
// at the edges of their types, under every register pressure, in wrun (several numbers of homes and
// stress modes; accesses also with checked bounds) and in a second engine. Compared are results,
// kinds of traps, what had to survive the operation, and memory.
//   matrix [--few] [--case TEXT] [--list] [--write NUMBER FILE]
// Exit code: 0 all the same, 1 differences or a row without a case, 2 usage, 77 no second engine.
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "fuzz/differential/plan.hpp"
#include "fuzz/differential/subject.hpp"
#include "tests/matrix/module.hpp"

namespace {

using namespace wrun;
using namespace wrun::matrix;
using differ::Ending;
using differ::Subject;

struct Options {
    bool few = false;
    bool list = false;
    std::string only;
    i64 write = -1;
    std::string file;
};

/// What a process leaves behind when it dies.
struct Shared {
    u64 done;  // variants whose module is through, or given up
    u64 tuples;
    u64 traps;
    u32 differences;
    bool busy;
    char doing[256];
};

constexpr u32 differences_max = 20;
constexpr u32 seconds_max = 60;  // for one function in one engine

/// What was seen of one function.
struct Seen {
    struct Trap {
        u32 tuple;
        differ::TrapKind kind;
        bool operator==(const Trap&) const = default;
    };
    std::vector<Trap> traps;
    std::vector<u8> results;
    std::vector<u8> memory;  // the cases' part of it
    std::string problem;
};

/// Host functions give back what they are given.
class Echo final : public differ::Host {
public:
    bool call(
        u32, std::span<const differ::Value> arguments, std::span<differ::Value> results) override {
        results[0] = arguments[0];
        return true;
    }
};

u64 read64(const std::vector<u8>& bytes, std::size_t at) {
    u64 value = 0;
    std::memcpy(&value, bytes.data() + at, 8);
    return value;
}

class Runner {
public:
    Runner(const std::vector<Case>& cases, Shared& shared) : cases_{cases}, shared_{shared} {
        second_ = differ::make_second_subject(false);
        using Stress = codegen::StressModes;
        const std::pair<u32, Stress> configurations[] = {{16, {}}, {0, {}},
            {3, Stress{.epoch = true, .fuel = true}}, {16, Stress{.spill = true, .check = true}},
            {16, Stress{.flush = true, .check = true}}, {2, Stress{true, true, true}}};
        for (const auto& [homes, stress] : configurations)
            subjects_.push_back(differ::make_wrun_subject(homes, stress));
        const std::pair<u32, Stress> checked[] = {{16, {}}, {2, Stress{true, true, true}}};
        for (const auto& [homes, stress] : checked)
            checked_subjects_.push_back(
                differ::make_wrun_subject(homes, stress, runtime::Bounds::checked));
    }

    void run(const TestModule& module) {
        std::vector<Seen> expected;
        if (!start(*second_, module)) return;
        for (const Entry& entry : module.entries) {
            expected.push_back(run_entry(*second_, entry));
            shared_.tuples += entry.count;
            shared_.traps += expected.back().traps.size();
        }
        for (const auto& subject : subjects_)
            run_in(*subject, module, expected, false);
        const bool any_accesses = std::any_of(module.entries.begin(), module.entries.end(),
            [this](const Entry& entry) { return accesses(entry); });
        if (!any_accesses) return;
        for (const auto& subject : checked_subjects_)
            run_in(*subject, module, expected, true);
    }

private:
    [[nodiscard]] bool accesses(const Entry& entry) const {
        return cases_[entry.variant->case_index].accesses;
    }

    void run_in(Subject& subject, const TestModule& module, const std::vector<Seen>& expected,
        bool only_accesses) {
        if (!start(subject, module)) return;
        for (std::size_t i = 0; i < module.entries.size(); ++i) {
            const Entry& entry = module.entries[i];
            if (only_accesses && !accesses(entry)) continue;
            if (!compare(subject, entry, run_entry(subject, entry), expected[i])) break;
        }
    }

    bool start(Subject& subject, const TestModule& module) {
        std::snprintf(shared_.doing, sizeof shared_.doing, "%s: compiling from %s",
            std::string{subject.name()}.c_str(),
            text(cases_, *module.entries.front().variant).c_str());
        alarm(seconds_max);
        std::string why;
        if (subject.load(module.wasm, why) != differ::Verdict::accepted) {
            say("not accepted: " + why);
            return false;
        }
        subject.begin_round(echo_);
        const Ending ending = subject.instantiate();
        if (ending.kind == Ending::Kind::returned) return true;
        say("not instantiated: " + ending.text);
        return false;
    }

    [[nodiscard]] Seen run_entry(Subject& subject, const Entry& entry) {
        std::snprintf(shared_.doing, sizeof shared_.doing, "%s: %s",
            std::string{subject.name()}.c_str(), text(cases_, *entry.variant).c_str());
        alarm(seconds_max);
        const u32 imports = static_cast<u32>(subject.shape().imports.size());
        Seen seen;
        std::span<const u8> memory = subject.memory(0, imports);
        for (u32 from = 0; from < entry.count;) {
            using differ::Type;
            const differ::Value arguments[] = {{Type::i32, entry.index}, {Type::i32, entry.tuples},
                {Type::i32, from}, {Type::i32, entry.count}};
            std::vector<differ::Value> none;
            const Ending ending = subject.call(0, imports + 1, arguments, none);
            if (ending.kind == Ending::Kind::returned) break;
            if (ending.kind == Ending::Kind::refused) {
                seen.problem = ending.text;
                return seen;
            }
            u32 at = 0;
            std::memcpy(&at, memory.data() + world::cursor, 4);
            seen.traps.push_back({at, ending.trap});
            from = at + 1;
        }
        memory = subject.memory(0, imports);
        const auto results = memory.subspan(world::results, std::size_t{16} * entry.count);
        seen.results.assign(results.begin(), results.end());
        if (cases_[entry.variant->case_index].accesses) {
            const auto low = memory.first(world::tried_bytes);
            const auto high = memory.last(world::tried_bytes);
            seen.memory.assign(low.begin(), low.end());
            seen.memory.insert(seen.memory.end(), high.begin(), high.end());
        }
        return seen;
    }

    bool compare(const Subject& subject, const Entry& entry, Seen seen, const Seen& expected) {
        const Case& tested = cases_[entry.variant->case_index];
        const std::string where =
            std::string{subject.name()} + ": " + text(cases_, *entry.variant) + ": ";
        if (seen.problem != expected.problem) return fail(where + "refused: " + seen.problem);
        if (seen.traps != expected.traps) return fail(where + describe_traps(seen, expected));
        for (u32 i = 0; i < entry.count; ++i) {
            for (const u32 half : {0u, 8u}) {
                u64 mine = read64(seen.results, 16 * i + half);
                u64 theirs = read64(expected.results, 16 * i + half);
                if (half == 0 && tested.any_nan) {
                    const differ::Type type =
                        *tested.result == type_f32 ? differ::Type::f32 : differ::Type::f64;
                    if (is_quieted(type, mine)) {
                        mine = differ::comparable_bits({type, mine});
                        theirs = differ::comparable_bits({type, theirs});
                    }
                }
                if (mine == theirs) continue;
                char numbers[120];
                std::snprintf(numbers, sizeof numbers, "tuple %u: %s is %016llx, expected %016llx",
                    i, half == 0 ? "the result" : "what had to survive",
                    static_cast<unsigned long long>(mine), static_cast<unsigned long long>(theirs));
                return fail(where + numbers);
            }
        }
        if (seen.memory != expected.memory) {
            const auto at =
                std::mismatch(seen.memory.begin(), seen.memory.end(), expected.memory.begin());
            return fail(
                where + "memory differs at byte " + std::to_string(at.first - seen.memory.begin()));
        }
        return true;
    }

    /// An operation that makes a NaN makes a quiet one.
    static bool is_quieted(differ::Type type, u64 bits) {
        const bool is_f32 = type == differ::Type::f32;
        const u64 magnitude = is_f32 ? bits & 0x7fff'ffff : bits & ~(u64{1} << 63);
        const u64 infinity = is_f32 ? 0x7f80'0000 : 0x7ff0'0000'0000'0000;
        const u64 quiet = is_f32 ? 0x0040'0000 : 0x0008'0000'0000'0000;
        return magnitude <= infinity || (bits & quiet) != 0;
    }

    static std::string describe_traps(const Seen& seen, const Seen& expected) {
        const auto at = std::mismatch(
            seen.traps.begin(), seen.traps.end(), expected.traps.begin(), expected.traps.end());
        const auto one = [](const std::vector<Seen::Trap>& traps, auto position) {
            if (position == traps.end()) return std::string{"no more traps"};
            return "tuple " + std::to_string(position->tuple) +
                   " traps: " + std::string{differ::name(position->kind)};
        };
        return one(seen.traps, at.first) + ", expected " + one(expected.traps, at.second);
    }

    bool fail(const std::string& what) {
        say(what);
        return false;
    }
    void say(const std::string& what) {
        std::printf("%s\n", what.c_str());
        std::fflush(stdout);
        ++shared_.differences;
    }

    const std::vector<Case>& cases_;
    Shared& shared_;
    Echo echo_;
    std::unique_ptr<Subject> second_;
    std::vector<std::unique_ptr<Subject>> subjects_;
    std::vector<std::unique_ptr<Subject>> checked_subjects_;  // for what accesses memory
};

void run_rest(
    const std::vector<Case>& cases, std::span<const Variant> variants, bool few, Shared& shared) {
    Runner runner{cases, shared};
    std::span<const Variant> rest = variants.subspan(shared.done);
    while (!rest.empty() && shared.differences < differences_max) {
        const TestModule module = make_module(cases, rest, few);
        shared.done = variants.size() - rest.size();
        shared.busy = true;
        runner.run(module);
        alarm(0);
        shared.busy = false;
    }
}

/// In child processes, so that a crash is a finding and not the end.
int run_all(const std::vector<Case>& cases, const std::vector<Variant>& variants, bool few) {
    void* const mapped =
        mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return 2;
    Shared& shared = *static_cast<Shared*>(mapped);
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    const auto began = std::chrono::steady_clock::now();
    while (shared.done < variants.size() && shared.differences < differences_max) {
        std::fflush(nullptr);
        const pid_t child = fork();
        if (child < 0) return 2;
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            run_rest(cases, variants, few, shared);
            std::fflush(nullptr);
            _exit(0);
        }
        int status = 0;
        waitpid(child, &status, 0);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
        ++shared.differences;
        const bool late = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
        std::printf("%s: %s\n", shared.doing,
            late                  ? "takes too long"
            : WIFSIGNALED(status) ? strsignal(WTERMSIG(status))
                                  : "the process ended");
        if (!shared.busy) return 2;
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    std::printf("%zu operations, %zu functions, %llu tuples, %llu traps, %u differences, %.0f s\n",
        cases.size(), variants.size(), static_cast<unsigned long long>(shared.tuples),
        static_cast<unsigned long long>(shared.traps), shared.differences, took.count());
    return shared.differences == 0 ? 0 : 1;
}

int write_module(
    const std::vector<Case>& cases, const std::vector<Variant>& variants, const Options& options) {
    if (static_cast<u64>(options.write) >= variants.size()) return 2;
    std::span<const Variant> one{&variants[static_cast<u64>(options.write)], 1};
    const TestModule module = make_module(cases, one, options.few);
    std::ofstream file(options.file, std::ios::binary);
    file.write(reinterpret_cast<const char*>(module.wasm.data()),
        static_cast<std::streamsize>(module.wasm.size()));
    return file ? 0 : 2;
}

bool parse(int argc, char** argv, Options& options) {
    for (int i = 1; i < argc; ++i) {
        const std::string word = argv[i];
        if (word == "--few") {
            options.few = true;
        } else if (word == "--list") {
            options.list = true;
        } else if (word == "--case" && i + 1 < argc) {
            options.only = argv[++i];
        } else if (word == "--write" && i + 2 < argc) {
            options.write = std::atoll(argv[++i]);
            options.file = argv[++i];
        } else {
            return false;
        }
    }
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    if (!parse(argc, argv, options)) {
        std::fputs("usage: matrix [--few] [--case TEXT] [--list] [--write NUMBER FILE]\n", stderr);
        return 2;
    }
    const std::vector<Case> cases = all_cases();
    const std::string uncovered = uncovered_rows(cases);
    if (!uncovered.empty()) {
        std::fputs(uncovered.c_str(), stdout);
        return 1;
    }
    std::vector<Variant> variants = all_variants(cases, options.few);
    if (options.write >= 0) return write_module(cases, variants, options);
    std::erase_if(variants, [&](const Variant& variant) {
        return text(cases, variant).find(options.only) == std::string::npos;
    });
    if (options.list) {
        for (const Variant& variant : variants)
            std::printf("%s\n", text(cases, variant).c_str());
        return 0;
    }
    if (variants.empty()) {
        std::fputs("no such case\n", stderr);
        return 2;
    }
    if (!differ::second_engine_missing().empty()) {
        std::printf("skipped: %s\n", differ::second_engine_missing().c_str());
        return 77;
    }
    return run_all(cases, variants, options.few);
}
