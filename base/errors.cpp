// Texts of errors and features, out of the two tables.
#include "base/errors.hpp"

#include <cstring>

#include "base/features.hpp"

namespace wrun {

std::string_view message(ErrorCode code) noexcept {
    switch (code) {
        case ErrorCode::ok: return "ok";
#define WRUN_ERROR(name, kind, text) \
    case ErrorCode::name: return text;
#include "base/errors.def"
#undef WRUN_ERROR
    }
    return "unknown error";
}

ErrorClass error_class(ErrorCode code) noexcept {
    switch (code) {
        case ErrorCode::ok: break;
#define WRUN_ERROR(name, kind, text) \
    case ErrorCode::name: return ErrorClass::kind;
#include "base/errors.def"
#undef WRUN_ERROR
    }
    return ErrorClass::invalid;
}

std::string_view name(ErrorClass kind) noexcept {
    switch (kind) {
        case ErrorClass::malformed: return "malformed";
        case ErrorClass::invalid: return "invalid";
        case ErrorClass::unlinkable: return "unlinkable";
        case ErrorClass::unsupported: return "unsupported";
        case ErrorClass::limit: return "limit";
        case ErrorClass::io: return "io";
    }
    return "unknown";
}

std::string_view name(Feature feature) noexcept {
    switch (feature) {
#define WRUN_FEATURE(name, text, state) \
    case Feature::name: return text;
#include "base/features.def"
#undef WRUN_FEATURE
    }
    return "unknown";
}

std::string describe(Error error) {
    std::string text{message(error.code)};
    if (error.code == ErrorCode::unsupported_feature) {
        text += ": ";
        text += name(static_cast<Feature>(error.detail));
    } else if (error.code == ErrorCode::io && error.detail != 0) {
        text = std::strerror(error.detail);
    } else if (error.code == ErrorCode::out_of_memory && error.detail != 0) {
        text += ": ";
        text += std::strerror(error.detail);
    }
    if (error.offset != Error::no_offset) {
        text += " (at byte ";
        text += std::to_string(error.offset);
        text += ')';
    }
    return text;
}

}  // namespace wrun
