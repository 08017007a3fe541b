#pragma once
// What monitoring has to know of a cluster: the plugin's own metrics (monitoring/ has the alerts).
#include <string_view>

#include "oarlock/sdk/metrics.hpp"
#include "plan.hpp"

namespace mysql_cluster {

/// What one look at a cluster comes to.
struct measured {
  bool available = false;          ///< the primary on record answers and takes writes
  bool healthy = false;            ///< phase Ready
  bool failover_possible = false;  ///< its loss would be survived
  bool paused = false;
  int members = 0;  ///< as many as there shall be
  int answering = 0;
  int synced = 0;    ///< replicas that have everything the primary has
  int errant = 0;    ///< members in quarantine
  double epoch = 0;  ///< counts the primaries
  double failovers = 0, switchovers = 0, last_failover_s = 0;
  double certificate_ends_s = 0;     ///< the first of those that are shown, Unix time; 0: not known
  bool passwords_changing = false;   ///< new passwords are on their way
  double old_passwords_until_s = 0;  ///< kept on purpose, Unix time; 0: not yet, or no more
  double password_changes = 0;
  double lag_s = 0;  ///< of the replica that is furthest behind, of those that answer
  bool operator==(const measured&) const = default;
};

/// From the status, and from what observe() has just found.
[[nodiscard]] measured measure(const my_sql_cluster& cluster, oarlock::sdk::json::node observed);

/// Thread: any.
class measures {
 public:
  explicit measures(const oarlock::sdk::metrics& made);
  void tell(std::string_view ns, std::string_view name, const measured& what) const;
  /// An effect, which is told how it ended.
  void count(std::string_view ns, std::string_view name, std::string_view effect, bool done) const;

 private:
  using gauges = oarlock::sdk::family<oarlock::sdk::gauge>;
  gauges available_, healthy_, failover_possible_, paused_, members_, answering_, synced_, errant_,
      epoch_, failovers_, switchovers_, last_failover_, lag_, certificate_ends_,
      passwords_changing_, old_passwords_until_, password_changes_;
  oarlock::sdk::family<oarlock::sdk::counter> effects_;
};

}  // namespace mysql_cluster
