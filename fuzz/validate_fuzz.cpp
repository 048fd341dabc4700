// Any bytes that decode are found valid or not, declarations and bodies.
#include "validator/validate.hpp"

#include "decoder/decode.hpp"
#include "fuzz/target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace wrun;
    const FeatureSet features = default_features();
    Result<Module> decoded = decode({data, size}, features);
    if (!decoded.ok()) return 0;
    Module& module = decoded.value();
    if (!validate_module(module, features).ok()) return 0;

    FunctionValidator validator(module, features);
    FunctionSummary summary;
    // Each body on its own: a faulty one must not hide those behind it.
    for (u32 func = module.imported_function_count; func < module.functions.size(); func++) {
        static_cast<void>(validator.validate(FuncIndex{func}, summary));
    }
    return 0;
}
