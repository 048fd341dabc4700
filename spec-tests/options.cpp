// See options.hpp.
#include "spec-tests/options.hpp"

#include <algorithm>

#include "spec-tests/numbers.hpp"

namespace wrun::spec {

const std::string_view usage =
    R"(usage: wrun-spec [options] [FILE.wast…]
Runs official WebAssembly test scripts.
  --set NAME…        folders of scripts: wasm-v1, wasm-v2, wasm-v3, wasm-latest,
                     or a proposal's (simd, gc, …)
  --all              every folder of scripts
  --dir DIR…         where the folders lie; alone, all of them run. Else $WRUN_SPEC_DIR
                     or what tools/setup fetched, and $WRUN_SPEC_EXTRA, whose folders
                     stand for those of the same name
  --csv FILE         counts per script and kind of command
  --list             count commands, run nothing
  --verbose          also say where a message differs without mattering, why commands
                     were skipped, and which failures are known
  --known FILE       a list of known failures in place of known_failures.txt
  --timeout SECONDS  of one script, 120 unless told
  --homes N          stress the code generator: at most N locals of each class in registers
  --stress WORDS     … in worse ways: some of spill,flush,check,epoch,fuel (codegen/stress.hpp)
  --bounds WORD      how accesses stay inside a memory: guard, unless told, or checked
  --compilation WORD when functions are compiled: eager, unless told, lazy or on-call
Each script runs in a process of its own. Last line: N passed, N failed, N skipped.
Exit code: 0 nothing failed but what is known, 1 something failed, 2 usage.
)";

namespace {

bool is_script(std::string_view word) {
    return word.ends_with(".wast");
}

/// What follows --set may be one name, several, or several with commas.
void add_sets(std::string_view word, std::vector<std::string>& sets) {
    while (!word.empty()) {
        const std::size_t comma = std::min(word.find(','), word.size());
        if (comma > 0) sets.emplace_back(word.substr(0, comma));
        word.remove_prefix(std::min(comma + 1, word.size()));
    }
}

class OptionParser {
public:
    OptionParser(const std::vector<std::string>& words, std::string& error)
        : words_{words}, error_{error} {}

    std::optional<Options> parse() {
        while (next_ < words_.size())
            if (!option(words_[next_++])) return std::nullopt;
        const Options& o = options_;
        if (!o.help && o.sets.empty() && !o.all && o.folders.empty() && o.files.empty()) {
            error_ = "nothing to run: name a --set, a --dir, --all or scripts";
            return std::nullopt;
        }
        return options_;
    }

private:
    bool option(const std::string& word) {
        if (word == "--all") return options_.all = true;
        if (word == "--list") return options_.list = true;
        if (word == "--verbose") return options_.verbose = true;
        if (word == "--help" || word == "-h") return options_.help = true;
        if (word == "--csv") return value(word, options_.csv);
        if (word == "--known") return value(word, options_.known);
        if (word == "--timeout") return number(word, options_.timeout_seconds, 1);
        if (word == "--homes") return number(word, options_.homes_max, 0);
        if (word == "--stress") return stress(word);
        if (word == "--bounds") return bounds(word);
        if (word == "--compilation") return compilation(word);
        if (word == "--dir") return values(word, options_.folders);
        if (word == "--set") {
            std::vector<std::string> names;
            if (!values(word, names)) return false;
            for (const std::string& name : names)
                add_sets(name, options_.sets);
            return true;
        }
        if (!is_script(word)) return fail(word + " is neither an option nor a .wast file");
        options_.files.push_back(word);
        return true;
    }

    bool fail(std::string message) {
        error_ = std::move(message);
        return false;
    }

    bool value(const std::string& option, std::string& to) {
        if (next_ == words_.size()) return fail(option + " needs a value");
        to = words_[next_++];
        return true;
    }

    bool stress(const std::string& option) {
        std::string words;
        if (!value(option, words)) return false;
        const auto modes = codegen::parse_stress(words);
        if (!modes)
            return fail(
                option + ": not among " + std::string{codegen::stress_words} + ": " + words);
        options_.stress = *modes;
        return true;
    }

    bool bounds(const std::string& option) {
        std::string word;
        if (!value(option, word)) return false;
        const auto chosen = codegen::parse_bounds(word);
        if (!chosen) {
            return fail(option + ": not " + std::string{codegen::bounds_words} + ": " + word);
        }
        options_.bounds = *chosen;
        return true;
    }

    bool compilation(const std::string& option) {
        std::string word;
        if (!value(option, word)) return false;
        for (const auto& [name, compilation] : compilations) {
            if (word != name) continue;
            options_.compilation = compilation;
            return true;
        }
        return fail(option + ": not eager, lazy or on-call: " + word);
    }

    bool values(const std::string& option, std::vector<std::string>& to) {
        const std::size_t before = to.size();
        while (
            next_ < words_.size() && !words_[next_].starts_with("--") && !is_script(words_[next_]))
            to.push_back(words_[next_++]);
        return to.size() > before || fail(option + " needs a value");
    }

    bool number(const std::string& option, u32& to, u32 least) {
        std::string text;
        if (!value(option, text)) return false;
        const std::optional<u64> parsed = parse_integer(text, 16);
        if (!parsed || text[0] == '-' || *parsed < least)
            return fail(option + ": not a number it takes: " + text);
        to = static_cast<u32>(*parsed);
        return true;
    }

    static constexpr std::pair<std::string_view, engine::Compilation> compilations[] = {
        {"eager", engine::Compilation::eager}, {"lazy", engine::Compilation::lazy},
        {"on-call", engine::Compilation::on_call}};
    const std::vector<std::string>& words_;
    std::string& error_;
    std::size_t next_ = 0;
    Options options_;
};

}  // namespace

std::optional<Options> parse_options(const std::vector<std::string>& words, std::string& error) {
    return OptionParser{words, error}.parse();
}

std::optional<std::vector<ScriptFile>> select_scripts(
    const Options& options, std::vector<std::string> folders, std::string& error) {
    std::vector<ScriptFile> selected;
    const bool whole = options.all || (options.sets.empty() && options.files.empty());
    if (whole || !options.sets.empty()) {
        if (!options.folders.empty()) folders = options.folders;
        const std::vector<ScriptFile> found = find_scripts(folders);
        const auto wanted_by = [](const std::string& name) {
            return [&name](const ScriptFile& file) { return is_named(file.set, name); };
        };
        std::string places;
        for (const std::string& folder : folders)
            places += ' ' + folder;
        if (found.empty()) error = "no .wast files below" + places;
        for (const std::string& set : options.sets)
            if (error.empty() && std::none_of(found.begin(), found.end(), wanted_by(set)))
                error.append("no set ").append(set).append(" below").append(places);
        if (!error.empty()) return std::nullopt;
        for (const ScriptFile& file : found)
            if (whole || std::any_of(options.sets.begin(), options.sets.end(),
                             [&](const std::string& set) { return is_named(file.set, set); }))
                selected.push_back(file);
    }
    for (const std::string& file : options.files)
        selected.push_back(script_at(file));
    return selected;
}

}  // namespace wrun::spec
