// See grants.hpp.
#include "cli/grants.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "cli/message.hpp"

namespace wrun::cli {

std::optional<wasi::Preopen> parse_directory(const std::string& word, std::string& why) {
    wasi::Preopen preopen;
    std::string rest = word;
    if (rest.ends_with(":ro") || rest.ends_with(":rw")) {
        preopen.read_only = rest.ends_with(":ro");
        rest.resize(rest.size() - 3);
    }
    const std::size_t colons = rest.find("::");
    preopen.host_path = rest.substr(0, colons);
    preopen.guest_path = colons == std::string::npos ? rest : rest.substr(colons + 2);
    if (preopen.host_path.empty() || preopen.guest_path.empty()) {
        why = "'" + printable(word) + "' is not HOST::GUEST[:ro] or HOST[:ro]";
        return std::nullopt;
    }
    return preopen;
}

std::optional<u64> parse_size(const std::string& word, std::string& why) {
    u64 value = 0;
    const char* const end = word.data() + word.size();
    const auto [rest, error] = std::from_chars(word.data(), end, value);
    std::string_view suffix{rest, static_cast<std::size_t>(end - rest)};
    int shift = 0;
    if (!suffix.empty()) {
        constexpr std::string_view letters = "kKmMgG";
        const std::size_t letter = letters.find(suffix[0]);
        const std::string_view unit = suffix.substr(1);
        const bool known = unit.empty() || unit == "B" || unit == "iB";
        shift = letter == std::string_view::npos || !known
                    ? -1
                    : (static_cast<int>(letter) / 2 + 1) * 10;
    }
    if (error == std::errc::invalid_argument || shift < 0) {
        why = "'" + printable(word) +
              "' is no size; write a number, perhaps with K, M or G behind it";
        return std::nullopt;
    }
    if (error != std::errc{} || value > (~u64{0} >> shift)) {
        why = "'" + printable(word) + "' is too large";
        return std::nullopt;
    }
    return value << shift;
}

std::optional<wasi::AccessSet> parse_kinds(
    const std::vector<std::string>& words, std::string& why) {
    wasi::AccessSet kinds;
    for (std::string_view rest : words) {
        while (!rest.empty()) {
            const std::size_t comma = std::min(rest.find(','), rest.size());
            const std::string_view word = rest.substr(0, comma);
            const auto found = std::find_if(wasi::access_kinds.begin(), wasi::access_kinds.end(),
                [&](wasi::Access kind) { return wasi::name(kind) == word; });
            if (found == wasi::access_kinds.end()) {
                why = "'" + printable(word) + "' is none of args, env, clock, random and files";
                return std::nullopt;
            }
            kinds.add(*found);
            rest.remove_prefix(std::min(comma + 1, rest.size()));
        }
    }
    return kinds;
}

std::string list_kinds(wasi::AccessSet kinds, std::string_view separator) {
    std::string text;
    for (const wasi::Access kind : wasi::access_kinds) {
        if (!kinds.has(kind)) continue;
        if (!text.empty()) text += separator;
        text += wasi::name(kind);
    }
    return text;
}

bool Variables::add(const std::string& word, std::string& why) {
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    if (name.empty()) {
        why = "'" + printable(word) + "' is not NAME=value or NAME";
        return false;
    }
    std::string whole = word;
    if (equals == std::string::npos) {
        const char* const inherited = std::getenv(name.c_str());
        if (inherited == nullptr) {
            why =
                "the variable '" + printable(name) + "' is not set here, so it cannot be passed on";
            return false;
        }
        whole += '=';
        whole += inherited;
    }
    for (std::string& existing : list_) {
        if (!existing.starts_with(name + "=")) continue;
        existing = std::move(whole);
        return true;
    }
    list_.push_back(std::move(whole));
    return true;
}

bool Variables::add_file(const std::string& path, std::string& why) {
    std::ifstream file{path};
    std::string line;
    for (int number = 1; std::getline(file, line); ++number) {
        if (line.ends_with('\r')) line.pop_back();
        const std::size_t start = line.find_first_not_of(" \t");
        if (start == std::string::npos || line[start] == '#') continue;
        if (add(line.substr(start), why)) continue;
        why = path + ":" + std::to_string(number) + ": " + why;
        return false;
    }
    // A folder opens well and then cannot be read.
    if (file.is_open() && !file.bad()) return true;
    why = path + ": " + std::strerror(errno);
    return false;
}

}  // namespace wrun::cli
