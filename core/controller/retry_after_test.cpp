// A server that asks for a pause gets it, within reason.
#include "core/controller/controller_world_test.hpp"

namespace oarlock::controller {
namespace {

using namespace std::chrono_literals;
using testing::controller_world;
using testing::widgets;

class throttled_writes : public controller_world {
 protected:
  throttled_writes() {
    plan.run = [](const plan_input&) {
      plan_output out;
      out.apply_set.push_back(testing::deployment("w"));
      return out;
    };
    api.put(widgets, testing::widget_json());
    api.intercept = [this](const test::scripted_call_ptr& call) {
      const bool write = call->request().method == "PATCH";
      if (!write || call->path().find("/deployments/") == std::string::npos) return false;
      ++tries;
      call->reply(429, R"({"kind":"Status","status":"Failure","code":429})",
                  {{"Retry-After", asked}});
      return true;
    };
  }
  std::string asked = "3600";
  int tries = 0;
};

TEST_F(throttled_writes, H3_wait_as_long_as_the_server_asks_but_not_an_hour) {
  lead();
  ASSERT_GE(tries, 1);
  ASSERT_LE(tries, 2) << "its own status brings a key back once";
  const int at_first = tries;
  settle(110s);
  EXPECT_EQ(tries, at_first);
  settle(11s);
  EXPECT_EQ(tries, at_first + 1);
  settle(115s);
  EXPECT_EQ(tries, at_first + 1);
}

TEST_F(throttled_writes, H3_wait_a_minute_when_asked_for_a_minute) {
  asked = "60";
  lead();
  const int at_first = tries;
  settle(55s);
  EXPECT_EQ(tries, at_first);
  settle(6s);
  EXPECT_EQ(tries, at_first + 1);
}

class writes_that_fail : public controller_world {
 protected:
  writes_that_fail() {
    plan.run = [](const plan_input&) {
      plan_output out;
      out.apply_set.push_back(testing::deployment("w"));
      return out;
    };
    api.put(widgets, testing::widget_json());
    api.intercept = [this](const test::scripted_call_ptr& call) {
      if (!down || call->request().method == "GET") return false;
      ++tries;
      call->reply(code, "<html>Bad Gateway</html>");
      code = code == 504 ? 500 : code + 1;
      return true;
    };
  }
  [[nodiscard]] bool made() const { return api.has(testing::deployments, "ns", "w"); }
  bool down = true;
  int code = 500;
  int tries = 0;
};

TEST_F(writes_that_fail, H4_ten_minutes_of_server_errors_are_few_writes_and_it_recovers_by_itself) {
  lead();
  settle(10min);
  EXPECT_GE(tries, 10);
  EXPECT_LE(tries, 80) << "an apply, a status and an event for each of about 17 attempts";
  const int before = tries;
  settle(1min);
  EXPECT_LE(tries, before + 4) << "minutes apart by now";
  down = false;
  settle(1000s);
  EXPECT_TRUE(made()) << "the cap of the backoff is 1000 s";
  EXPECT_EQ(condition("Stalled", "status"), "False");
}

TEST_F(writes_that_fail, H4_what_somebody_changes_does_not_wait_for_the_backoff) {
  lead();
  settle(10min);
  down = false;
  api.put(widgets, testing::widget_json("w", "", R"("labels":{"n":"1"})"));
  settle(1s);
  EXPECT_TRUE(made());
}

}  // namespace
}  // namespace oarlock::controller
