// What is measured, behind one interface: an engine set up in one way (or plain C++ that does what
// no engine can beat), and what one thread of it does over and over: start an instance, call it,
// make the place ready for the next. A subject that fails in any step ends the program with its
// reason: what it then took would mean nothing.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/cold/handlers.hpp"

namespace wrun::cold {

/// Of one thread; used on the thread that made it. Steps come in their order.
class Worker {
public:
    virtual ~Worker() = default;
    /// A fresh instance of a program of the setup.
    virtual void start(std::size_t program) = 0;
    /// What `handle` answers.
    virtual u32 call(u32 argument) = 0;
    /// The instance is gone and its place is ready for another one.
    virtual void finish() = 0;

    /// Of the running instance.
    virtual std::span<const u8> memory() = 0;
    /// Instead of finish(): the instance stays alive as long as the worker.
    virtual void keep() = 0;
    /// Forgets idle slots, so that the next start makes one; false where that cannot be told.
    virtual bool forget() { return false; }
    /// How many places have been prepared for another program than they held; nothing where that
    /// cannot be told.
    virtual std::optional<u64> binds() { return std::nullopt; }
    /// Whether disturb() does anything: something between call() and finish() that is not counted.
    [[nodiscard]] virtual bool disturbs() const { return false; }
    virtual void disturb() {}
};

struct Setup {
    std::vector<std::vector<u8>> programs;
    const Handler* handler = nullptr;  // of program 0, for plain C++
    u32 slots = 0;                     // as many live instances at once; 0: the subject's default
    bool compiles_fast = false;        // for programs of many megabytes that are never called
};

class Subject {
public:
    virtual ~Subject() = default;
    virtual std::unique_ptr<Worker> worker() = 0;
};

struct SubjectKind {
    std::string_view name;
    std::string_view label;
    std::string_view does;
    bool is_native;  // plain C++: runs handlers that only write, has no programs
    std::unique_ptr<Subject> (*make)(const Setup& setup);
    /// Why it is not there; empty when it is.
    std::string (*missing)();
};

[[nodiscard]] std::span<const SubjectKind> wrun_kinds();
[[nodiscard]] std::span<const SubjectKind> wasmtime_kinds();
[[nodiscard]] std::span<const SubjectKind> native_kinds();

[[noreturn]] void give_up(std::string_view who, std::string_view why);

}  // namespace wrun::cold
