// The thread takes all lines that are there at once, so that busy servers write in large pieces.
#include "http/operations/journal.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
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

Result<std::unique_ptr<Journal>> Journal::make(int file, LostLine lost_line) {
    std::unique_ptr<Journal> journal{new Journal{file, lost_line}};
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
        if (is_full_ || waiting_.size() + line.size() >= bytes_max) {
            is_full_ = !waiting_.empty();
            ++lost_;
            return;
        }
        was_empty = waiting_.empty();
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
    u64 lost = 0;  // up to the first line that waits
    u64 told = 0;  // of them
    bool is_refused = false;
    for (;;) {
        const bool has_notice = lost != told && !is_refused;
        u64 lost_behind = 0;
        int file = -1;
        {
            std::unique_lock lock{mutex_};
            changed_.wait(lock, [&] { return !waiting_.empty() || has_notice || is_ending_; });
            if (waiting_.empty() && !has_notice) return;
            taken.swap(waiting_);
            is_full_ = false;
            lost_behind = lost_;
            file = file_;
        }
        const std::string notice = lost == told ? "" : lost_line_(lost - told) + '\n';
        taken.insert(0, notice);
        const std::string_view rest = write(taken, file);
        const bool is_told = rest.size() <= taken.size() - notice.size();
        const auto lines = static_cast<u64>(std::count(rest.begin(), rest.end(), '\n'));
        const u64 refused = lines - (is_told ? 0 : 1);
        if (is_told) told = lost;
        lost = lost_behind + refused;
        // It is not asked again before there is another line for it.
        is_refused = !rest.empty();
        taken.clear();
        const std::lock_guard lock{mutex_};
        lost_ += refused;
    }
}

/// Gives back what the file does not take.
std::string_view Journal::write(std::string_view text, int file) noexcept {
    const bool may_wait = (::fcntl(file, F_GETFL) & O_NONBLOCK) == 0;
    while (!text.empty()) {
        if (may_wait && !await_room(file)) break;
        const std::string_view piece = may_wait ? piece_of(text) : text;
        const ssize_t written = ::write(file, piece.data(), piece.size());
        if (written >= 0) {
            text.remove_prefix(static_cast<std::size_t>(written));
        } else if (errno == EAGAIN) {
            if (!await_room(file)) break;
        } else if (errno != EINTR) {
            break;
        }
    }
    return text;
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
