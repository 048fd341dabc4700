// Types as the text format writes them.
#include "decoder/types.hpp"

namespace wrun {
namespace {

/// "func", "extern", … as in `(ref null func)`.
std::string_view name(Heap heap) noexcept {
    switch (heap) {
        case Heap::func: return "func";
        case Heap::extern_: return "extern";
        case Heap::any: return "any";
        case Heap::eq: return "eq";
        case Heap::i31: return "i31";
        case Heap::struct_: return "struct";
        case Heap::array: return "array";
        case Heap::exn: return "exn";
        case Heap::none: return "none";
        case Heap::nofunc: return "nofunc";
        case Heap::noextern: return "noextern";
        case Heap::noexn: return "noexn";
    }
    return "unknown";
}

/// "funcref", "nullref", …: the short form of a nullable abstract reference.
std::string name_nullable(Heap heap) {
    switch (heap) {
        case Heap::none: return "nullref";
        case Heap::nofunc: return "nullfuncref";
        case Heap::noextern: return "nullexternref";
        case Heap::noexn: return "nullexnref";
        default: return std::string{name(heap)} + "ref";
    }
}

}  // namespace

std::string name(ValType type) {
    switch (type.kind()) {
        case Kind::i32: return "i32";
        case Kind::i64: return "i64";
        case Kind::f32: return "f32";
        case Kind::f64: return "f64";
        case Kind::v128: return "v128";
        case Kind::bottom: return "bottom";
        case Kind::ref: break;
    }
    if (!type.concrete() && type.nullable()) return name_nullable(type.heap());
    std::string text = type.nullable() ? "(ref null " : "(ref ";
    text +=
        type.concrete() ? std::to_string(type.type_index().value) : std::string{name(type.heap())};
    return text + ")";
}

std::string_view name(ExternKind kind) noexcept {
    switch (kind) {
        case ExternKind::func: return "func";
        case ExternKind::table: return "table";
        case ExternKind::memory: return "memory";
        case ExternKind::global: return "global";
        case ExternKind::tag: return "tag";
    }
    return "unknown";
}

}  // namespace wrun
