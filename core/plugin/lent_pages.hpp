#pragma once
// In debug builds: inputs that cannot be read any more once their call is over, so that a plugin
// that keeps a view is ended there, and named.
#include <cstddef>

#include "oarlock/ext/inbound.h"
#include "oarlock/ext/review.h"
#include "oarlock/plan.h"

namespace oarlock::plugin {

#ifdef OARLOCK_CHECKS_VIEWS
inline constexpr bool checks_views = true;
#else
inline constexpr bool checks_views = false;
#endif

/// A copy of all that `from` points at. Without memory for it, `from` itself. `View`: that of a
/// plan, an effect, a request or a review.
template <class View>
class lent_pages {
 public:
  explicit lent_pages(const View& from);
  /// Takes the copy out of reach. Its addresses are not used again for some calls.
  ~lent_pages();
  lent_pages(const lent_pages&) = delete;
  lent_pages& operator=(const lent_pages&) = delete;

  [[nodiscard]] const View* view() const { return view_; }

 private:
  const View* view_;
  void* pages_ = nullptr;
  std::size_t size_ = 0;
};

/// Whether `address` lies in inputs of a call that is over. Async-signal-safe.
[[nodiscard]] bool is_kept_view(const void* address);

}  // namespace oarlock::plugin
