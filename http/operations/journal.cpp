// The thread takes all lines that are there at once, so that busy servers write in large pieces.
#include "http/operations/journal.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

namespace wrun::http {

namespace {

constexpr int patience_ms = 1000;

/// What is written at once to a file that would wait: as much as a pipe takes when poll() says that
/// there is room. Standard error belongs to others too, so it cannot be made one that does not.
[[nodiscard]] std::string_view piece_of(std::string_view text) noexcept {
    if (text.size() <= PIPE_BUF) return text;
    const std::size_t end = text.substr(0, PIPE_BUF).rfind('\n');
    return text.substr(0, end == text.npos ? PIPE_BUF : end + 1);
}

}  // namespace

Result<std::unique_ptr<Journal>> Journal::make(int file) {
    std::unique_ptr<Journal> journal{new Journal{file}};
    const auto body = [](void* self) { static_cast<Journal*>(self)->write_on(); };
    if (!journal->thread_.start(body, journal.get())) return Error{ErrorCode::out_of_memory};
    return journal;
}

Journal::~Journal() {
    {
        const std::lock_guard lock{mutex_};
        is_ending_ = true;
    }
    changed_.notify_one();
    thread_.join();
}

void Journal::add(std::string_view line) {
    bool was_empty = false;
    {
        const std::lock_guard lock{mutex_};
        if (waiting_.size() + line.size() >= bytes_max) {
            ++lost_;
            return;
        }
        was_empty = waiting_.empty();
        if (lost_ != told_lost_) {
            waiting_ += "wrun: " + std::to_string(lost_ - told_lost_) + " lines were lost here\n";
            told_lost_ = lost_;
        }
        waiting_ += line;
        waiting_ += '\n';
    }
    if (was_empty) changed_.notify_one();
}

void Journal::set_file(int file) noexcept {
    const std::lock_guard lock{mutex_};
    file_ = file;
}

u64 Journal::lost() const noexcept {
    const std::lock_guard lock{mutex_};
    return lost_;
}

void Journal::write_on() {
    std::string taken;
    for (;;) {
        int file = -1;
        {
            std::unique_lock lock{mutex_};
            changed_.wait(lock, [this] { return !waiting_.empty() || is_ending_; });
            if (waiting_.empty()) return;
            taken.swap(waiting_);
            file = file_;
        }
        write(taken, file);
        taken.clear();
    }
}

void Journal::write(std::string_view text, int file) noexcept {
    const bool may_wait = (::fcntl(file, F_GETFL) & O_NONBLOCK) == 0;
    while (!text.empty()) {
        if (may_wait && !await_room(file)) return;
        const std::string_view piece = may_wait ? piece_of(text) : text;
        const ssize_t written = ::write(file, piece.data(), piece.size());
        if (written >= 0) {
            text.remove_prefix(static_cast<std::size_t>(written));
        } else if (errno == EAGAIN) {
            if (!await_room(file)) return;
        } else if (errno != EINTR) {
            return;
        }
    }
}

/// False when there is none for so long at the end.
bool Journal::await_room(int file) noexcept {
    for (;;) {
        pollfd room{file, POLLOUT, 0};
        const int found = ::poll(&room, 1, patience_ms);
        if (found > 0 || (found < 0 && errno != EINTR)) return true;
        const std::lock_guard lock{mutex_};
        if (is_ending_) return false;
    }
}

}  // namespace wrun::http
