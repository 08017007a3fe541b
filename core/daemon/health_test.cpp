#include "core/daemon/health.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <future>

#include "core/daemon/loop_thread.hpp"
#include "tests/support/fake_clock.hpp"

namespace oarlock::daemon {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

TEST(answer_of, words_checks_as_the_api_server_does) {
  const struct {
    std::vector<check> checks;
    int status;
    const char* body;
  } cases[] = {
      {{}, 200, "readyz check passed\n"},
      {{{.name = "api-server"}, {.name = "plugin/myapp"}},
       200,
       "[+]api-server ok\n[+]plugin/myapp ok\nreadyz check passed\n"},
      {{{.name = "api-server"}, {.name = "plugin/bad", .trouble = "no file", .gates = false}},
       200,
       "[+]api-server ok\n[-]plugin/bad failed: no file\nreadyz check passed\n"},
      {{{.name = "api-server", .trouble = "refused"}, {.name = "plugin/myapp"}},
       503,
       "[-]api-server failed: refused\n[+]plugin/myapp ok\nreadyz check failed\n"},
      {{{.name = "leader-election", .note = "leading"}},
       200,
       "[+]leader-election ok: leading\nreadyz check passed\n"},
      {{{.name = "a", .trouble = "line\n[+]b ok", .gates = false}},
       200,
       "[-]a failed: line [+]b ok\nreadyz check passed\n"},
  };
  for (const auto& c : cases) {
    const auto answer = answer_of("readyz", c.checks);
    EXPECT_EQ(answer.status, c.status) << c.body;
    EXPECT_EQ(answer.body, c.body);
  }
}

class manual_clock final : public clock {
 public:
  steady_time steady{1000s};
  [[nodiscard]] steady_time now() const override { return steady; }
  [[nodiscard]] wall_time wall_now() const override { return {}; }
};

TEST(watchdog, tells_a_silent_loop_from_a_turning_one) {
  boost::asio::io_context loop{1};
  manual_clock time;
  watchdog dog("oarlock-stream", loop.get_executor(), time);
  EXPECT_EQ(dog.trouble(), "");
  time.steady += 30s;
  EXPECT_EQ(dog.trouble(), "");
  time.steady += 15s;
  EXPECT_THAT(dog.trouble(), HasSubstr("silent for 45 s"));
  dog.beat();
  EXPECT_NE(dog.trouble(), "");  // posted, not run
  loop.poll();
  EXPECT_EQ(dog.trouble(), "");
}

TEST(watchdog, has_one_beat_on_its_way_at_most) {
  boost::asio::io_context loop{1};
  manual_clock time;
  watchdog dog("oarlock-stream", loop.get_executor(), time);
  for (int i = 0; i < 100; ++i)
    dog.beat();
  EXPECT_EQ(loop.poll(), 1U);
  loop.restart();
  dog.beat();
  EXPECT_EQ(loop.poll(), 1U);
}

// The loops of the daemon, one of which somebody blocks.
TEST(watchdog, names_the_loop_whose_thread_stands_still) {
  test::fake_clock time;
  loop_thread stream("oarlock-stream");
  watchdog dog("oarlock-stream", stream.get_executor(), time);
  stream.start();
  std::promise<void> blocked;
  std::promise<void> go_on;
  boost::asio::post(stream.get_executor(), [&] {
    blocked.set_value();
    go_on.get_future().wait();
  });
  blocked.get_future().wait();
  const auto health = [&] {
    return answer_of("healthz", {{.name = "stream-loop", .trouble = dog.trouble()}});
  };
  EXPECT_EQ(health().status, 200);
  dog.beat();
  time.set(time.now() + 31s);
  EXPECT_EQ(health().status, 503);
  EXPECT_THAT(health().body, HasSubstr("[-]stream-loop failed: expected the loop oarlock-stream"));
  go_on.set_value();
  stream.call([] {});  // the beat was before it
  EXPECT_EQ(health().status, 200);
}

}  // namespace
}  // namespace oarlock::daemon
