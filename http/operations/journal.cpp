// The thread takes all lines that are there at once, so that busy servers write in large pieces.
#include "http/operations/journal.hpp"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace wrun::http {

namespace {

constexpr int patience_ms = 1000;

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
    while (!text.empty()) {
        const ssize_t written = ::write(file, text.data(), text.size());
        if (written >= 0) {
            text.remove_prefix(static_cast<std::size_t>(written));
            continue;
        }
        if (errno == EINTR) continue;
        if (errno != EAGAIN) return;
        pollfd waiting{file, POLLOUT, 0};
        if (::poll(&waiting, 1, patience_ms) > 0) continue;
        const std::lock_guard lock{mutex_};
        if (is_ending_) return;
    }
}

}  // namespace wrun::http
