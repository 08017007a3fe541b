#pragma once
// A database beside the cluster: what the effects of plans do to it, and what must hold then.
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/controller/reconciler.hpp"

namespace oarlock::sim {

/// Of one cluster, for all of its processes. For each MyApp it has the image that is prepared and
/// the one that is in use; a plan whose image is another records `prepare` before its apply set and
/// `use` after it.
class outside {
 public:
  struct app {
    std::string prepared;
    std::string used;
  };

  /// True: the effect that comes next happens, and says that it does not know.
  std::function<bool()> lose_answer = [] { return false; };
  /// True: the effect that comes next fails and nothing happens.
  std::function<bool()> refuse = [] { return false; };
  int uses = 0;      ///< effects that changed the image in use
  int happened = 0;  ///< effects that changed anything
  std::vector<std::string> problems;

  /// Adds what is left to be done to a plan of the MyApp `primary`.
  void add_to(controller::plan_output& plan, const cache::object& primary) const;
  [[nodiscard]] controller::effect_output act(const controller::effect_input& input,
                                              const std::string& by);
  /// The image in use; empty: none.
  [[nodiscard]] std::string used_by(const std::string& uid) const;

 private:
  void happen(app& one, const controller::plugin_effect& what, const std::string& title);

  std::map<std::string, app> apps_;  // by UID
};

}  // namespace oarlock::sim
