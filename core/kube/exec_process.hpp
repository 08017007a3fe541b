#pragma once
#include "core/base/timers.hpp"
#include "core/kube/exec_plugin.hpp"

namespace oarlock::kube {

/// Runs programs as children of this process, on `loop`, which never blocks. Outlived by the
/// timers.
[[nodiscard]] exec_runner make_process_runner(executor loop, timers& timer_source);

}  // namespace oarlock::kube
