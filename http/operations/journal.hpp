// Lines for whoever reads what happened, written by a thread of its own: a disk that is slow or a
// pipe that nobody reads costs lines, never a request its time. Lines are whole and in the order in
// which they were given; what was lost is said as soon as there is room again.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/os_thread.hpp"
#include "base/result.hpp"

namespace wrun::http {

class Journal {
public:
    /// What is not written yet may be as much; beyond it lines are lost.
    static constexpr std::size_t bytes_max = std::size_t{4} << 20;

    /// The line that says how many were lost, without its end.
    using LostLine = std::string (*)(u64 lines);

    /// To an open file, borrowed.
    [[nodiscard]] static Result<std::unique_ptr<Journal>> make(int file, LostLine lost_line);
    /// Writes what is there, unless the file takes nothing for a second.
    ~Journal();
    Journal(const Journal&) = delete;
    Journal& operator=(const Journal&) = delete;

    /// One line, without its end. From any thread; does not wait for the file.
    void add(std::string_view line);
    /// To another file from the next line on, as after its rotation.
    void set_file(int file) noexcept;
    /// Lines that found no room, and those that the file has refused.
    [[nodiscard]] u64 lost() const noexcept;

private:
    Journal(int file, LostLine lost_line) noexcept : lost_line_{lost_line}, file_{file} {}
    void write_on();
    [[nodiscard]] std::string_view write(std::string_view text, int file) noexcept;
    [[nodiscard]] bool await_room(int file) noexcept;

    const LostLine lost_line_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::string waiting_;  // under the mutex, as all that follows
    int file_;
    u64 lost_ = 0;
    bool is_full_ = false;  // until what waits is taken: lines are lost in one place
    bool is_ending_ = false;
    os::Thread thread_;
};

}  // namespace wrun::http
