#include "core/daemon/duration_text.hpp"

#include <gtest/gtest.h>

namespace oarlock::daemon {
namespace {

using namespace std::chrono_literals;

TEST(duration_text, is_read_as_go_writes_it) {
  const struct {
    const char* text;
    std::chrono::milliseconds expected;
  } cases[] = {{"0", 0ms},           {"0s", 0s},       {"15s", 15s},  {"1m30s", 90s},
               {"500ms", 500ms},     {"1.5s", 1500ms}, {"2h", 2h},    {"1h2m3s4ms", 3'723'004ms},
               {"1m0.25s", 60250ms}, {"24h", 24h},     {"0.4ms", 0ms}};
  for (const auto& c : cases) {
    const auto found = parse_duration(c.text);
    ASSERT_TRUE(found) << c.text;
    EXPECT_EQ(*found, c.expected) << c.text;
    EXPECT_EQ(parse_duration(show_duration(*found)), *found) << c.text;
  }
  EXPECT_EQ(show_duration(15s), "15s");
  EXPECT_EQ(show_duration(1500ms), "1500ms");
}

TEST(duration_text, anything_else_is_refused) {
  for (const auto* text : {"", "15", "s", "-1s", "+1s", " 1s", "1 s", "1s ", "1sec", "1d", "1e3s",
                           "nans", "infs", "0x10s", ".5s", "25h", "99999999999999999999h", "1s2"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

}  // namespace
}  // namespace oarlock::daemon
