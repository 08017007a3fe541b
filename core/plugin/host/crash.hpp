#pragma once
// Tells the daemon how this process dies: the signal, the worker and the addresses on its stack.
#include <cstdint>

namespace oarlock::plugin::host {

/// Watches the signals that end a process, and exit(). Once, before the plugin's code runs.
void report_crashes();

/// Makes this thread's crashes carry `worker`, and gives it a stack to report an overflow from.
void name_worker(std::int32_t worker);

}  // namespace oarlock::plugin::host
