// Any bytes decode to a module or to an error, with every feature on. What decodes lies within its
// bytes, and more features never refuse what fewer accept.
#include "decoder/decode.hpp"

#include <cstdio>
#include <cstdlib>

#include "fuzz/target.hpp"

namespace {

using namespace wrun;

FeatureSet all_features() {
    FeatureSet features;
#define WRUN_FEATURE(name, text, state) features.set(Feature::name);
#include "base/features.def"
#undef WRUN_FEATURE
    return features;
}

void expect(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "decode: %s\n", what);
    std::abort();
}

void expect_inside(const Module& module) {
    const auto inside = [&](ByteRange range) {
        return range.begin <= range.end && range.end <= module.bytes.size();
    };
    for (const SectionInfo& section : module.sections)
        expect(inside(section.bytes), "a section leaves the module");
    for (const ByteRange body : module.bodies)
        expect(inside(body), "a body leaves the module");
    for (const DataSegment& segment : module.data)
        expect(inside(segment.bytes) && inside(segment.offset), "data leave the module");
    for (const Import& import : module.imports)
        expect(inside(import.module) && inside(import.field), "an import leaves the module");
    for (const Export& item : module.exports)
        expect(inside(item.field), "an export leaves the module");
    for (const FunctionName& name : module.function_names)
        expect(inside(name.text), "a name leaves the module");
    expect(module.functions.size() == module.imported_function_count + module.bodies.size(),
        "functions without bodies");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto with_all = decode({data, size}, all_features());
    if (with_all.ok()) expect_inside(with_all.value());
    const auto with_default = decode({data, size}, default_features());
    if (!with_default.ok()) return 0;
    expect_inside(with_default.value());
    expect(with_all.ok(), "more features refuse it");
    return 0;
}
