#include "core/kube/rate_limit.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/kube/client.hpp"
#include "tests/support/fake_clock.hpp"
#include "tests/support/scripted_transport.hpp"

namespace oarlock::kube {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

class rate_limit_test : public ::testing::Test {
 protected:
  // Asks for a turn; its name is in `turns` when it has come, with a '!' where it failed.
  void ask(const std::string& flow, const std::string& name, duration patience = 1h,
           std::stop_token stop = {}) {
    boost::asio::co_spawn(loop.loop(), limit.turn(flow, loop.clock.now() + patience, stop),
                          [this, name](std::exception_ptr, result<> got) {
                            turns.push_back(got ? name : name + "!");
                            if (!got) code = got.error().code.value();
                          });
    loop.run_ready();
  }

  // Nobody is left waiting when the loop goes.
  void TearDown() override { loop.advance(1h); }

  test::test_loop loop;
  rate_limit limit{{loop.loop(), &loop.clock, &loop.timers, 10, 3}};
  std::vector<std::string> turns;
  int code = 0;
};

TEST_F(rate_limit_test, lets_a_burst_through_and_then_one_in_each_interval) {
  for (const char* name : {"1", "2", "3", "4", "5"})
    ask("p", name);
  EXPECT_THAT(turns, ElementsAre("1", "2", "3"));
  loop.advance(99ms);
  EXPECT_EQ(turns.size(), 3U);
  loop.advance(1ms);
  EXPECT_THAT(turns, ElementsAre("1", "2", "3", "4"));
  loop.advance(100ms);
  EXPECT_EQ(turns.size(), 5U);
  loop.advance(1h);
  for (const char* name : {"6", "7", "8", "9"})
    ask("p", name);
  EXPECT_EQ(turns.size(), 8U) << "a whole burst after a pause, and no more";
}

TEST_F(rate_limit_test, flows_take_turns) {
  for (int i = 0; i < 3; ++i)
    ask("burst", "b");
  turns.clear();
  for (const char* name : {"p1", "p2", "p3", "p4"})
    ask("p", name);
  ask("q", "q1");
  ask("", "core");
  loop.advance(600ms);
  EXPECT_THAT(turns, ElementsAre("p1", "q1", "core", "p2", "p3", "p4"));
}

TEST_F(rate_limit_test, who_gives_up_takes_no_turn) {
  for (int i = 0; i < 3; ++i)
    ask("p", "b");
  turns.clear();
  std::stop_source stop;
  ask("p", "late", 50ms);
  ask("p", "stopped", 1h, stop.get_token());
  ask("p", "patient");
  stop.request_stop();
  loop.run_ready();
  EXPECT_THAT(turns, ElementsAre("stopped!"));
  EXPECT_EQ(code, static_cast<int>(kube_error::cancelled));
  loop.advance(50ms);
  EXPECT_THAT(turns, ElementsAre("stopped!", "late!"));
  EXPECT_EQ(code, static_cast<int>(kube_error::throttled));
  loop.advance(50ms);
  EXPECT_THAT(turns, ElementsAre("stopped!", "late!", "patient"));
}

// Through a client: every sending takes a turn, a watch none.
TEST_F(rate_limit_test, holds_up_requests_and_not_watches) {
  const resource pods{"", "v1", "Pod", "pods", true};
  test::scripted_transport transport(loop);
  transport.on_request = [](const test::scripted_call_ptr& call) { call->reply(200, "{}"); };
  const auto metrics = make_prometheus_registry();
  client c({loop.loop(), &transport, nullptr, &loop.clock, &loop.timers, metrics.get(), nullptr,
            nullptr, &limit});
  const auto get = [&] {
    boost::asio::co_spawn(loop.loop(), c.get(pods, "ns", "a"), boost::asio::detached);
    loop.run_ready();
  };
  for (int i = 0; i < 4; ++i)
    get();
  EXPECT_EQ(transport.calls().size(), 3U);
  auto watch = c.watch(pods, {});
  boost::asio::co_spawn(loop.loop(), std::move(watch), boost::asio::detached);
  loop.run_ready();
  EXPECT_EQ(transport.calls().size(), 4U);
  loop.advance(100ms);
  EXPECT_EQ(transport.calls().size(), 5U);
  const auto page = metrics->serialize();
  EXPECT_NE(page.find(R"(rest_client_rate_limiter_duration_seconds_count{host="scripted:1",)"
                      R"(verb="GET"} 4)"),
            std::string::npos)
      << page;
  EXPECT_NE(page.find(R"(rest_client_rate_limiter_duration_seconds_sum{host="scripted:1",)"
                      R"(verb="GET"} 0.1)"),
            std::string::npos)
      << page;
}

}  // namespace
}  // namespace oarlock::kube
