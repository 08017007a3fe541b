#include "core/base/rfc3339.hpp"

#include <gtest/gtest.h>

namespace oarlock {
namespace {

TEST(parse_rfc3339, reads_times_with_any_offset) {
  const auto noon =
      std::chrono::sys_days(std::chrono::year(2026) / 2 / 28) + std::chrono::hours(12);
  for (const char* text : {"2026-02-28T12:00:00Z", "2026-02-28T12:00:00.999999Z",
                           "2026-02-28T13:30:00+01:30", "2026-02-28T00:00:00-12:00"}) {
    EXPECT_EQ(parse_rfc3339(text), noon) << text;
  }
}

TEST(parse_rfc3339, refuses_the_rest) {
  for (const char* text :
       {"", "2026", "2026-02-30T12:00:00Z", "2026-02-28 12:00:00Z", "2026-02-28T24:00:00Z",
        "2026-02-28T12:60:00Z", "2026-02-28T12:00:00", "2026-02-28T12:00:00.Z",
        "2026-02-28T12:00:00+1:00", "2026-02-28T12:00:00+24:00", "2026-02-28T12:00:00Zx",
        "-026-02-28T12:00:00Z", "2026--2-28T12:00:00Z", "2026-02-28T12:00:00.5"}) {
    EXPECT_FALSE(parse_rfc3339(text)) << text;
  }
}

}  // namespace
}  // namespace oarlock
