// See abi.hpp.
#include "http/abi.hpp"

#include <algorithm>
#include <array>

namespace wrun::http {
namespace {

/// A module may bear the signs of both: who imports http_handler means that.
const std::array abis = {&http_wasm_abi, &wagi_abi};

}  // namespace

bool exports_function(const wrun::Module& module, std::string_view name) noexcept {
    return std::any_of(module.exports.begin(), module.exports.end(), [&](const Export& one) {
        return one.kind == ExternKind::func && module.text(one.field) == name;
    });
}

bool exports_function(const wrun::Module& module, std::string_view name,
    std::span<const ValType> params, std::span<const ValType> results) noexcept {
    const auto is_it = [&](const Export& one) {
        if (one.kind != ExternKind::func || module.text(one.field) != name) return false;
        const TypeIndex type = module.functions[one.index];
        return std::ranges::equal(module.params(type), params) &&
               std::ranges::equal(module.results(type), results);
    };
    return std::any_of(module.exports.begin(), module.exports.end(), is_it);
}

const Abi* find_abi(const wrun::Module& module) noexcept {
    const auto found = std::find_if(
        abis.begin(), abis.end(), [&](const Abi* abi) { return abi->is_spoken_by(module); });
    return found == abis.end() ? nullptr : *found;
}

MadeHandler make_handler(const ModulePtr& module, const HandlerOptions& options) {
    const Abi* const abi = find_abi(module->decoded());
    if (abi != nullptr) return abi->make(module, options);
    std::string error = "this module is no handler of HTTP requests: it has none of the signs";
    for (const Abi* const one : abis)
        error += "\n  " + std::string{one->name} + ": " + std::string{one->sign};
    return {nullptr, std::move(error), {}};
}

bool is_component(std::span<const u8> bytes) noexcept {
    constexpr std::array<u8, 4> magic = {0, 'a', 's', 'm'};
    // Behind the version, a module has layer 0 and a component layer 1.
    return bytes.size() >= 8 && std::equal(magic.begin(), magic.end(), bytes.begin()) &&
           bytes[6] == 1 && bytes[7] == 0;
}

void NotFound::handle(Exchange& exchange) const {
    constexpr std::string_view text = "not found\n";
    const Field fields[] = {{"content-type", "text/plain; charset=utf-8"}};
    if (!exchange.begin(404, fields)) return;
    if (exchange.write({reinterpret_cast<const u8*>(text.data()), text.size()}) != Transfer::ok)
        return exchange.fail(Failure::internal, "nobody takes the answer");
    exchange.finish();
}

}  // namespace wrun::http
