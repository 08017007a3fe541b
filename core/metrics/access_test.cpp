#include "core/metrics/access.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/io_context.hpp>

#include <deque>

#include "core/base/log.hpp"
#include "core/json/parse.hpp"
#include "core/kube/fake_transport_test.hpp"

namespace oarlock::metrics {
namespace {

using namespace std::chrono_literals;
using kube::testing::answers_json;
using kube::testing::fake_exchange;
using kube::testing::manual_clock;
using kube::testing::manual_timers;
using ::testing::HasSubstr;

// An API server that knows three tokens.
class review_server final : public net::transport {
 public:
  std::vector<std::string> bodies;  ///< what was asked, in order
  int fail_status = 0;
  bool down = false;
  bool allow = true;

  [[nodiscard]] task<result<std::unique_ptr<net::http_exchange>>> open(
      net::http_request request, net::exchange_options) override {
    if (down) co_return error{net::net_error::not_sent, "connection refused"};
    bodies.push_back(request.body);
    const int status = fail_status != 0 ? fail_status : 201;
    co_return std::make_unique<fake_exchange>(answers_json(status, answer(request)));
  }
  [[nodiscard]] const std::string& host() const override { return host_; }
  [[nodiscard]] std::size_t asked(const std::string& kind) const {
    std::size_t count = 0;
    for (const auto& body : bodies) {
      count += body.find("\"" + kind + "\"") != std::string::npos ? 1U : 0U;
    }
    return count;
  }

 private:
  [[nodiscard]] std::string answer(const net::http_request& request) const {
    if (fail_status != 0) return R"({"kind":"Status","status":"Failure","message":"no"})";
    const auto doc = json::parse(request.body);
    if (request.target.starts_with("/apis/authentication.k8s.io/v1/tokenreviews")) {
      const auto token = json::string_at(*doc, "/spec/token");
      if (!token.starts_with("good")) return R"({"status":{"error":"unknown token"}})";
      return R"({"status":{"authenticated":true,"user":{"username":"u-)" + std::string(token) +
             R"(","uid":"7","groups":["g1","g2"],"extra":{"k":["v"]}}}})";
    }
    if (request.target.starts_with("/apis/authorization.k8s.io/v1/subjectaccessreviews")) {
      return allow ? R"({"status":{"allowed":true}})" : R"({"status":{"allowed":false}})";
    }
    return "{}";
  }
  std::string host_ = "fake";
};

struct setup {
  boost::asio::io_context loop{1};
  manual_clock time;
  manual_timers sleeping{time};
  review_server api;
  std::unique_ptr<metric_registry> metrics = make_prometheus_registry();
  kube::client client{
      {loop.get_executor(), &api, nullptr, &time, &sleeping, metrics.get(), nullptr}};
  access_check checks{client, time};

  // The status of one request: 200 when it may pass.
  int ask(const std::string& authorization, std::string* body = nullptr) {
    int status = 0;
    spawn(loop.get_executor(),
          [](setup* s, std::string header, int* out, std::string* text) -> task<> {
            auto refused = co_await s->checks.check(header, "/metrics", {});
            *out = refused ? refused->status : 200;
            if (refused && text != nullptr) *text = refused->body;
          }(this, authorization, &status, body));
    loop.restart();
    loop.run();
    return status;
  }
};

TEST(access_check, matrix) {
  const struct {
    const char* header;
    bool allow;
    int status;
  } cases[] = {
      {"", true, 401},
      {"Basic dTpw", true, 401},
      {"Bearer", true, 401},
      {"Bearer ", true, 401},
      {"Bearer bad", true, 401},
      {"Bearer good", true, 200},
      {"bearer  good", true, 200},
      {"BEARER good", true, 200},
      {"Bearer good", false, 403},
  };
  for (const auto& c : cases) {
    setup s;
    s.api.allow = c.allow;
    EXPECT_EQ(s.ask(c.header), c.status) << c.header << " allow=" << c.allow;
  }
}

TEST(access_check, without_a_token_nothing_is_asked) {
  setup s;
  s.ask("");
  EXPECT_TRUE(s.api.bodies.empty());
}

TEST(access_check, the_review_carries_user_groups_and_extra) {
  setup s;
  ASSERT_EQ(s.ask("Bearer good"), 200);
  ASSERT_EQ(s.api.bodies.size(), 2U);
  const auto review = json::parse(s.api.bodies[1]);
  ASSERT_TRUE(review);
  const std::pair<const char*, const char*> texts[] = {
      {"/kind", "SubjectAccessReview"},
      {"/spec/user", "u-good"},
      {"/spec/uid", "7"},
      {"/spec/groups/1", "g2"},
      {"/spec/extra/k/0", "v"},
      {"/spec/nonResourceAttributes/path", "/metrics"},
      {"/spec/nonResourceAttributes/verb", "get"},
  };
  for (const auto& [pointer, text] : texts) {
    EXPECT_EQ(json::string_at(*review, pointer), text) << pointer;
  }
}

TEST(access_check, answers_are_remembered_for_their_time) {
  setup s;
  ASSERT_EQ(s.ask("Bearer good"), 200);
  s.time.elapsed += 59s;
  ASSERT_EQ(s.ask("Bearer good"), 200);
  EXPECT_EQ(s.api.bodies.size(), 2U);
  s.time.elapsed += 2s;  // the token is reviewed each minute, the right each five
  ASSERT_EQ(s.ask("Bearer good"), 200);
  EXPECT_EQ(s.api.asked("TokenReview"), 2U);
  EXPECT_EQ(s.api.asked("SubjectAccessReview"), 1U);
  s.time.elapsed += 240s;
  ASSERT_EQ(s.ask("Bearer good"), 200);
  EXPECT_EQ(s.api.asked("SubjectAccessReview"), 2U);
}

TEST(access_check, a_denial_is_remembered_for_30_seconds) {
  setup s;
  s.api.allow = false;
  std::string body;
  ASSERT_EQ(s.ask("Bearer good", &body), 403);
  EXPECT_THAT(body, HasSubstr("u-good may not get /metrics"));
  s.api.allow = true;
  s.time.elapsed += 29s;
  EXPECT_EQ(s.ask("Bearer good"), 403);
  s.time.elapsed += 2s;
  EXPECT_EQ(s.ask("Bearer good"), 200);
}

TEST(access_check, unknown_tokens_are_not_asked_for_again_at_once) {
  setup s;
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(s.ask("Bearer bad"), 401);
  EXPECT_EQ(s.api.bodies.size(), 1U);
  s.time.elapsed += 11s;
  EXPECT_EQ(s.ask("Bearer bad"), 401);
  EXPECT_EQ(s.api.bodies.size(), 2U);
}

TEST(access_check, says_503_when_the_api_server_cannot_be_asked) {
  log_configure(log_level::error, log_format::text);
  const struct {
    bool down;
    int status;
    const char* text;
  } cases[] = {
      {true, 0, "cannot be asked"},
      {false, 500, "cannot be asked"},
      {false, 403, "system:auth-delegator"},
  };
  for (const auto& c : cases) {
    setup s;
    s.api.down = c.down;
    s.api.fail_status = c.status;
    std::string body;
    EXPECT_EQ(s.ask("Bearer good", &body), 503) << c.status;
    EXPECT_THAT(body, HasSubstr(c.text));
    s.api.down = false;
    s.api.fail_status = 0;
    EXPECT_EQ(s.ask("Bearer good"), 200);  // a failure is not remembered
  }
  log_configure(log_level::info, log_format::text);
}

TEST(expiring_cache, is_bounded_and_drops_what_ends_first) {
  expiring_cache<int> cache(3);
  const steady_time now(100s);
  cache.put("a", 1, now + 10s);
  cache.put("b", 2, now + 5s);
  cache.put("c", 3, now + 20s);
  cache.put("c", 4, now + 20s);
  EXPECT_EQ(cache.size(), 3U);
  cache.put("d", 5, now + 1s);
  EXPECT_EQ(cache.size(), 3U);
  EXPECT_FALSE(cache.find("b", now));
  EXPECT_EQ(cache.find("c", now), 4);
  EXPECT_EQ(cache.find("a", now + 10s - 1ns), 1);
  EXPECT_FALSE(cache.find("a", now + 10s));
}

}  // namespace
}  // namespace oarlock::metrics
