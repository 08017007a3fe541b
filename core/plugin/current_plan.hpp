#pragma once
// Whose plan() a thread is in, for the record of a crash. Read by a signal handler.

namespace oarlock::plugin {

struct current_plan {
  const char* plugin = nullptr;  ///< null: the thread is in no plan()
  const char* ns = nullptr;
  const char* name = nullptr;
};

/// Of the calling thread.
inline thread_local current_plan plan_of_thread;

/// While it lives, the calling thread is in this plan. The texts must outlive it.
class planning {
 public:
  planning(const char* plugin, const char* ns, const char* name) {
    plan_of_thread = {plugin, ns, name};
  }
  ~planning() { plan_of_thread = {}; }
  planning(const planning&) = delete;
  planning& operator=(const planning&) = delete;
};

}  // namespace oarlock::plugin
