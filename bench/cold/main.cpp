// cold_bench: how long an instance takes to start, to run and to become as new, in wrun and beside
// it. One measurement of one subject for each process; bench/run cold makes them all.
//   cold_bench list
//   cold_bench cycles|threads SUBJECT HANDLER CYCLES
//   cold_bench large SUBJECT FILE CYCLES
//   cold_bench live SUBJECT HANDLER COUNT
// prints one JSON object.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "bench/cold/measure.hpp"

namespace wrun::cold {

void give_up(std::string_view who, std::string_view why) {
    static_cast<void>(std::fprintf(stderr, "error: %.*s: %.*s\n", static_cast<int>(who.size()),
        who.data(), static_cast<int>(why.size()), why.data()));
    std::exit(1);
}

namespace {

std::vector<const SubjectKind*> all_kinds() {
    std::vector<const SubjectKind*> all;
    for (const auto kinds : {wrun_kinds(), wasmtime_kinds(), native_kinds()})
        for (const SubjectKind& kind : kinds)
            all.push_back(&kind);
    return all;
}

const SubjectKind& find_kind(std::string_view name) {
    for (const SubjectKind* const kind : all_kinds())
        if (kind->name == name) return *kind;
    give_up("bench", "no subject " + std::string{name});
}

const Handler& handler_of(const char* name) {
    const Handler* const handler = find_handler(name);
    if (handler == nullptr) give_up("bench", std::string{"no handler "} + name);
    return *handler;
}

std::vector<u8> read(const char* path) {
    std::ifstream file{path, std::ios::binary};
    if (!file) give_up("bench", std::string{"cannot read "} + path);
    return {std::istreambuf_iterator<char>{file}, {}};
}

std::string quoted(std::string_view text) {
    std::string result = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') result += '\\';
        result += c;
    }
    return result + "\"";
}

std::string list() {
    std::string text = "{\"subjects\":[";
    for (const SubjectKind* const kind : all_kinds())
        text += (text.back() == '[' ? "" : ",") + std::string{"{\"name\":"} + quoted(kind->name) +
                ",\"label\":" + quoted(kind->label) + ",\"does\":" + quoted(kind->does) +
                ",\"is_native\":" + (kind->is_native ? "true" : "false") +
                ",\"missing\":" + quoted(kind->missing()) + "}";
    text += "],\"handlers\":[";
    for (const Handler& handler : handlers())
        text += (text.back() == '[' ? "" : ",") + std::string{"{\"name\":"} + quoted(handler.name) +
                ",\"does\":" + quoted(handler.does) +
                ",\"only_writes\":" + (handler.only_writes ? "true" : "false") + "}";
    return text + "]}";
}

std::string measure(std::string_view what, const SubjectKind& kind, const char* item, u64 count) {
    if (what == "cycles") return measure_cycles(kind, handler_of(item), count);
    if (what == "threads") return measure_threads(kind, handler_of(item), count);
    if (what == "live") return measure_live(kind, handler_of(item), static_cast<u32>(count));
    if (what == "large") return measure_large(kind, read(item), count);
    give_up("bench", "no measurement " + std::string{what});
}

}  // namespace
}  // namespace wrun::cold

int main(int count, char** words) {
    using namespace wrun::cold;
    if (count == 2 && std::string_view{words[1]} == "list") {
        std::puts(list().c_str());
        return 0;
    }
    if (count != 5) give_up("bench", "usage: cold_bench list | WHAT SUBJECT ITEM COUNT");
    const SubjectKind& kind = find_kind(words[2]);
    if (const std::string missing = kind.missing(); !missing.empty()) give_up(kind.name, missing);
    std::puts(measure(words[1], kind, words[3], std::strtoull(words[4], nullptr, 10)).c_str());
    return 0;
}
