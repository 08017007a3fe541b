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

}  // namespace
}  // namespace oarlock::controller
