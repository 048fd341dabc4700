// An engine as the comparison sees it: load a module, make instances of it, call exports, look at
// what is left. Two of them are handed the same module and the same host; everything they do
// differently in `transcript.hpp`'s terms is a finding. Errors of a subject's own (no library, no
// memory) end the process: a comparison without both engines is worth nothing.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "codegen/stress.hpp"
#include "fuzz/differential/values.hpp"
#include "runtime/abi.hpp"

namespace wrun::differ {

/// What the engines call out to. Answers false when the call shall trap (with `unreachable`).
class Host {
public:
    virtual ~Host() = default;
    [[nodiscard]] virtual bool call(
        u32 import, std::span<const Value> arguments, std::span<Value> results) = 0;
};

/// What became of the bytes. A limit is no verdict: an engine may have any.
enum class Verdict : u8 { accepted, refused, over_a_limit };

/// Bounds that both engines keep, so that what does not fit fits in neither.
inline constexpr u64 memory_bytes_max = u64{16} << 20;
inline constexpr u64 table_elements_max = 100'000;
inline constexpr u64 stack_bytes_max = u64{2} << 20;

/// An import whose module has this name is met by an export of the instance before, if there is one
/// of that name and kind. Such a module is instantiated twice: so calls, tables, memories and
/// globals cross instances.
inline constexpr std::string_view twin_module = "twin";

/// A host function of this name calls an export of the newest instance before it answers, so that
/// host and guest are entered one inside the other.
inline constexpr std::string_view calling_back = "back";

/// Items of an instance are counted imports first, then exports, as in Shape.
class Subject {
public:
    virtual ~Subject() = default;
    [[nodiscard]] virtual std::string_view name() const = 0;

    /// Drops what was loaded before. `why` gets the engine's words when it is not accepted.
    [[nodiscard]] virtual Verdict load(std::span<const u8> wasm, std::string& why) = 0;
    [[nodiscard]] virtual const Shape& shape() const = 0;

    /// Forgets all instances.
    virtual void begin_round(Host& host) = 0;
    [[nodiscard]] virtual Ending instantiate() = 0;
    [[nodiscard]] virtual u32 instance_count() const = 0;

    [[nodiscard]] virtual Ending call(
        u32 instance, u32 item, std::span<const Value> arguments, std::vector<Value>& results) = 0;
    [[nodiscard]] virtual Value global(u32 instance, u32 item) = 0;
    [[nodiscard]] virtual std::span<const u8> memory(u32 instance, u32 item) = 0;
    [[nodiscard]] virtual u64 table_size(u32 instance, u32 item) = 0;
    [[nodiscard]] virtual Value table_element(u32 instance, u32 item, u64 index) = 0;
};

/// wrun with at most so many home registers of each class, in such stress modes.
[[nodiscard]] std::unique_ptr<Subject> make_wrun_subject(u32 homes_max,
    codegen::StressModes stress = {}, runtime::Bounds bounds = runtime::Bounds::guard);

/// Why there is no second engine; empty when there is one.
[[nodiscard]] const std::string& second_engine_missing();
/// With `canonical_nans` every operation that makes a NaN makes the same one. With `fuel` each
/// round traps with out_of_fuel behind about so many operations, and registers are allocated in one
/// pass unless NaNs are canonical: who finds a difference asks that one as well.
[[nodiscard]] std::unique_ptr<Subject> make_second_subject(bool canonical_nans, u64 fuel = 0);
/// The second engine's verdict on the bytes, without compiling them. `with_gc`: garbage collection
/// and typed references on top of what wrun has.
[[nodiscard]] Verdict second_validates(
    std::span<const u8> wasm, std::string& why, bool with_gc = false);

}  // namespace wrun::differ
