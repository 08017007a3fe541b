#include "core/net/message.hpp"

#include <gtest/gtest.h>

namespace oarlock::net {
namespace {

const request_frame frame{"api.test:6443", "oarlock/1", false};

TEST(request_head, writes_what_rfc_9112_asks_for) {
  const auto head =
      request_head({"PATCH", "/a?b=c", {{"Accept", "application/json"}}, "body"}, frame);
  ASSERT_TRUE(head.has_value());
  EXPECT_EQ(*head,
            "PATCH /a?b=c HTTP/1.1\r\nHost: api.test:6443\r\nUser-Agent: oarlock/1\r\n"
            "Connection: keep-alive\r\nAccept: application/json\r\nContent-Length: 4\r\n\r\n");
}

TEST(request_head, says_how_long_an_empty_body_is_unless_it_is_a_get) {
  EXPECT_NE(request_head({"POST", "/", {}, ""}, frame)->find("Content-Length: 0\r\n"),
            std::string::npos);
  EXPECT_EQ(request_head({"GET", "/", {}, ""}, frame)->find("Content-Length"), std::string::npos);
}

TEST(request_head, asks_for_gzip_once) {
  auto zipped = frame;
  zipped.accept_gzip = true;
  EXPECT_NE(request_head({"GET", "/", {}, ""}, zipped)->find("Accept-Encoding: gzip\r\n"),
            std::string::npos);
  const auto own = request_head({"GET", "/", {{"accept-encoding", "identity"}}, ""}, zipped);
  EXPECT_EQ(own->find("gzip"), std::string::npos);
}

TEST(request_head, refuses_what_could_smuggle) {
  const http_request cases[] = {
      {"", "/", {}, ""},
      {"GET /", "/", {}, ""},
      {"GET\r\n", "/", {}, ""},
      {"GET", "", {}, ""},
      {"GET", "pods", {}, ""},
      {"GET", "/a b", {}, ""},
      {"GET", "/a\r\nX: y", {}, ""},
      {"GET", "/a\nX: y", {}, ""},
      {"GET", "/a#b", {}, ""},
      {"GET", "/\xc3\xa9", {}, ""},
      {"GET", "/", {{"", "v"}}, ""},
      {"GET", "/", {{"A B", "v"}}, ""},
      {"GET", "/", {{"A:", "v"}}, ""},
      {"GET", "/", {{"A\r\nB", "v"}}, ""},
      {"GET", "/", {{"Authorization", "Bearer x\r\nX-Evil: 1"}}, ""},
      {"GET", "/", {{"A", "v\n"}}, ""},
      {"GET", "/", {{"A", std::string("v\0w", 3)}}, ""},
      {"GET", "/", {{"A", "\x7f"}}, ""},
      {"GET", "/", {{"Host", "evil.test"}}, ""},
      {"POST", "/", {{"content-length", "0"}}, "x"},
      {"POST", "/", {{"Transfer-Encoding", "chunked"}}, "x"},
      {"GET", "/", {{"Connection", "close"}}, ""},
  };
  for (const auto& request : cases) {
    const auto head = request_head(request, frame);
    ASSERT_FALSE(head.has_value()) << request.method << ' ' << request.target;
    EXPECT_EQ(head.error().code, net_error::not_sent);
  }
}

TEST(request_head, never_quotes_a_credential) {
  const auto head = request_head({"GET", "/", {{"Authorization", "Bearer secret\n"}}, ""}, frame);
  ASSERT_FALSE(head.has_value());
  EXPECT_EQ(head.error().message.find("secret"), std::string::npos);
}

TEST(authority, brackets_ipv6) {
  EXPECT_EQ(authority("::1", "6443"), "[::1]:6443");
  EXPECT_EQ(authority("10.0.0.1", "6443"), "10.0.0.1:6443");
  EXPECT_EQ(authority("api.test", ""), "api.test");
}

TEST(http_head, finds_headers_without_case) {
  const http_head head{200, {{"Retry-After", "1"}, {"retry-after", "2"}}};
  EXPECT_EQ(head.find("RETRY-AFTER"), "1");
  EXPECT_EQ(head.find("Retry"), "");
}

TEST(net_error, has_a_message_for_every_value) {
  for (int i = 1; i <= static_cast<int>(net_error::cancelled); ++i) {
    const auto text = make_error_code(static_cast<net_error>(i)).message();
    EXPECT_EQ(text.find("unknown"), std::string::npos) << i;
  }
}

}  // namespace
}  // namespace oarlock::net
