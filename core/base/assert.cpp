#include "core/base/assert.hpp"

#include <cstdio>
#include <cstdlib>

#include "core/base/result.hpp"

namespace oarlock {

namespace detail {

void assert_failed(const char* expression, const char* why, const char* file, int line) {
  std::fprintf(stderr, "oarlock: invariant broken at %s:%d: %s (%s)\n", file, line, why,
               expression);
  std::abort();
}

}  // namespace detail

void throw_exception_from_error(const error& e, const boost::source_location& where) {
  detail::assert_failed(e.message.c_str(), "value() of a failed result", where.file_name(),
                        static_cast<int>(where.line()));
}

}  // namespace oarlock
