// See report.hpp.
#include "spec-tests/report.hpp"

#include <map>

namespace wrun::spec {
namespace {

std::string row(const ScriptFile& file, std::string_view kind, const Tally& tally) {
    const std::string name = file.label.substr(file.set.size() + 1);
    return file.set + ',' + name + ',' + std::string{kind} + ',' + std::to_string(tally.passed) +
           ',' + std::to_string(tally.failed) + ',' + std::to_string(tally.skipped) + '\n';
}

}  // namespace

Tally& Tally::operator+=(const Tally& other) noexcept {
    passed += other.passed;
    failed += other.failed;
    skipped += other.skipped;
    return *this;
}

std::string describe(const Tally& tally) {
    return std::to_string(tally.passed) + " passed, " + std::to_string(tally.failed) + " failed, " +
           std::to_string(tally.skipped) + " skipped";
}

void Counts::add(CommandKind kind, Status status) noexcept {
    Tally& tally = kinds[to_underlying(kind)];
    switch (status) {
        case Status::passed: ++tally.passed; break;
        case Status::skipped: ++tally.skipped; break;
        // What never ran has not passed.
        case Status::not_run:
        case Status::failed: ++tally.failed; break;
    }
}

Counts& Counts::operator+=(const Counts& other) noexcept {
    for (std::size_t i = 0; i < kinds.size(); ++i)
        kinds[i] += other.kinds[i];
    outside += other.outside;
    return *this;
}

Tally Counts::total() const noexcept {
    Tally total{0, outside, 0};
    for (std::size_t i = 0; i < kinds.size(); ++i) {
        Tally tally = kinds[i];
        if (counted_as(static_cast<CommandKind>(i)) == CountedAs::step) tally.passed = 0;
        total += tally;
    }
    return total;
}

std::string csv(const std::vector<ScriptReport>& reports) {
    std::string text = "set,file,kind,passed,failed,skipped\n";
    for (const ScriptReport& report : reports) {
        for (std::size_t i = 0; i < command_kind_count; ++i) {
            const Tally& tally = report.counts.kinds[i];
            if (tally != Tally{})
                text += row(report.file, name(static_cast<CommandKind>(i)), tally);
        }
        if (report.counts.outside > 0)
            text += row(report.file, "script", Tally{0, report.counts.outside, 0});
    }
    return text;
}

std::string summary(const std::vector<ScriptReport>& reports) {
    struct Set {
        u64 files = 0;
        Counts counts;
    };
    std::map<std::string, Set> sets;
    Counts all;
    for (const ScriptReport& report : reports) {
        Set& set = sets[report.file.set];
        ++set.files;
        set.counts += report.counts;
        all += report.counts;
    }
    std::string text;
    for (const auto& [name, set] : sets)
        text += name + ": " + std::to_string(set.files) + " files, " +
                describe(set.counts.total()) + '\n';
    for (std::size_t i = 0; i < command_kind_count; ++i)
        if (all.kinds[i].skipped > 0)
            text += "skipped: " + std::string{name(static_cast<CommandKind>(i))} + ' ' +
                    std::to_string(all.kinds[i].skipped) + '\n';
    return text + describe(all.total()) + '\n';
}

}  // namespace wrun::spec
