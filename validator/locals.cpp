// See locals.hpp.
#include "validator/locals.hpp"

#include <algorithm>

#include "decoder/type_reader.hpp"

namespace wrun {

Result<void> LocalTypes::read(
    const Module& module, TypeIndex type, Reader& reader, FunctionSummary& summary) {
    std::vector<LocalRun>& runs = summary.locals;
    runs.clear();
    u64 count = 0;
    u64 slots = 0;
    const auto add = [&](u32 size, ValType of) {
        if (size == 0) return;
        if (!runs.empty() && runs.back().type == of) {
            runs.back().count += size;
        } else {
            runs.push_back({static_cast<u32>(count), size, of});
        }
        count += size;
        slots += u64{size} * of.slots();
    };
    // Functions of one type often follow each other, and a type can have a thousand parameters.
    const std::span<const ValType> params = module.params(type);
    if (params.data() != params_.data() || params.size() != params_.size()) {
        for (const ValType param : params)
            add(1, param);
        params_ = params;
        param_runs_ = runs;
        param_slots_ = slots;
    } else {
        runs = param_runs_;
        count = params.size();
        slots = param_slots_;
    }
    summary.param_count = static_cast<u32>(count);

    constexpr u32 run_bytes_min = 2;
    const u32 run_count = WRUN_TRY(reader.count(limits::function_bytes_max, run_bytes_min));
    u64 declared = 0;
    u64 too_many_at = 0;
    for (u32 i = 0; i < run_count; ++i) {
        const u32 at = reader.offset();
        const u32 size = WRUN_TRY(reader.leb_u32());
        declared += size;
        if (declared > 0xffff'ffff) return Error{ErrorCode::too_many_locals, 0, at};
        const u32 type_at = reader.offset();
        const ValType local = WRUN_TRY(read_val_type(reader));
        if (local.is_ref()) {
            if (local.concrete() && local.type_index().value >= module.types.size()) {
                return Error{ErrorCode::unknown_type, 0, type_at};
            }
            // TODO(function-references): track initialisation (§3.4.1.3) when such locals can be
            // set.
            if (!local.nullable()) return unsupported(Feature::function_references, type_at);
        }
        if (count + size > limits::locals_max) {
            // The bytes are read on: too many for the format is a worse fault than too many for us.
            if (too_many_at == 0) too_many_at = at;
            continue;
        }
        add(size, local);
    }
    if (too_many_at != 0) {
        return Error{ErrorCode::too_many_items, 0, static_cast<u32>(too_many_at)};
    }
    count_ = static_cast<u32>(count);
    runs_ = runs.data();
    run_count_ = static_cast<u32>(runs.size());
    summary.local_count = count_;
    summary.local_slots = static_cast<u32>(slots);
    fill_direct();
    return {};
}

void LocalTypes::fill_direct() noexcept {
    for (u32 i = 0; i < run_count_ && runs_[i].begin < direct_max; ++i) {
        const u32 end = std::min(runs_[i].begin + runs_[i].count, direct_max);
        std::fill(direct_.begin() + runs_[i].begin, direct_.begin() + end, runs_[i].type);
    }
}

ValType LocalTypes::search(u32 local) const noexcept {
    const LocalRun* const behind = std::upper_bound(runs_, runs_ + run_count_, local,
        [](u32 wanted, const LocalRun& run) { return wanted < run.begin; });
    return behind[-1].type;
}

}  // namespace wrun
