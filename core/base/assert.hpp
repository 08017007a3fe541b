#pragma once
// Invariants. They stay on in release builds: a daemon that writes to clusters stops rather than
// goes on with a broken one.

namespace oarlock::detail {
[[noreturn]] void assert_failed(const char* expression, const char* why, const char* file,
                                int line);
}  // namespace oarlock::detail

/// Aborts with file, line and `why` when `expression` is false. For programmer errors only.
#define OARLOCK_ASSERT(expression, why) \
  ((expression) ? static_cast<void>(0)  \
                : ::oarlock::detail::assert_failed(#expression, (why), __FILE__, __LINE__))
