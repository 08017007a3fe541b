#pragma once
// How the process died, for whoever looks at it afterwards.
#include <optional>
#include <string>
#include <string_view>

namespace oarlock::daemon {

/// A plugin whose code the process died in.
struct crashed_plugin {
  std::string plugin;
  std::string version;
  std::string how;  ///< "SIGSEGV in plan of default/web"
};

/// From now on a fatal signal, and memory that runs out where that cannot be survived, leave a
/// record before the process ends: what it was, in which thread, and the addresses on its stack. On
/// standard error, and in `<state_dir>/last-crash.log` unless `state_dir` is empty. So does exit()
/// in a plugin. A record of an earlier run is logged and renamed to seen-crash.log; returned is the
/// plugin that it names. Thread: main, before there are others. Under a sanitizer, which reports by
/// itself, signals are left alone.
[[nodiscard]] std::optional<crashed_plugin> record_crashes(const std::string& state_dir,
                                                           std::string_view version);

/// In this thread a stack that overflows leaves a record too. Thread: each once, at its start;
/// main's has it from record_crashes.
void record_overflow_here();

/// For this thread running out of memory ends the process. All others get a std::bad_alloc: on a
/// plugin's lane one plan fails and is made again.
void end_without_memory();

/// Ends the process with a record, in any thread.
[[noreturn]] void memory_has_run_out();

}  // namespace oarlock::daemon
