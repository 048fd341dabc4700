// What a service manager that starts us wants to know and gives: readiness by NOTIFY_SOCKET,
// sockets that listen already by LISTEN_FDS (sd_notify(3), sd_listen_fds(3)).
#pragma once

#include <string_view>
#include <vector>

namespace wrun::http {

/// "READY=1", "STOPPING=1", "RELOADING=1", lines of such. Nothing when nobody wants to know.
void notify_service_manager(std::string_view state) noexcept;

/// The descriptors that listen, if this process was given any; asked once. They are closed on exec
/// from now on.
[[nodiscard]] std::vector<int> take_listening_sockets();

}  // namespace wrun::http
