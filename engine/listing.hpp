// One function's machine code with all that explains it, for listings: which operation became which
// bytes, where locals live, what may trap, what is called. The code is what Module::compile makes
// of the same bytes but for the calls' distances, which only an image has. Nothing is mapped or
// run, so the CPU whose code is shown need not be this one. Owns the module's bytes; one thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/features.hpp"
#include "codegen/compile.hpp"
#include "decoder/module.hpp"
#include "runtime/abi.hpp"
#include "validator/validate.hpp"

namespace wrun::engine {

struct ListingOptions {
    FeatureSet features = default_features();
    codegen::CompileOptions compile;
};

using codegen::LineRow;

/// Offsets in code count from the function's entry, offsets in wasm from its body.
struct FunctionListing {
    std::vector<u8> code;
    std::vector<LineRow> lines;  // ascending by code
    std::vector<codegen::Home> homes;
    std::vector<runtime::TrapRow> rows;
    std::vector<codegen::CallFixup> calls;  // their distances are zero in `code`
    u32 frame_bytes = 0;                    // below the saved registers
};

class Lister {
public:
    /// Decodes, and checks all but bodies.
    [[nodiscard]] static Result<std::unique_ptr<Lister>> make(
        std::vector<u8> bytes, const ListingOptions& options);

    [[nodiscard]] const wrun::Module& module() const noexcept { return module_; }
    /// Of a defined function. Fails when its body is not valid or too large.
    [[nodiscard]] Result<FunctionListing> list(FuncIndex func);
    /// What lies at an offset of the context: "global 3", "results", or nothing.
    [[nodiscard]] std::string context_item(u32 offset) const;

private:
    Lister() = default;
    std::vector<u8> bytes_;
    wrun::Module module_;  // borrows bytes_
    runtime::ContextLayout layout_;
    std::unique_ptr<FunctionValidator> validator_;
    std::unique_ptr<codegen::FunctionCompiler> compiler_;
    FunctionSummary summary_;
};

/// The helper of this number, or nothing.
[[nodiscard]] std::string_view helper_name(u64 number) noexcept;

}  // namespace wrun::engine
