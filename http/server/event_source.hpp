// What stands behind a descriptor that a loop watches. It must live until the turn of the loop in
// which it was removed is over.
#pragma once

#include "base/types.hpp"

namespace wrun::http {

class EventSource {
public:
    virtual void on_events(u32 events) = 0;

protected:
    ~EventSource() = default;
};

}  // namespace wrun::http
