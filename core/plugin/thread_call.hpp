#pragma once
// The table of oarlock.thread/1, for both homes.
#include "oarlock/ext/thread.h"

namespace oarlock::plugin {

/// Answers by the plugin_call that the calling thread is in.
[[nodiscard]] const oarlock_host_thread* thread_table();

}  // namespace oarlock::plugin
