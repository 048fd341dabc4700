// Matching of external types, and their text.
#include "engine/type_match.hpp"

namespace wrun::engine {

namespace {

[[nodiscard]] bool matches(const Limits& actual, const Limits& wanted) noexcept {
    if (actual.is_64 != wanted.is_64 || actual.shared != wanted.shared) return false;
    if (actual.min < wanted.min) return false;
    return !wanted.max || (actual.max && *actual.max <= *wanted.max);
}

[[nodiscard]] std::string describe(const Limits& limits) {
    std::string text = limits.is_64 ? "i64 " : "";
    text += std::to_string(limits.min);
    if (limits.max) text += ' ' + std::to_string(*limits.max);
    if (limits.shared) text += " shared";
    return text;
}

void append_list(std::string& text, std::string_view word, const std::vector<ValType>& types) {
    if (types.empty()) return;
    text += " (";
    text += word;
    for (const ValType type : types)
        text += ' ' + name(type);
    text += ')';
}

}  // namespace

bool matches(ValType sub, ValType super) noexcept {
    if (sub == super) return true;
    if (!sub.is_ref() || !super.is_ref() || (sub.nullable() && !super.nullable())) return false;
    if (super.concrete()) return sub.concrete() && sub.type_index() == super.type_index();
    // Every concrete type is a function type so far.
    return sub.concrete() ? super.heap() == Heap::func : sub.heap() == super.heap();
}

bool matches(const TableType& actual, const TableType& wanted) noexcept {
    return actual.element == wanted.element && matches(actual.limits, wanted.limits);
}

bool matches(const MemoryType& actual, const MemoryType& wanted) noexcept {
    return matches(actual.limits, wanted.limits);
}

bool matches(const GlobalType& actual, const GlobalType& wanted) noexcept {
    if (actual.is_mutable != wanted.is_mutable) return false;
    return actual.is_mutable ? actual.type == wanted.type : matches(actual.type, wanted.type);
}

std::string describe(const FuncType& type) {
    std::string text = "(func";
    append_list(text, "param", type.params);
    append_list(text, "result", type.results);
    return text + ')';
}

std::string describe(const TableType& type) {
    return "(table " + describe(type.limits) + ' ' + name(type.element) + ')';
}

std::string describe(const MemoryType& type) {
    return "(memory " + describe(type.limits) + ')';
}

std::string describe(const GlobalType& type) {
    const std::string text = name(type.type);
    return type.is_mutable ? "(global (mut " + text + "))" : "(global " + text + ')';
}

}  // namespace wrun::engine
