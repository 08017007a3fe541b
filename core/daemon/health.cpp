#include "core/daemon/health.hpp"

#include <fmt/format.h>
#include <boost/asio/post.hpp>

#include <algorithm>

#include "core/base/log.hpp"
#include "core/base/mutant.hpp"

namespace oarlock::daemon {

namespace {

std::int64_t in_ns(steady_time t) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(t.time_since_epoch()).count();
}

// One line per check: a reason with line breaks must not look like a check of its own.
std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  return text;
}

}  // namespace

metrics::http_answer answer_of(std::string_view endpoint, const std::vector<check>& checks) {
  metrics::http_answer answer;
  bool passed = true;
  for (const auto& c : checks) {
    if (c.trouble.empty()) {
      answer.body += fmt::format("[+]{} ok{}\n", one_line(c.name),
                                 c.note.empty() ? "" : ": " + one_line(c.note));
      continue;
    }
    passed = passed && !c.gates;
    answer.body += fmt::format("[-]{} failed: {}\n", one_line(c.name), one_line(c.trouble));
  }
  answer.body += fmt::format("{} check {}\n", endpoint, passed ? "passed" : "failed");
  answer.status = passed ? 200 : 503;
  return answer;
}

watchdog::watchdog(std::string name, executor watched, const clock& clock_source)
    : name_(std::move(name)), watched_(std::move(watched)), clock_(clock_source) {
  state_->last_ns = in_ns(clock_.now());
}

void watchdog::beat() {
  if (state_->pending.exchange(true)) return;
  boost::asio::post(watched_, [s = state_, time = &clock_] {
    s->last_ns = in_ns(time->now());
    s->pending = false;
  });
}

task<> watchdog::run(timers& timer_source, std::stop_token stop) {
  for (bool go_on = true; go_on;) {
    say_once();
    beat();
    go_on = co_await timer_source.sleep_for(period, stop);
  }
}

void watchdog::say_once() {
  // Without a beat on its way it is this loop that stood still, or the process.
  const auto why = state_->pending ? trouble() : std::string();
  if (!why.empty() && !said_) log_error("a loop does not turn", {{"loop", name_}, {"error", why}});
  said_ = !why.empty();
}

std::string watchdog::trouble() const {
  const auto silent = std::chrono::nanoseconds(in_ns(clock_.now()) - state_->last_ns.load());
  if (silent <= silence_max || OARLOCK_MUTANT("silent_loop_is_healthy")) return {};
  return fmt::format("expected the loop {} to answer within {} s, found it silent for {} s", name_,
                     silence_max.count(),
                     std::chrono::duration_cast<std::chrono::seconds>(silent).count());
}

}  // namespace oarlock::daemon
