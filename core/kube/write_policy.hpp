#pragma once
// What one client may write, decided in this process before the API server is asked.
#include <memory>
#include <stop_token>
#include <string>

#include "core/base/clock.hpp"
#include "core/base/result.hpp"
#include "core/base/task.hpp"

namespace oarlock::kube {

/// One write in RBAC's words.
struct write_intent {
  std::string verb;  ///< create, update, patch or delete
  std::string group;
  std::string resource;  ///< a plural, or "myapps/status"
  std::string ns;        ///< empty for a kind without namespaces
  std::string name;      ///< empty for a create
};

class write_policy {
 public:
  virtual ~write_policy() = default;
  /// Lets a write pass, perhaps after a wait until `deadline` at most, or refuses it: nothing is
  /// sent then. Asked once for each call; what it returns is held until the call has ended. Thread:
  /// the client's loop.
  [[nodiscard]] virtual task<result<std::shared_ptr<void>>> admit(write_intent what,
                                                                  steady_time deadline,
                                                                  std::stop_token stop) = 0;
};

}  // namespace oarlock::kube
