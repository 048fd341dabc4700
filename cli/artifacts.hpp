// `wrun compile` and `wrun verify`: a module as a file of machine code, and whether such a file is
// whole. Running one is `wrun run --allow-precompiled` (cli/run.cpp).
#pragma once

#include <string>

#include "base/os_file.hpp"
#include "cli/options.hpp"
#include "engine/artifact.hpp"

namespace wrun::cli {

[[nodiscard]] int compile(const CompileOptions& options);
[[nodiscard]] int verify(const VerifyOptions& options);

/// All of it or nothing: whoever runs a former file of this name keeps it.
[[nodiscard]] Result<void> write_artifact(
    const std::string& path, const engine::ArtifactBytes& artifact);
/// What is wrong with an artifact's file, for people.
[[nodiscard]] std::string describe_artifact_failure(const std::string& path, Error error);
/// What a snapshot's init could learn of the world.
[[nodiscard]] wasi::AccessSet learned_kinds(const engine::SnapshotFacts& facts) noexcept;

/// Whether an open file begins as an artifact does.
[[nodiscard]] bool holds_artifact(const os::File& file) noexcept;

}  // namespace wrun::cli
