#pragma once
// What happens outside of Kubernetes makes a plan (extension oarlock.event_source/1). Does nothing
// when the host has none.
#include <string_view>

#include "oarlock/ext/event_source.h"
#include "oarlock/sdk/text.hpp"

namespace oarlock::sdk {

/// Thread: any of the plugin's own, between start() and stop() of its reconciler.
class event_source {
 public:
  event_source() = default;
  explicit event_source(const oarlock_host& host)
      : ctx_(host.ctx),
        table_(static_cast<const oarlock_host_event_source*>(
            host.extension(host.ctx, to_view(OARLOCK_EXT_EVENT_SOURCE)))) {}

  /// Asks for a plan of an object of `controller`; what comes too fast waits, once for each object.
  /// False: the host has no event sources, or there is no such controller, or that is no name.
  bool enqueue(std::string_view controller, std::string_view ns, std::string_view name) const {
    return table_ != nullptr &&
           table_->enqueue(ctx_, to_view(controller), to_view(ns), to_view(name)) == OARLOCK_OK;
  }

 private:
  oarlock_host_ctx* ctx_ = nullptr;
  const oarlock_host_event_source* table_ = nullptr;
};

}  // namespace oarlock::sdk
