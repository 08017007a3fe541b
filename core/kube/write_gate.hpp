#pragma once
#include "core/base/clock.hpp"
#include "core/base/result.hpp"

namespace oarlock::kube {

/// Lets a write pass or says why not: leadership. Asked just before each sending. Thread: any.
class write_gate {
 public:
  virtual ~write_gate() = default;
  [[nodiscard]] virtual result<> check() const = 0;
  /// Until when it lets writes pass, as of now; max(): for ever.
  [[nodiscard]] virtual steady_time limit() const { return steady_time::max(); }
};

}  // namespace oarlock::kube
