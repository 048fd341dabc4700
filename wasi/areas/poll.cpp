// Waiting for clocks and descriptors: one ppoll (or what the host has instead of it) until the
// earliest deadline, again only when that was interrupted or a hair too early. Every descriptor
// event the kernel reports becomes an event of the guest's, so the loop cannot spin.
#include <poll.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "wasi/areas/areas.hpp"
#include "wasi/times.hpp"

namespace wrun::wasi::areas {
namespace {

/// A bound for what one call makes the host remember (40 bytes each).
constexpr u32 subscriptions_max = 4096;
constexpr u64 never = std::numeric_limits<u64>::max();

struct Subscription {
    u64 userdata = 0;
    EventType type = EventType::clock;
    Errno error = Errno::success;  // known before waiting; an event at once
    clockid_t clock = CLOCK_MONOTONIC;
    u64 deadline = never;  // on that clock
    u32 waiting = 0;       // index of its pollfd, if it is about a descriptor
    const Stream* stream = nullptr;

    [[nodiscard]] u64 remaining() const noexcept {
        const u64 time = now(clock);
        return deadline > time ? deadline - time : 0;
    }
};

struct Waits {
    std::vector<Subscription> subscriptions;
    std::vector<pollfd> descriptors;
};

template <class T>
T field(const u8* record, u32 offset) noexcept {
    T value;
    std::memcpy(&value, record + offset, sizeof value);
    return value;
}

template <class Layout>
Answer<void> read_clock(const State& state, Subscription& subscription, const u8* record) {
    const auto flags = field<u16>(record, Layout::clock_flags);
    auto timeout = field<u64>(record, Layout::timeout);
    const auto clock = field<u32>(record, Layout::clock_id);
    if (clock > to_underlying(Clock::monotonic)) {
        // The CPU clocks stand still while we wait.
        subscription.error =
            clock <= to_underlying(Clock::thread_cputime) ? Errno::notsup : Errno::inval;
        return {};
    }
    if ((flags & ~subclockflags::abstime) != 0) return Errno::inval;
    subscription.clock = *host_clock(clock);
    const bool is_absolute = (flags & subclockflags::abstime) != 0;
    if (is_absolute && subscription.clock == CLOCK_MONOTONIC)
        timeout -= std::min(timeout, state.monotonic_offset_ns());
    const u64 start = is_absolute ? 0 : now(subscription.clock);
    if (__builtin_add_overflow(start, timeout, &subscription.deadline))
        subscription.deadline = never;
    return {};
}

void read_descriptor(Call& call, Waits& waits, Subscription& subscription, u32 fd) {
    Answer<Descriptor*> found = call.state.descriptors().get(fd, rights::poll_fd_readwrite);
    if (!found.ok()) {
        subscription.error = found.error();
        return;
    }
    const Descriptor* const descriptor = std::move(found).take();
    const short events = subscription.type == EventType::fd_read ? POLLIN : POLLOUT;
    subscription.waiting = static_cast<u32>(waits.descriptors.size());
    subscription.stream = descriptor->stream;
    const int number = subscription.stream != nullptr ? subscription.stream->waiting_number()
                                                      : descriptor->number();
    waits.descriptors.push_back({number, events, 0});
}

template <class Layout>
Answer<void> read_subscription(Call& call, Waits& waits, const u8* record) {
    Subscription subscription;
    subscription.userdata = field<u64>(record, Layout::userdata);
    subscription.type = static_cast<EventType>(field<u8>(record, Layout::tag));
    switch (subscription.type) {
        case EventType::clock:
            WRUN_TRY(read_clock<Layout>(call.state, subscription, record));
            break;
        case EventType::fd_read:
        case EventType::fd_write:
            read_descriptor(call, waits, subscription, field<u32>(record, Layout::fd));
            break;
        default: return Errno::inval;
    }
    waits.subscriptions.push_back(subscription);
    return {};
}

template <class Layout>
Answer<void> read_subscriptions(Call& call, Waits& waits, u32 address, u32 count) {
    const auto records = call.memory.view(address, u64{count} * Layout::size);
    if (!records) return Errno::fault;
    waits.subscriptions.reserve(count);
    for (u32 index = 0; index < count; ++index)
        WRUN_TRY(read_subscription<Layout>(
            call, waits, records->data() + std::size_t{index} * Layout::size));
    return {};
}

/// How long nothing can happen; `never` when only a descriptor can end the wait.
u64 longest_wait(const Waits& waits) {
    u64 result = never;
    for (const Subscription& one : waits.subscriptions) {
        if (one.error != Errno::success) return 0;
        if (one.stream != nullptr && one.stream->readiness(one.type).is_ready) return 0;
        if (one.type == EventType::clock && one.deadline != never)
            result = std::min(result, one.remaining());
    }
    return result;
}

Answer<void> wait(Waits& waits, Waiter* waiter) {
    const u64 longest = longest_wait(waits);
    if (waiter != nullptr) {
        u64 until = never;
        if (longest != never && __builtin_add_overflow(now(CLOCK_MONOTONIC), longest, &until))
            until = never;
        return waiter->wait(waits.descriptors, until) < 0 ? last_errno() : Errno::success;
    }
    const timespec timeout = timespec_of(longest);
    const int ready = ::ppoll(waits.descriptors.data(), waits.descriptors.size(),
        longest == never ? nullptr : &timeout, nullptr);
    const bool is_early = ready < 0 && errno == EINTR && !engine::is_interrupted();
    if (ready >= 0 || is_early) return {};
    return last_errno();
}

/// Bytes that can be read at once, as far as the host says.
u64 readable_bytes(int descriptor) {
    int bytes = 0;
    return ::ioctl(descriptor, FIONREAD, &bytes) == 0 && bytes > 0 ? static_cast<u64>(bytes) : 0;
}

using Event = Record<event_record::size>;

/// The event of a subscription, if there is one by now.
bool happened(const Waits& waits, const Subscription& one, Event& event) {
    event.put<event_record::userdata>(one.userdata)
        .put<event_record::error>(one.error)
        .put<event_record::type>(one.type);
    if (one.error != Errno::success) return true;
    if (one.type == EventType::clock) return one.remaining() == 0;

    if (one.stream != nullptr) {
        const Stream::Readiness readiness = one.stream->readiness(one.type);
        if (!readiness.is_ready) return false;
        if (one.type == EventType::fd_read) event.put<event_record::nbytes>(readiness.bytes);
        if (readiness.is_over) event.put<event_record::flags>(eventflags::hangup);
        return true;
    }
    const pollfd& waited = waits.descriptors[one.waiting];
    if (waited.revents == 0) return false;
    if ((waited.revents & POLLNVAL) != 0) {
        event.put<event_record::error>(Errno::badf);
        return true;
    }
    if (one.type == EventType::fd_read) event.put<event_record::nbytes>(readable_bytes(waited.fd));
    // An error waits in the file: the transfer that comes next will report it.
    if ((waited.revents & (POLLHUP | POLLERR)) != 0)
        event.put<event_record::flags>(eventflags::hangup);
    return true;
}

}  // namespace

Errno poll_oneoff(Call& call, u32 subscriptions, u32 events, u32 count, u32 event_count) {
    if (count == 0 || count > subscriptions_max) return Errno::inval;
    WRUN_TRY(call.check(events, u64{count} * event_record::size));
    WRUN_TRY(call.check(event_count, 4));

    Waits waits;
    if (call.preview == Preview::unstable) {
        WRUN_TRY(
            read_subscriptions<unstable_subscription_record>(call, waits, subscriptions, count));
    } else {
        WRUN_TRY(read_subscriptions<subscription_record>(call, waits, subscriptions, count));
    }

    u32 written = 0;
    while (written == 0) {
        WRUN_TRY(wait(waits, call.state.waiter()));
        for (const Subscription& one : waits.subscriptions) {
            Event event;
            if (!happened(waits, one, event)) continue;
            WRUN_TRY(Answer<void>{call.store(events + written * event_record::size, event)});
            ++written;
        }
    }
    return call.store(event_count, written);
}

}  // namespace wrun::wasi::areas
