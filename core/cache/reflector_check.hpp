#pragma once
// Compares a store with the API server now and then: a bug, or a server that lost an event, must
// not stay unseen for ever. Internal.
#include <cstdint>
#include <functional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/metric_registry.hpp"
#include "core/base/random.hpp"
#include "core/base/result.hpp"
#include "core/base/task.hpp"
#include "core/base/timers.hpp"
#include "core/cache/object_decoder.hpp"
#include "core/cache/reflector.hpp"
#include "core/cache/scope.hpp"
#include "core/cache/store.hpp"
#include "core/kube/client.hpp"

namespace oarlock::cache {

namespace check_limits {
using namespace std::chrono_literals;
/// A difference is looked at again after this: longer than bookmarks are apart, so that the
/// position has moved on.
inline constexpr duration confirm = 90s;
/// With more changes than this while it lists, a check proves nothing and is given up.
inline constexpr std::size_t changed_max = 10000;
inline constexpr std::size_t differences_max = 1000;
inline constexpr std::size_t keys_named = 5;
}  // namespace check_limits

/// Lists metadata at exactly the position of a live watch. The store is at that position too but
/// for what changed since, and of that this class is told: any other difference is one that no
/// later event explains. Found twice, it is counted and logged, and the reflector lists again; a
/// difference that a list did not repair (an object that cannot be decoded) is only counted.
/// Loop-bound.
class reflector_check {
 public:
  struct parts {
    kube::client* client;
    const clock* clock_source;
    timers* timer_source;
    random_source* random;
    metric_registry* metrics;
    const store* target;
    reflector* repaired_by;
    duration period;  ///< jittered by a tenth; above 0
  };
  reflector_check(const scope& what, parts p);

  /// Until `stop`. Call it once.
  task<> run(std::stop_token stop);

  // What the reflector does meanwhile.
  void changed(const object_key& key);
  void listed() { given_up_ = true; }
  void at_position(const std::string& version) { position_ = version; }

 private:
  using keys = std::set<object_key>;
  [[nodiscard]] task<result<keys>> compare(std::stop_token stop);
  [[nodiscard]] task<result<>> read_pages(std::string version, std::vector<std::uint64_t>* listed,
                                          keys* differing, std::stop_token stop);
  [[nodiscard]] task<result<>> take_page(list_decoder* page, std::vector<std::uint64_t>* listed,
                                         keys* differing);
  void find_extra(std::vector<std::uint64_t> listed, keys& differing) const;
  void report(const keys& confirmed);
  void note(keys& differing, const object_key& key) const;
  [[nodiscard]] error given_up() const;

  const scope what_;
  const parts p_;
  object_decoder decoder_;
  counter& checks_;
  counter& inconsistencies_;
  std::string position_;
  std::string against_;  // the position that is compared
  keys changed_;         // since the comparison under way began
  keys reported_;        // by the check before this one
  bool comparing_ = false;
  bool given_up_ = false;
};

}  // namespace oarlock::cache
