// Arguments and environment: preview 1 gives both in the same shape.
#include "wasi/areas/areas.hpp"

namespace wrun::wasi::areas {
namespace {

Errno sizes_get(const Call& call, const StringList& list, u32 count, u32 bytes) {
    WRUN_TRY(call.check(bytes, 4));
    WRUN_TRY(Answer<void>{call.store(count, static_cast<u32>(list.offsets().size()))});
    return call.store(bytes, static_cast<u32>(list.text().size()));
}

Errno strings_get(const Call& call, const StringList& list, u32 pointers, u32 buffer) {
    WRUN_TRY(call.check(pointers, u64{4} * list.offsets().size()));
    if (!call.memory.write(buffer, list.text().data(), list.text().size())) return Errno::fault;
    u32 place = pointers;
    for (const u32 offset : list.offsets()) {
        WRUN_TRY(Answer<void>{call.store(place, buffer + offset)});
        place += 4;
    }
    return Errno::success;
}

}  // namespace

Errno args_get(Call& call, u32 pointers, u32 buffer) {
    return strings_get(call, call.state.args(), pointers, buffer);
}

Errno args_sizes_get(Call& call, u32 count, u32 bytes) {
    return sizes_get(call, call.state.args(), count, bytes);
}

Errno environ_get(Call& call, u32 pointers, u32 buffer) {
    return strings_get(call, call.state.env(), pointers, buffer);
}

Errno environ_sizes_get(Call& call, u32 count, u32 bytes) {
    return sizes_get(call, call.state.env(), count, bytes);
}

}  // namespace wrun::wasi::areas
