#include "core/metrics/bind_address.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/metrics/errors.hpp"

namespace oarlock::metrics {
namespace {

TEST(parse_bind_address, accepts_what_operator_people_write) {
  const struct {
    const char* text;
    bind_address expected;
    bool loopback;
    const char* printed;
  } cases[] = {
      {":8443", {"", 8443}, false, ":8443"},
      {"127.0.0.1:0", {"127.0.0.1", 0}, true, "127.0.0.1:0"},
      {"localhost:80", {"127.0.0.1", 80}, true, "127.0.0.1:80"},
      {"0.0.0.0:65535", {"0.0.0.0", 65535}, false, "0.0.0.0:65535"},
      {"[::1]:8081", {"::1", 8081}, true, "[::1]:8081"},
      {"[::]:1", {"::", 1}, false, "[::]:1"},
      {"127.9.9.9:1", {"127.9.9.9", 1}, true, "127.9.9.9:1"},
  };
  for (const auto& c : cases) {
    const auto parsed = parse_bind_address(c.text);
    ASSERT_TRUE(parsed) << c.text;
    ASSERT_TRUE(parsed->has_value()) << c.text;
    EXPECT_EQ(**parsed, c.expected) << c.text;
    EXPECT_EQ((*parsed)->is_loopback(), c.loopback) << c.text;
    EXPECT_EQ((*parsed)->text(), c.printed);
  }
}

TEST(parse_bind_address, zero_is_off) {
  const auto parsed = parse_bind_address("0");
  ASSERT_TRUE(parsed);
  EXPECT_FALSE(parsed->has_value());
}

TEST(parse_bind_address, refuses_with_expected_and_found) {
  for (const auto* text : {"", "8443", ":", ":-1", ":65536", ":80x", "host:80", "1.2.3:80",
                           "::1:80", "[127.0.0.1]:80", "[]:80", "[::1]", " :80", ":99999999999"}) {
    const auto parsed = parse_bind_address(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, metrics_error::bad_address);
    EXPECT_THAT(parsed.error().message,
                ::testing::HasSubstr(std::string("found \"") + text + "\""));
  }
}

}  // namespace
}  // namespace oarlock::metrics
