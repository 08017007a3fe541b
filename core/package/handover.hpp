#pragma once
// Whose turn it is with a Plugin that was moved from one runtime to another.
#include <algorithm>
#include <chrono>
#include <string>

#include "core/base/clock.hpp"

namespace oarlock::package {

/// For a runtime to end what was moved away from it: a reconcile's own deadline.
inline constexpr std::chrono::seconds handover_wait{60};

/// What status.running.runtime means for the runtime that the Plugin was moved to.
class handover {
 public:
  enum class turn {
    ours,     ///< it names us
    nobodys,  ///< it names none: we may begin
    theirs,   ///< another one has not ended it yet
    overdue,  ///< and had its time: we may begin
  };

  /// Each time that it is looked at. `named` is the runtime in the status, `own` ours.
  [[nodiscard]] turn look(const std::string& named, const std::string& own, steady_time now) {
    const bool is_theirs = !named.empty() && named != own;
    if (!is_theirs) {
      awaited_.clear();
      return named.empty() ? turn::nobodys : turn::ours;
    }
    if (awaited_ != named) {
      awaited_ = named;
      until_ = now + handover_wait;
    }
    return now < until_ ? turn::theirs : turn::overdue;
  }
  [[nodiscard]] bool waits() const { return !awaited_.empty(); }
  /// How long a wait still takes.
  [[nodiscard]] duration left(steady_time now) const {
    return std::max<duration>(until_ - now, duration::zero());
  }

 private:
  std::string awaited_;  ///< runtime; empty: none
  steady_time until_;
};

}  // namespace oarlock::package
