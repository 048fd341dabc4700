// See preview1.hpp. A row of functions.def and the C++ function behind it must agree on parameters
// and results: the signature is deduced from the function and compared at compile time.
#include "wasi/preview1.hpp"

#include <algorithm>
#include <string_view>
#include <type_traits>

#include "wasi/areas/areas.hpp"

namespace wrun::wasi {
namespace {

using engine::Caller;
using engine::HostResult;

template <class T>
constexpr char letter = std::is_same_v<T, u32>   ? 'i'
                        : std::is_same_v<T, u64> ? 'I'
                                                 : '?';

template <auto function>
constexpr std::string_view name_of = "";
#define WRUN_WASI(name, params, results, access) \
    template <>                                  \
    constexpr std::string_view name_of<& areas::name> = #name;
#define WRUN_WASI_NEW(name, params, results, access) WRUN_WASI(name, params, results, access)
#define WRUN_WASI_OWN(name, params, results, access) WRUN_WASI(name, params, results, access)
#include "wasi/functions.def"
#undef WRUN_WASI
#undef WRUN_WASI_NEW
#undef WRUN_WASI_OWN

HostResult refuse(const Caller& caller, std::string_view function, Access kind) {
    std::string why{function};
    why +=
        " is refused while the module is initialised to be frozen, as every instance would get "
        "the same answer; it must be allowed by its kind, '";
    why += name(kind);
    caller.explain(why + "'");
    return HostResult::trapped(runtime::TrapCode::host);
}

/// One area function: its signature in letters, and the callback that hands it its arguments.
template <auto function, Access kind, Preview preview = Preview::preview1>
struct Bound;

template <class Answered, class... Params, Answered (*function)(Call&, Params...), Access kind,
    Preview preview>
struct Bound<function, kind, preview> {
    static constexpr bool exits = std::is_same_v<Answered, HostResult>;

    static constexpr bool fits(std::string_view params, std::string_view results) {
        constexpr char letters[] = {letter<Params>..., 0};
        return params == std::string_view{letters, sizeof...(Params)} &&
               results == (exits ? "" : "i");
    }

    static HostResult call(Caller& caller, void* env, std::span<u64> slots) {
        State* const state = reinterpret_cast<FindState>(env)(caller.store());
        if (state == nullptr) return HostResult::trapped(runtime::TrapCode::host);
        if (!state->allowed().has(kind)) [[unlikely]] {
            state->note_refusal(kind);
            return refuse(caller, name_of<function>, kind);
        }
        Call context{*state, caller.memory(), preview};
        return run(context, slots, std::index_sequence_for<Params...>{});
    }

private:
    template <std::size_t... index>
    static HostResult run(
        Call& context, [[maybe_unused]] std::span<u64> slots, std::index_sequence<index...>) {
        if constexpr (exits) {
            return function(context, static_cast<Params>(slots[index])...);
        } else if constexpr (std::is_same_v<Answered, areas::MayExit>) {
            const areas::MayExit answer = function(context, static_cast<Params>(slots[index])...);
            if (const auto* const exit = std::get_if<HostResult>(&answer)) return *exit;
            slots[0] = to_underlying(std::get<Errno>(answer));
            return HostResult::ok();
        } else {
            const Errno answer = function(context, static_cast<Params>(slots[index])...);
            slots[0] = to_underlying(answer);
            return HostResult::ok();
        }
    }
};

struct Row {
    std::string_view module;
    std::string_view name;
    std::string_view params;
    std::string_view results;
    engine::HostCallback callback;
};

#define WRUN_WASI(name, params, results, access)                              \
    static_assert(Bound<&areas::name, Access::access>::fits(params, results), \
        "functions.def and areas.hpp disagree on " #name);
#define WRUN_WASI_NEW(name, params, results, access) WRUN_WASI(name, params, results, access)
#define WRUN_WASI_OWN(name, params, results, access) WRUN_WASI(name, params, results, access)
#include "wasi/functions.def"
#undef WRUN_WASI
#undef WRUN_WASI_NEW
#undef WRUN_WASI_OWN

constexpr std::string_view preview1 = "wasi_snapshot_preview1";
constexpr std::string_view unstable = "wasi_unstable";
constexpr std::string_view own = "wrun";

constexpr Row rows[] = {
#define WRUN_WASI(name, params, results, access) \
    {preview1, #name, params, results, &Bound<&areas::name, Access::access>::call},
#define WRUN_WASI_NEW(name, params, results, access) WRUN_WASI(name, params, results, access)
#define WRUN_WASI_OWN(name, params, results, access) \
    {own, #name, params, results, &Bound<&areas::name, Access::access>::call},
#include "wasi/functions.def"
#undef WRUN_WASI
#undef WRUN_WASI_NEW
#undef WRUN_WASI_OWN
};
static_assert(std::size(rows) == 46 + 1);

constexpr Row unstable_rows[] = {
#define WRUN_WASI(name, params, results, access) \
    {unstable, #name, params, results,           \
        &Bound<&areas::name, Access::access, Preview::unstable>::call},
#define WRUN_WASI_NEW(name, params, results, access)
#define WRUN_WASI_OWN(name, params, results, access)
#include "wasi/functions.def"
#undef WRUN_WASI
#undef WRUN_WASI_NEW
#undef WRUN_WASI_OWN
};
static_assert(std::size(unstable_rows) == 45);

std::vector<ValType> types_of(std::string_view letters) {
    std::vector<ValType> types;
    types.reserve(letters.size());
    for (const char one : letters)
        types.push_back(one == 'I' ? type_i64 : type_i32);
    return types;
}

[[nodiscard]] Result<void> define(
    engine::Linker& linker, std::span<const Row> all, FindState find) {
    for (const Row& row : all)
        WRUN_TRY(linker.define_function(row.module, row.name,
            {types_of(row.params), types_of(row.results)}, row.callback,
            reinterpret_cast<void*>(find)));
    return {};
}

}  // namespace

State* state_in_host_data(engine::Store& store) noexcept {
    return static_cast<State*>(store.host_data());
}

Result<void> define_preview1(engine::Linker& linker, FindState find) {
    return define(linker, rows, find);
}

Result<void> define_unstable(engine::Linker& linker, FindState find) {
    return define(linker, unstable_rows, find);
}

bool imports_unstable(const Module& module) noexcept {
    return std::any_of(module.imports.begin(), module.imports.end(),
        [&module](const Import& import) { return module.text(import.module) == unstable; });
}

}  // namespace wrun::wasi
