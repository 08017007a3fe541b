#include "core/kube/service_account_identity.hpp"

#include <gmock/gmock.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include "core/kube/fake_transport_test.hpp"
#include "tests/support/one_shot.hpp"

namespace oarlock::kube {
namespace {

using namespace std::chrono_literals;
using testing::answers;
using ::testing::HasSubstr;
using testing::scripted;

std::string token_json(const std::string& token, int seconds) {
  return R"({"kind":"TokenRequest","spec":{"expirationSeconds":)" + std::to_string(seconds) +
         R"(},"status":{"token":")" + token + R"(","expirationTimestamp":"1970-01-01T00:00:00Z"}})";
}

const std::string forbidden =
    R"({"kind":"Status","status":"Failure","reason":"Forbidden","message":"no","code":403})";

// Answers when the test lets it.
class slow_transport final : public net::transport {
 public:
  [[nodiscard]] task<result<std::unique_ptr<net::http_exchange>>> open(
      net::http_request request, net::exchange_options options) override {
    if (waits_for) co_await test::one_shot::wait(waits_for);
    co_return co_await script_.open(std::move(request), std::move(options));
  }
  [[nodiscard]] const std::string& host() const override { return script_.host(); }

 private:
  testing::fake_transport script_;

 public:
  std::shared_ptr<test::one_shot> waits_for;
  std::vector<scripted>& script = script_.script;
  std::vector<net::http_request>& requests = script_.requests;
};

class service_account_test : public ::testing::Test {
 protected:
  // Runs until nothing is left to do, renewals in the background included.
  std::string token() {
    auto ready = boost::asio::co_spawn(io_, identity_->prepare(), boost::asio::use_future);
    io_.restart();
    io_.poll();
    const auto done = ready.get();
    return done ? *identity_->bearer_token() : "error: " + done.error().message;
  }

  boost::asio::io_context io_;
  testing::manual_clock clock_;
  testing::manual_timers timers_{clock_};
  slow_transport transport_;
  std::unique_ptr<metric_registry> metrics_ = make_prometheus_registry();
  client asks_{
      {io_.get_executor(), &transport_, nullptr, &clock_, &timers_, metrics_.get(), nullptr}};
  std::shared_ptr<credentials> identity_ = make_service_account_identity(
      {io_.get_executor(), &asks_, &clock_, "oarlock-system", "oarlock-plugin-cat"});
};

TEST_F(service_account_test, asks_for_a_token_once_for_all_who_wait) {
  transport_.script = {answers(201, token_json("one", 600))};
  auto other = boost::asio::co_spawn(io_, identity_->prepare(), boost::asio::use_future);
  EXPECT_EQ(token(), "one");
  EXPECT_TRUE(other.get());
  ASSERT_EQ(transport_.requests.size(), 1U);
  const auto& sent = transport_.requests[0];
  EXPECT_EQ(sent.method, "POST");
  EXPECT_EQ(sent.target,
            "/api/v1/namespaces/oarlock-system/serviceaccounts/oarlock-plugin-cat/token"
            "?fieldValidation=Strict");
  EXPECT_THAT(sent.body, HasSubstr(R"("expirationSeconds":3600)"));
}

TEST_F(service_account_test, renews_behind_the_requests_at_80_percent_of_what_was_granted) {
  transport_.script = {answers(201, token_json("one", 600)), answers(201, token_json("two", 600))};
  EXPECT_EQ(token(), "one");
  clock_.elapsed += 479s;
  EXPECT_EQ(token(), "one");
  EXPECT_EQ(transport_.requests.size(), 1U);
  clock_.elapsed += 1s;
  const auto go_on = std::make_shared<test::one_shot>();
  transport_.waits_for = go_on;
  EXPECT_EQ(token(), "one") << "nobody waits for the new one";
  EXPECT_EQ(token(), "one") << "and it is asked for once";
  go_on->set();
  EXPECT_EQ(token(), "two");
  EXPECT_EQ(transport_.requests.size(), 2U);
}

TEST_F(service_account_test, keeps_a_valid_token_while_there_is_no_newer_one) {
  transport_.script = {answers(201, token_json("one", 600)), answers(403, forbidden)};
  EXPECT_EQ(token(), "one");
  clock_.elapsed += 500s;
  EXPECT_EQ(token(), "one");
  EXPECT_EQ(transport_.requests.size(), 2U);
  EXPECT_EQ(token(), "one");
  EXPECT_EQ(transport_.requests.size(), 2U) << "the next request waits";
  clock_.elapsed += 100s;
  EXPECT_THAT(token(),
              HasSubstr("error: token of ServiceAccount oarlock-system/oarlock-plugin-cat: "
                        "POST /api/v1/namespaces/oarlock-system/serviceaccounts/"
                        "oarlock-plugin-cat/token: HTTP 403: no"));
}

TEST_F(service_account_test, pauses_between_failures_and_then_recovers) {
  transport_.script = {answers(403, forbidden)};
  EXPECT_THAT(token(), HasSubstr("403"));
  EXPECT_THAT(token(), HasSubstr("403"));
  EXPECT_EQ(transport_.requests.size(), 1U);
  const duration pauses[] = {1s, 2s, 4s, 8s, 10s, 10s};
  std::size_t asked = 1;
  for (const auto pause : pauses) {
    clock_.elapsed += pause - 1ms;
    EXPECT_THAT(token(), HasSubstr("403"));
    EXPECT_EQ(transport_.requests.size(), asked);
    clock_.elapsed += 1ms;
    EXPECT_THAT(token(), HasSubstr("403"));
    EXPECT_EQ(transport_.requests.size(), ++asked);
  }
  transport_.script = {answers(201, token_json("one", 600))};
  clock_.elapsed += 10s;
  EXPECT_EQ(token(), "one");
}

TEST_F(service_account_test, a_refused_token_is_replaced_at_once_unless_it_is_new) {
  transport_.script = {answers(201, token_json("one", 600)), answers(201, token_json("two", 600))};
  EXPECT_EQ(token(), "one");
  identity_->refused();
  EXPECT_EQ(token(), "one") << "made a moment ago: another one would be refused as well";
  clock_.elapsed += 1s;
  identity_->refused();
  EXPECT_EQ(token(), "two");
  EXPECT_EQ(identity_->revision(), 2U);
}

TEST_F(service_account_test, an_answer_without_a_token_is_an_error) {
  transport_.script = {answers(201, R"({"kind":"TokenRequest","spec":{}})")};
  EXPECT_THAT(token(), HasSubstr("expected a TokenRequest with status.token"));
}

}  // namespace
}  // namespace oarlock::kube
