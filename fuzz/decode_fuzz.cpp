// Any bytes decode to a module or to an error, with every feature on.
#include "decoder/decode.hpp"

#include "fuzz/target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    wrun::FeatureSet features;
#define WRUN_FEATURE(name, text, state) features.set(wrun::Feature::name);
#include "base/features.def"
#undef WRUN_FEATURE
    static_cast<void>(wrun::decode({data, size}, features));
    return 0;
}
