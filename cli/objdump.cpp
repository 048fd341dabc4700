// See objdump.hpp.
#include "cli/objdump.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>

#include "base/errors.hpp"
#include "cli/exit_code.hpp"
#include "cli/listing.hpp"
#include "cli/load.hpp"
#include "cli/message.hpp"
#include "cli/operation.hpp"
#include "engine/listing.hpp"

namespace wrun::cli {
namespace {

codegen::CpuFeatures cpu_features(ObjdumpOptions::Cpu cpu) {
    switch (cpu) {
        case ObjdumpOptions::Cpu::host: break;
        case ObjdumpOptions::Cpu::v2: return {};
        case ObjdumpOptions::Cpu::v3: return {true, true, true, true, true};
    }
    return codegen::CpuFeatures::host();
}

/// A number is an index; every other word a name, of which there may be several functions.
bool find_functions(const Module& module, const std::string& word, std::vector<FuncIndex>& found,
    std::string& why) {
    u32 index = 0;
    const char* const end = word.data() + word.size();
    const auto read = std::from_chars(word.data(), end, index);
    if (!word.empty() && read.ptr == end && read.ec == std::errc{}) {
        if (index >= module.functions.size()) {
            why = "there is no function " + word + ": the module has " +
                  std::to_string(module.functions.size());
            return false;
        }
        found.push_back(FuncIndex{index});
    } else {
        const std::size_t before = found.size();
        for (u32 func = 0; func < module.functions.size(); ++func)
            if (module.function_name(FuncIndex{func}) == word) found.push_back(FuncIndex{func});
        for (const Export& item : module.exports)
            if (found.size() == before && item.kind == ExternKind::func &&
                module.text(item.field) == word)
                found.push_back(FuncIndex{item.index});
        if (found.size() == before) {
            why = "there is no function named '" + printable(word) + "'";
            return false;
        }
    }
    if (!module.is_import(found.back())) return true;
    why = "function " + func_text(module, found.back()) + " is imported: it has no code here";
    return false;
}

std::vector<FuncIndex> every_function(const Module& module) {
    std::vector<FuncIndex> all;
    for (u32 func = module.imported_function_count; func < module.functions.size(); ++func)
        all.push_back(FuncIndex{func});
    return all;
}

}  // namespace

int objdump(const ObjdumpOptions& options) {
    std::string why;
    std::optional<std::vector<u8>> bytes = load(options.module, why);
    if (!bytes) return fail(why);
    const std::unique_ptr<Disassembler> disassembler = Disassembler::make(why);
    if (!disassembler) return fail(why);

    engine::ListingOptions compile;
    compile.compile.cpu = cpu_features(options.cpu);
    compile.compile.bounds = options.compile.bounds;
    compile.compile.epoch = options.compile.epoch;
    compile.compile.fuel = options.compile.fuel;
    if (options.homes_max) {
        compile.compile.integer_homes_max = *options.homes_max;
        compile.compile.float_homes_max = *options.homes_max;
    }
    const auto made = engine::Lister::make(std::move(*bytes), compile);
    if (!made.ok()) return fail(describe_failure(options.module, made.error()));
    engine::Lister& lister = *made.value();

    std::vector<FuncIndex> functions;
    for (const std::string& word : options.functions)
        if (!find_functions(lister.module(), word, functions, why))
            return fail(printable(options.module, 500) + ": " + why);
    if (options.functions.empty()) functions = every_function(lister.module());
    if (functions.empty())
        return fail(printable(options.module, 500) + ": the module defines no function");

    const ListingStyle style{!options.plain, options.bytes};
    bool first = true;
    for (const FuncIndex func : functions) {
        const Result<engine::FunctionListing> listing = lister.list(func);
        if (!listing.ok()) return fail(describe_failure(options.module, listing.error()));
        const std::string text = (first ? "" : "\n") + print_function(lister, func, listing.value(),
                                                           *disassembler, style);
        first = false;
        if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size())
            return fail(std::string{"cannot write: "} + std::strerror(errno));
    }
    if (std::fflush(stdout) != 0) return fail(std::string{"cannot write: "} + std::strerror(errno));
    return exit_code::success;
}

}  // namespace wrun::cli
