// What a server may take of the machine and of everybody's patience; a default for each. Counts of
// the whole server are shared out between its threads, rounded up, since no request is handed from
// one to another.
#pragma once

#include <string>
#include <vector>

#include "http/request_parser.hpp"

namespace wrun::http {

class Observer;

/// Where to listen: an address and port, a unix socket's path, or a descriptor that listens
/// already.
struct Endpoint {
    std::string address = "127.0.0.1";  // numeric, IPv4 or IPv6
    u16 port = 0;                       // 0: one that is free
    std::string unix_path;
    int descriptor = -1;  // borrowed
};

struct ServerOptions {
    std::vector<Endpoint> endpoints;
    u32 threads = 1;
    int backlog = 4096;

    RequestLimits request;
    u64 response_bytes_max = ~u64{0};
    u32 response_head_bytes_max = u32{64} << 10;
    u32 connections_max = 10'000;  // more wait in the backlog

    u64 idle_ns = u64{60'000'000'000};     // between requests
    u64 head_ns = u64{10'000'000'000};     // from a head's first byte to its last
    u64 body_ns = u64{30'000'000'000};     // without a byte of a body
    u64 write_ns = u64{30'000'000'000};    // without a byte that the client takes
    u64 timeout_ns = u64{10'000'000'000};  // from a handler's start to its end
    /// When a drain begins, requests that are on their way to idle connections still get answers.
    u64 drain_grace_ns = u64{500'000'000};
    /// And clients whose first packet has come are still let in.
    u64 handshake_grace_ns = u64{50'000'000};
    u64 slice_ns = u64{10'000'000};  // of a guest that others wait for; 0: none

    u32 in_flight_max = 1024;           // handlers at once
    u32 queue_max = 4096;               // requests that wait for their turn
    u64 queue_ns = u64{1'000'000'000};  // and how long
    bool is_half_close_gone = true;     // a client that will send no more will not read either
    bool is_proxy_trusted = false;      // X-Forwarded-For, -Proto and -Host are believed
    Observer* observer = nullptr;       // borrowed; none: nobody looks
};

}  // namespace wrun::http
