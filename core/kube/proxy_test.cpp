#include "core/kube/proxy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace oarlock::kube {
namespace {

TEST(parse_proxy_url, reads_what_kubeconfigs_and_environments_hold) {
  const auto plain = parse_proxy_url("http://proxy.test:3128");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->host, "proxy.test");
  EXPECT_EQ(plain->port, "3128");
  EXPECT_EQ(plain->authorization, "");
  EXPECT_EQ(parse_proxy_url("proxy.test")->port, "80");
  EXPECT_EQ(parse_proxy_url("http://[::1]:3128/")->host, "::1");
  EXPECT_EQ(parse_proxy_url("http://user:p%40ss@proxy.test")->authorization, "Basic dXNlcjpwQHNz");
}

TEST(parse_proxy_url, refuses_the_rest_without_quoting_a_password) {
  for (const char* url : {"https://p", "socks5://p:1080", "http://", "http://p:x", "http://p/path",
                          "http://u:secret%@p", "http://u:secret@"}) {
    const auto got = parse_proxy_url(url);
    ASSERT_FALSE(got) << url;
    EXPECT_THAT(got.error().message, ::testing::Not(::testing::HasSubstr("secret"))) << url;
  }
}

struct exempt_case {
  const char* list;
  const char* host;
  bool exempt;
};
class exemptions : public ::testing::TestWithParam<exempt_case> {};
TEST_P(exemptions, follow_the_list) {
  const auto& c = GetParam();
  EXPECT_EQ(is_exempt(c.list, c.host, "6443"), c.exempt) << c.list << " " << c.host;
}
INSTANTIATE_TEST_SUITE_P(
    table, exemptions,
    ::testing::Values(
        exempt_case{"", "api.test", false}, exempt_case{"*", "api.test", true},
        exempt_case{"", "localhost", true}, exempt_case{"", "127.0.0.1", true},
        exempt_case{"", "::1", true}, exempt_case{"api.test", "api.test", true},
        exempt_case{"test", "api.test", true}, exempt_case{".test", "api.test", true},
        exempt_case{"*.test", "api.test", true}, exempt_case{".test", "test", false},
        exempt_case{"i.test", "api.test", false}, exempt_case{"a, api.test", "api.test", true},
        exempt_case{"api.test:6443", "api.test", true},
        exempt_case{"api.test:443", "api.test", false}, exempt_case{"10.0.0.7", "10.0.0.7", true},
        exempt_case{"10.0.0.0/8", "10.1.2.3", true}, exempt_case{"10.0.0.0/8", "11.1.2.3", false},
        exempt_case{"fd00::/8", "fd00::7", true}, exempt_case{"10.0.0.0/8", "api.test", false},
        exempt_case{"not/a/block", "10.1.2.3", false}, exempt_case{",,", "api.test", false}));

}  // namespace
}  // namespace oarlock::kube
