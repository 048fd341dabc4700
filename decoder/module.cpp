// The few lookups of a module.
#include "decoder/module.hpp"

#include <algorithm>

namespace wrun {

std::optional<u32> Module::escape_index(FuncIndex func) const noexcept {
    const auto found = std::lower_bound(escaping_functions.begin(), escaping_functions.end(), func);
    if (found == escaping_functions.end() || *found != func) return std::nullopt;
    return static_cast<u32>(found - escaping_functions.begin());
}

std::string_view Module::function_name(FuncIndex func) const noexcept {
    const auto found = std::lower_bound(function_names.begin(), function_names.end(), func,
        [](const FunctionName& entry, FuncIndex wanted) { return entry.func < wanted; });
    if (found != function_names.end() && found->func == func) {
        // A file may have been damaged since it was checked.
        const auto [begin, end] = found->text;
        return begin <= end && end <= bytes.size() ? text(found->text) : std::string_view{};
    }
    // Only for messages, so a walk over the exports will do.
    for (const Export& item : exports) {
        if (item.kind == ExternKind::func && item.index == func.value) return text(item.field);
    }
    return {};
}

}  // namespace wrun
