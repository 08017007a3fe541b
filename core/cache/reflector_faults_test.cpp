// Rows of the fault catalogue that wait for minutes: on the fake clock.
#include <gmock/gmock.h>

#include "core/cache/scripted_cluster_test.hpp"

namespace oarlock::cache {
namespace {

using testing::HasSubstr;

class reflector_faults : public scripted_cluster {};

TEST_F(reflector_faults, H4_ten_minutes_of_server_errors_are_few_requests) {
  const auto s = start_with({{"a", "1"}}, "10");
  loop.advance(5s);
  int code = 500;
  bool down = true;
  transport.on_request = [&](const test::scripted_call_ptr& c) {
    if (!down) return c->answer(200);
    c->reply(code, "<html>Bad Gateway</html>");
    code = code == 504 ? 500 : code + 1;
  };
  call().break_off();
  loop.advance(10min);
  EXPECT_GE(requests(), 15U);
  EXPECT_LE(requests(), 30U) << "backing off to 30 s";
  EXPECT_EQ(call().query("sendInitialEvents"), "") << "no relist";
  EXPECT_EQ(s->view().object_count(), 1U);
  EXPECT_THAT(s->view().trouble(), HasSubstr("unavailable: "));
  down = false;
  loop.advance(31s);
  EXPECT_EQ(s->view().trouble(), "");
}

TEST_F(reflector_faults, H3_an_hour_is_not_believed) {
  const auto s = start_with({}, "10");
  loop.advance(5s);
  call().finish();
  loop.run_ready();
  call().reply(429, status(429, "TooManyRequests"), {{"Retry-After", "3600"}});
  loop.advance(119s);
  EXPECT_EQ(requests(), 2U);
  loop.advance(1s);
  EXPECT_EQ(requests(), 3U);
}

}  // namespace
}  // namespace oarlock::cache
