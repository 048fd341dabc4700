// The types of a function's locals, run-length as in the bytes: 50,000 locals cost what their runs
// cost. The first few have a direct table; the rest are found by binary search.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "decoder/module.hpp"
#include "decoder/reader.hpp"
#include "validator/summary.hpp"

namespace wrun {

class LocalTypes {
public:
    static constexpr u32 direct_max = 128;

    /// Reads the declarations at the body's begin; `summary` gets runs and counts. Borrows the
    /// summary's runs until the next call. One object serves one module.
    [[nodiscard]] Result<void> read(
        const Module& module, TypeIndex type, Reader& reader, FunctionSummary& summary);

    [[nodiscard]] WRUN_INLINE u32 count() const noexcept { return count_; }
    /// Of a local that exists.
    [[nodiscard]] WRUN_INLINE ValType operator[](u32 local) const noexcept {
        return local < direct_max ? direct_[local] : search(local);
    }

private:
    [[nodiscard]] ValType search(u32 local) const noexcept;
    void fill_direct() noexcept;

    std::array<ValType, direct_max> direct_;
    const LocalRun* runs_ = nullptr;
    u32 run_count_ = 0;
    u32 count_ = 0;
    std::span<const ValType> params_;  // of the function read last
    std::vector<LocalRun> param_runs_;
    u64 param_slots_ = 0;
};

}  // namespace wrun
