// See matches.hpp. Concrete types are compared by index and declared supertypes.
// TODO(function-references): compare canonical ids once recursion groups are canonicalised.
#include "validator/matches.hpp"

namespace wrun {
namespace {

/// The abstract heap type right above a composite type.
Heap heap_of(TypeDef::Form form) noexcept {
    switch (form) {
        case TypeDef::Form::func: return Heap::func;
        case TypeDef::Form::struct_: return Heap::struct_;
        case TypeDef::Form::array: return Heap::array;
    }
    return Heap::any;
}

bool abstract_matches(Heap sub, Heap super) noexcept {
    if (sub == super) return true;
    switch (sub) {
        case Heap::eq: return super == Heap::any;
        case Heap::i31:
        case Heap::struct_:
        case Heap::array: return super == Heap::eq || super == Heap::any;
        case Heap::none:
            return super == Heap::any || super == Heap::eq || super == Heap::i31 ||
                   super == Heap::struct_ || super == Heap::array;
        case Heap::nofunc: return super == Heap::func;
        case Heap::noextern: return super == Heap::extern_;
        case Heap::noexn: return super == Heap::exn;
        case Heap::func:
        case Heap::extern_:
        case Heap::any:
        case Heap::exn: return false;
    }
    return false;
}

bool concrete_matches(const Module& module, TypeIndex sub, TypeIndex super) noexcept {
    // A supertype has a smaller index than its subtypes, so this ends.
    u32 type = sub.value;
    while (type != super.value) {
        const u32 next = module.types[type].super_type;
        if (next == TypeDef::no_super || next >= type) return false;
        type = next;
    }
    return true;
}

}  // namespace

bool matches(const Module& module, ValType sub, ValType super) noexcept {
    if (sub == super || sub == type_bottom) return true;
    if (!sub.is_ref() || !super.is_ref()) return false;
    if (sub.nullable() && !super.nullable()) return false;
    if (super.concrete()) {
        if (sub.concrete()) return concrete_matches(module, sub.type_index(), super.type_index());
        const Heap above = heap_of(module.types[super.type_index().value].form);
        return above == Heap::func ? sub.heap() == Heap::nofunc : sub.heap() == Heap::none;
    }
    const Heap heap =
        sub.concrete() ? heap_of(module.types[sub.type_index().value].form) : sub.heap();
    return abstract_matches(heap, super.heap());
}

}  // namespace wrun
