#include "core/inbound/pod_review.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/io_context.hpp>

#include "core/base/base64.hpp"
#include "core/base/log.hpp"
#include "core/json/parse.hpp"
#include "core/kube/fake_transport_test.hpp"

namespace oarlock::inbound {
namespace {

using namespace std::chrono_literals;
using kube::testing::answers_json;
using kube::testing::fake_exchange;
using ::testing::HasSubstr;

constexpr const char* audience = "oarlock.inbound.oarlock.dev";
constexpr auto wall_begin = 1'700'000'000s;

class review_clock final : public clock {
 public:
  duration since{};
  [[nodiscard]] steady_time now() const override { return steady_time(1000s) + since; }
  [[nodiscard]] wall_time wall_now() const override { return wall_time(wall_begin) + since; }
};

// Answers every review in the same way.
class token_review_server final : public net::transport {
 public:
  std::vector<std::string> bodies;  ///< what was asked, in order
  std::string answer;
  int status = 201;
  bool down = false;

  [[nodiscard]] task<result<std::unique_ptr<net::http_exchange>>> open(
      net::http_request request, net::exchange_options) override {
    if (down) co_return error{net::net_error::not_sent, "connection refused"};
    bodies.push_back(request.body);
    co_return std::make_unique<fake_exchange>(answers_json(status, answer));
  }
  [[nodiscard]] const std::string& host() const override { return host_; }

 private:
  std::string host_ = "fake";
};

std::string review(const std::string& username, const std::string& extra,
                   const std::string& of = audience) {
  return R"({"status":{"authenticated":true,"audiences":[")" + of + R"("],"user":{"username":")" +
         username + R"(","extra":{)" + extra + "}}}}";
}

const std::string of_pod = R"("authentication.kubernetes.io/pod-name":["train-0"],)"
                           R"("authentication.kubernetes.io/pod-uid":["u-1"])";
const std::string trainer = "system:serviceaccount:shop:trainer";

// With this expiry, as no server would sign it.
std::string token(std::int64_t expiry, const std::string& more = "") {
  auto claims = base64_encode(R"({"exp":)" + std::to_string(expiry) + "}");
  return "header." + claims + ".signature" + more;
}

struct setup {
  boost::asio::io_context loop{1};
  review_clock time;
  kube::testing::manual_clock of_client;
  kube::testing::manual_timers sleeping{of_client};
  token_review_server api;
  std::unique_ptr<metric_registry> metrics = make_prometheus_registry();
  kube::client client{
      {loop.get_executor(), &api, nullptr, &of_client, &sleeping, metrics.get(), nullptr}};
  pod_review reviews{client, time, audience};

  setup() { log_configure(log_level::error, log_format::text); }
  reviewed ask(const std::string& authorization) {
    reviewed out;
    spawn(loop.get_executor(), [](setup* s, std::string header, reviewed* into) -> task<> {
      *into = co_await s->reviews.check(header, {});
    }(this, authorization, &out));
    loop.restart();
    loop.run();
    return out;
  }
};

TEST(pod_review, tells_the_pod_and_asks_for_its_own_audience) {
  setup s;
  s.api.answer = review(trainer, of_pod);
  const auto found = s.ask("Bearer t");
  ASSERT_TRUE(found.pod) << found.refusal.body;
  EXPECT_EQ(found.pod->ns, "shop");
  EXPECT_EQ(found.pod->service_account, "trainer");
  EXPECT_EQ(found.pod->pod_name, "train-0");
  EXPECT_EQ(found.pod->pod_uid, "u-1");
  ASSERT_EQ(s.api.bodies.size(), 1U);
  const auto asked = json::parse(s.api.bodies[0]);
  ASSERT_TRUE(asked);
  EXPECT_EQ(json::string_at(*asked, "/spec/audiences/0"), audience);
  EXPECT_EQ(json::string_at(*asked, "/spec/token"), "t");
}

TEST(pod_review, refuses_who_is_no_pod_of_this_audience) {
  const struct {
    const char* what;
    std::string header;
    std::string answer;
    int status;
  } cases[] = {
      {"no header", "", review(trainer, of_pod), 401},
      {"another scheme", "Basic dTpw", review(trainer, of_pod), 401},
      {"an empty token", "Bearer ", review(trainer, of_pod), 401},
      {"an unknown token", "Bearer t", R"({"status":{"error":"unknown"}})", 401},
      {"another audience", "Bearer t", review(trainer, of_pod, "https://kubernetes.default"), 401},
      {"a server that looks at no audience", "Bearer t",
       R"({"status":{"authenticated":true,"user":{"username":")" + trainer + R"("}}})", 401},
      {"an account without a pod", "Bearer t", review(trainer, ""), 403},
      {"a person", "Bearer t", review("alice", of_pod), 403},
      {"a name cut short", "Bearer t", review("system:serviceaccount:shop", of_pod), 403},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.what);
    setup s;
    s.api.answer = c.answer;
    const auto found = s.ask(c.header);
    EXPECT_FALSE(found.pod);
    EXPECT_EQ(found.refusal.status, c.status) << found.refusal.body;
    EXPECT_EQ(found.refusal.www_authenticate.empty(), c.status != 401);
  }
}

TEST(pod_review, is_remembered_as_long_as_the_token_lives_and_for_two_minutes_at_most) {
  setup s;
  s.api.answer = review(trainer, of_pod);
  const auto begin = std::chrono::seconds(wall_begin).count();
  EXPECT_TRUE(s.ask("Bearer " + token(begin + 600)).pod);
  s.time.since += 119s;
  EXPECT_TRUE(s.ask("Bearer " + token(begin + 600)).pod);
  EXPECT_EQ(s.api.bodies.size(), 1U);
  s.time.since += 2s;
  EXPECT_TRUE(s.ask("Bearer " + token(begin + 600)).pod);
  EXPECT_EQ(s.api.bodies.size(), 2U);

  EXPECT_TRUE(s.ask("Bearer " + token(begin + 131, "b")).pod);
  s.time.since += 11s;
  s.api.answer = R"({"status":{"error":"expired"}})";
  EXPECT_EQ(s.ask("Bearer " + token(begin + 131, "b")).refusal.status, 401);
}

TEST(pod_review, an_unknown_token_is_not_asked_for_again_at_once) {
  setup s;
  s.api.answer = R"({"status":{"error":"unknown"}})";
  EXPECT_EQ(s.ask("Bearer t").refusal.status, 401);
  s.time.since += 9s;
  EXPECT_EQ(s.ask("Bearer t").refusal.status, 401);
  EXPECT_EQ(s.api.bodies.size(), 1U);
  s.time.since += 2s;
  s.api.answer = review(trainer, of_pod);
  EXPECT_TRUE(s.ask("Bearer t").pod);
}

TEST(pod_review, without_an_answer_it_says_so_and_forgets_it) {
  setup s;
  s.api.status = 403;
  s.api.answer = R"({"kind":"Status","status":"Failure","code":403,"reason":"Forbidden"})";
  const auto refused = s.ask("Bearer t").refusal;
  EXPECT_EQ(refused.status, 503);
  EXPECT_THAT(refused.body, HasSubstr("system:auth-delegator"));
  EXPECT_TRUE(refused.retry_after);
  s.api.status = 201;
  s.api.answer = review(trainer, of_pod);
  EXPECT_TRUE(s.ask("Bearer t").pod);
}

TEST(end_of_token, is_what_a_jwt_says_or_nothing) {
  EXPECT_EQ(end_of_token(token(1'700'000'600)), wall_time(1'700'000'600s));
  for (const auto* bad : {"", "a", "a.b", "a.!.c", "a.e30.c", "..", "a.eyJleHAiOi0xfQ.c"})
    EXPECT_EQ(end_of_token(bad), std::nullopt) << bad;
  EXPECT_EQ(end_of_token(token(1LL << 62U)), std::nullopt);
}

}  // namespace
}  // namespace oarlock::inbound
