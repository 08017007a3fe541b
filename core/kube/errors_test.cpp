#include "core/kube/errors.hpp"

#include <gtest/gtest.h>

#include "core/kube/status.hpp"

namespace oarlock::kube {
namespace {

using namespace std::chrono_literals;

struct status_case {
  const char* name;
  int http;
  std::string body;
  kube_error code;
  std::string message;
};
class statuses : public ::testing::TestWithParam<status_case> {};

TEST_P(statuses, are_decoded) {
  const auto& c = GetParam();
  const auto e = decode_status(c.http, c.body, "");
  EXPECT_EQ(e.code, c.code) << e.code.message();
  EXPECT_EQ(e.message, c.message);
}

INSTANTIATE_TEST_SUITE_P(
    table, statuses,
    ::testing::Values(
        status_case{"not_found", 404,
                    R"({"kind":"Status","status":"Failure","message":"pods \"a\" not found",)"
                    R"("reason":"NotFound","code":404})",
                    kube_error::not_found, "HTTP 404: pods \"a\" not found"},
        status_case{"plain_not_found", 404, "404 page not found\n", kube_error::not_found,
                    "HTTP 404: 404 page not found"},
        status_case{"html", 502,
                    "<html>\r\n<head><title>502</title></head>\n<body>Bad\n\nGateway</body></html>",
                    kube_error::unavailable, "HTTP 502: 502 Bad Gateway"},
        status_case{"empty", 500, "", kube_error::unavailable, "HTTP 500: no body"},
        status_case{"damaged_json", 500, R"({"kind":"Status",)", kube_error::unavailable,
                    R"(HTTP 500: {"kind":"Status",)"},
        status_case{"other_json", 403, R"({"error":"x"})", kube_error::forbidden,
                    R"(HTTP 403: {"error":"x"})"},
        status_case{
            "exists", 409,
            R"({"kind":"Status","status":"Failure","message":"m","reason":"AlreadyExists"})",
            kube_error::already_exists, "HTTP 409: m"},
        status_case{"conflict", 409,
                    R"({"kind":"Status","status":"Failure","message":"m","reason":"Conflict"})",
                    kube_error::conflict, "HTTP 409: m"},
        status_case{"plain_conflict", 409, "x", kube_error::conflict, "HTTP 409: x"},
        status_case{"one_manager", 409,
                    R"({"kind":"Status","status":"Failure","reason":"Conflict","message":)"
                    R"("Apply failed with 1 conflict: conflict with \"kubectl\": .spec.replicas",)"
                    R"("details":{"causes":[{"reason":"FieldManagerConflict","message":)"
                    R"("conflict with \"kubectl\"","field":".spec.replicas"}]}})",
                    kube_error::conflict,
                    "HTTP 409: Apply failed with 1 conflict: conflict with \"kubectl\": "
                    ".spec.replicas"},
        status_case{"two_managers", 409,
                    R"({"kind":"Status","status":"Failure","reason":"Conflict",)"
                    R"("message":"Apply failed with 2 conflicts","details":{"causes":[)"
                    R"({"reason":"FieldManagerConflict","message":"conflict with \"a\"",)"
                    R"("field":".spec.x"},{"reason":"FieldManagerConflict",)"
                    R"("message":"conflict with \"b\"","field":".spec.y"}]}})",
                    kube_error::conflict,
                    "HTTP 409: Apply failed with 2 conflicts [conflict with \"a\": .spec.x; "
                    "conflict with \"b\": .spec.y]"},
        status_case{"gone", 410,
                    R"({"kind":"Status","status":"Failure","message":"m","reason":"Gone"})",
                    kube_error::gone, "HTTP 410: m"},
        status_case{"expired", 410,
                    R"({"kind":"Status","status":"Failure","message":"m","reason":"Expired"})",
                    kube_error::gone, "HTTP 410: m"},
        status_case{
            "future", 504,
            R"({"kind":"Status","status":"Failure","message":"Too large resource version",)"
            R"("reason":"Timeout","details":{"causes":[{"reason":"ResourceVersionTooLarge",)"
            R"("message":"Too large resource version"}],"retryAfterSeconds":1}})",
            kube_error::version_too_large, "HTTP 504: Too large resource version"},
        status_case{"timeout", 504,
                    R"({"kind":"Status","status":"Failure","message":"m","reason":"Timeout"})",
                    kube_error::unavailable, "HTTP 504: m"},
        status_case{"no_message", 422, R"({"kind":"Status","status":"Failure","reason":"Invalid"})",
                    kube_error::invalid, "HTTP 422: Invalid"},
        status_case{"plain_gone", 410, "x", kube_error::gone, "HTTP 410: x"},
        status_case{"request_timeout", 408, "x", kube_error::unavailable, "HTTP 408: x"},
        status_case{"teapot", 418, "x", kube_error::invalid, "HTTP 418: x"},
        status_case{"unauthorized", 401, "Unauthorized", kube_error::unauthorized,
                    "HTTP 401: Unauthorized"},
        status_case{"redirect", 301, "", kube_error::bad_answer,
                    "HTTP 301: no body (redirects are not followed; give the API server's own "
                    "address)"}),
    [](const auto& info) { return info.param.name; });

TEST(decode_status, cuts_long_bodies_at_a_character) {
  std::string body = "x";
  for (int i = 0; i < 2000; ++i)
    body += "\xc3\xa9";
  const auto message = decode_status(500, body, "").message;
  EXPECT_LT(message.size(), 1100U);
  EXPECT_TRUE(message.ends_with("\xc3\xa9...")) << message.substr(message.size() - 8);
}

TEST(decode_status, takes_retry_after_from_header_or_details) {
  const std::string body =
      R"({"kind":"Status","status":"Failure","details":{"retryAfterSeconds":5}})";
  EXPECT_EQ(decode_status(429, "", "2").retry_after, 2s);
  EXPECT_EQ(decode_status(429, body, "").retry_after, 5s);
  EXPECT_EQ(decode_status(429, body, "2").retry_after, 2s);
  EXPECT_EQ(decode_status(429, "", "").retry_after, std::nullopt);
}

TEST(parse_retry_after, knows_seconds_only) {
  EXPECT_EQ(parse_retry_after("0"), 0s);
  EXPECT_EQ(parse_retry_after("3600"), 3600s);
  EXPECT_EQ(parse_retry_after("99999999"), 86400s);
  for (const char* bad :
       {"", "-1", "1.5", "1 ", "soon", "Wed, 21 Oct 2015 07:28:00 GMT", "99999999999999999999"}) {
    EXPECT_EQ(parse_retry_after(bad), std::nullopt) << bad;
  }
}

TEST(from_net, tells_reads_from_writes) {
  using net::net_error;
  struct {
    net_error from;
    kube_error read, write;
  } const cases[] = {
      {net_error::not_sent, kube_error::unavailable, kube_error::unavailable},
      {net_error::no_answer, kube_error::unavailable, kube_error::unknown_outcome},
      {net_error::broken_body, kube_error::unavailable, kube_error::unknown_outcome},
      {net_error::bad_answer, kube_error::bad_answer, kube_error::unknown_outcome},
      {net_error::cancelled, kube_error::cancelled, kube_error::cancelled},
      {net_error::untrusted, kube_error::untrusted, kube_error::untrusted},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(from_net({c.from, "m"}, false).code, c.read);
    EXPECT_EQ(from_net({c.from, "m"}, true).code, c.write);
    EXPECT_EQ(from_net({c.from, "m"}, true).message, "m");
  }
}

TEST(kube_error, has_a_message_for_every_value) {
  for (int i = 1; i <= static_cast<int>(kube_error::cancelled); ++i) {
    const auto text = make_error_code(static_cast<kube_error>(i)).message();
    EXPECT_EQ(text.find("unknown API"), std::string::npos) << i;
  }
}

}  // namespace
}  // namespace oarlock::kube
