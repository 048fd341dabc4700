// wrun-differ: the same modules in wrun and in a second engine; whatever they do differently is
// printed.
//   wrun-differ [options] FILE.wasm|FILE.wat|FOLDER…
//   wrun-differ [options] -                       paths from standard input, a line each
//   wrun-differ [options] --pressure COUNT        generated modules; see pressure/module.hpp
// Last line: "N modules, N differences, N skipped". Exit code: 0 no difference, 1 some, 2 usage,
// 77 no second engine.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string_view>

#include "codegen/bounds.hpp"
#include "fuzz/differential/batch.hpp"
#include "fuzz/differential/pressure/module.hpp"

namespace {

using namespace wrun;
using namespace wrun::differ;

constexpr const char* usage =
    "usage: wrun-differ [options] FILE.wasm|FILE.wat|FOLDER... | - | --pressure COUNT\n"
    "  --homes N,N...   home registers wrun may use, one run each (default 16)\n"
    "  --stress WORDS   … in worse ways: some of spill,flush,check,epoch,fuel\n"
    "  --bounds WORD    how wrun stays inside a memory: guard (default) or checked\n"
    "  --rounds N       argument sets, each with fresh instances (default 3)\n"
    "  --timeout N      seconds for one module (default 20)\n"
    "  --keep-going     go on behind a difference\n"
    "  --each           one line for each module\n"
    "  --save FOLDER    keep modules that differ there\n"
    "  --trace          print everything observed\n"
    "  --state          compare memories and tables after each call\n"
    "  --seed N         of generated modules (default 1)\n"
    "  --first N        number of the first generated module (default 0)\n"
    "  --write FILE     write the first generated module and do nothing else\n";

struct Options {
    BatchOptions batch;
    std::vector<std::string> paths;
    u64 pressure = 0;
    u64 seed = 1;
    u64 first = 0;
    std::string write;
};

[[noreturn]] void usage_error(const std::string& what) {
    std::fprintf(stderr, "wrun-differ: %s\n%s", what.c_str(), usage);
    std::exit(2);
}

u64 number(const std::string& option, const std::string& text) {
    char* end = nullptr;
    errno = 0;
    const u64 value = std::strtoull(text.c_str(), &end, 10);
    if (text.empty() || *end != 0 || errno != 0 || text[0] == '-')
        usage_error(option + " needs a number");
    return value;
}

std::vector<u32> numbers(const std::string& option, const std::string& text) {
    std::vector<u32> all;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t comma = std::min(text.find(',', at), text.size());
        all.push_back(static_cast<u32>(number(option, text.substr(at, comma - at))));
        at = comma + 1;
    }
    return all;
}

bool take_flag(const std::string& word, BatchOptions& batch) {
    if (word == "--keep-going") {
        batch.keep_going = true;
    } else if (word == "--each") {
        batch.say_each = true;
    } else if (word == "--trace") {
        batch.trace = true;
    } else if (word == "--state") {
        batch.observe.state_per_call = true;
    } else {
        return false;
    }
    return true;
}

bool take_value(const std::string& word, const std::string& value, Options& options) {
    if (word == "--homes") {
        options.batch.homes = numbers(word, value);
    } else if (word == "--stress") {
        const auto modes = codegen::parse_stress(value);
        if (!modes) usage_error("--stress takes some of " + std::string{codegen::stress_words});
        options.batch.stress = *modes;
    } else if (word == "--bounds") {
        const auto bounds = codegen::parse_bounds(value);
        if (!bounds) usage_error("--bounds takes " + std::string{codegen::bounds_words});
        options.batch.bounds = *bounds;
    } else if (word == "--rounds") {
        options.batch.observe.rounds = static_cast<u32>(number(word, value));
    } else if (word == "--timeout") {
        options.batch.timeout_seconds = static_cast<u32>(number(word, value));
    } else if (word == "--save") {
        options.batch.save_folder = value;
    } else if (word == "--pressure") {
        options.pressure = number(word, value);
    } else if (word == "--seed") {
        options.seed = number(word, value);
    } else if (word == "--first") {
        options.first = number(word, value);
    } else if (word == "--write") {
        options.write = value;
    } else {
        return false;
    }
    return true;
}

Options parse(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string word = argv[i];
        if (word == "-" || !word.starts_with('-')) {
            options.paths.push_back(word);
        } else if (take_flag(word, options.batch)) {
            continue;
        } else if (i + 1 < argc && take_value(word, argv[i + 1], options)) {
            ++i;
        } else {
            usage_error("what is " + word + "?");
        }
    }
    if (options.paths.empty() == (options.pressure == 0) && options.write.empty())
        usage_error("either files or --pressure");
    return options;
}

int write_module(const Options& options) {
    const auto wasm = make_pressure_module(options.seed, options.first);
    std::ofstream file(options.write, std::ios::binary);
    file.write(
        reinterpret_cast<const char*>(wasm.data()), static_cast<std::streamsize>(wasm.size()));
    return file ? 0 : 2;
}

std::unique_ptr<Source> source_of(const Options& options) {
    if (options.pressure != 0)
        return make_pressure_source(options.seed, options.first, options.pressure);
    if (options.paths == std::vector<std::string>{"-"}) return make_stdin_source();
    return make_file_source(options.paths);
}

}  // namespace

int main(int argc, char** argv) {
    const Options options = parse(argc, argv);
    if (!options.write.empty()) return write_module(options);
    if (!second_engine_missing().empty()) {
        std::printf("skipped: %s\n", second_engine_missing().c_str());
        return 77;
    }
    const auto source = source_of(options);
    const BatchCounts counts = run_batch(*source, options.batch);
    std::printf("%llu modules, %llu differences, %llu skipped\n",
        static_cast<unsigned long long>(counts.modules),
        static_cast<unsigned long long>(counts.differences),
        static_cast<unsigned long long>(counts.skipped));
    return counts.differences == 0 ? 0 : 1;
}
