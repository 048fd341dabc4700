// See assemble.hpp.
#include "spec-tests/assemble.hpp"

#include "tests/support/wat.hpp"

namespace wrun::spec {

std::optional<std::vector<u8>> assemble(const ModuleSource& source, std::string& error) {
    if (source.form == ModuleSource::Form::binary)
        return std::vector<u8>(source.content.begin(), source.content.end());
    return wat::try_assemble(escape_non_ascii(source.content), &error);
}

}  // namespace wrun::spec
