// See parser_machine.hpp.
#include "http/parser_machine.hpp"

#include <llhttp.h>

#include <new>
#include <type_traits>

namespace wrun::http {

// Its destruction, which nobody would see to, does nothing.
static_assert(std::is_trivially_destructible_v<llhttp_t>);

ParserMachine::ParserMachine() noexcept : machine_{::new(memory_.data()) llhttp_t{}} {
    static_assert(sizeof(llhttp_t) <= sizeof(memory_) && alignof(llhttp_t) <= 8);
}

}  // namespace wrun::http
