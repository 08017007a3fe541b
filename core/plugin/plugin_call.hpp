#pragma once
// Which plugin's code a thread of this process is in, for the record of a crash and for
// oarlock.thread/1.

namespace oarlock::plugin {

/// The texts outlive the call. `ns` and `name` are of the planned object, empty outside plan().
struct plugin_call {
  const char* plugin;
  const char* version;
  const char* slot;  ///< "plan", "create", ...
  const char* ns = "";
  const char* name = "";
};

/// While it lives, this thread is in that call.
class plugin_call_scope {
 public:
  explicit plugin_call_scope(const plugin_call& what);
  ~plugin_call_scope();
  plugin_call_scope(const plugin_call_scope&) = delete;
  plugin_call_scope& operator=(const plugin_call_scope&) = delete;

 private:
  const plugin_call* outer_;
};

/// Of this thread; null outside of every plugin. Safe in a signal handler.
[[nodiscard]] const plugin_call* current_plugin_call() noexcept;

}  // namespace oarlock::plugin
