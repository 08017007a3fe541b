// `home: child`: a plugin that dies, hangs or hoards takes nobody along.
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include "core/plugin/errors.hpp"
#include "core/plugin/lent_pages.hpp"
#include "tests/abi/hostile.hpp"
#include "tests/support/process.hpp"

namespace oarlock::abi {
namespace {

using namespace std::chrono_literals;
using controller::plan_verdict;
using ::testing::AnyOf;
using testing::eventually;
using ::testing::HasSubstr;

/// Children of this process that run the host program.
std::vector<pid_t> children() {
  std::vector<pid_t> out;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const auto name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream stat(entry.path() / "stat");
    std::string line;
    std::getline(stat, line);
    const auto behind = line.rfind(") ");
    if (behind == std::string::npos || line.find("(oarlock-plugin-") == std::string::npos) continue;
    // "S 4711 ...": state and parent.
    if (line[behind + 2] != 'Z' && std::stoi(line.substr(behind + 4)) == ::getpid()) {
      out.push_back(std::stoi(name));
    }
  }
  return out;
}

// Where a call hangs. The sanitizers hold signals back until the thread makes a call.
#ifdef OARLOCK_SANITIZED
constexpr const char* where = "";
#else
constexpr const char* where = " at libzoo.so+0x";
#endif

struct end {
  const char* how;
  const char* words;
};

TEST(child_home, the_ways_to_die_end_only_the_child) {
  const end ends[] = {{"segv", "SIGSEGV at libzoo.so+0x"},
                      {"abort", "SIGABRT"},
                      {"exit", "exit() called, exit code 0"},
                      {"quick-exit", "exit code 3"},
                      {"overflow", "SIGSEGV"}};
  hostile zoo;
  for (const auto& e : ends) {
    SCOPED_TRACE(e.how);
    const auto out = zoo.plan(e.how);
    EXPECT_EQ(out.verdict, plan_verdict::retry);
    EXPECT_EQ(out.fail_reason, "PluginCrashed");
    EXPECT_THAT(out.fail_message, HasSubstr(e.words));
    EXPECT_EQ(zoo.plan("well").verdict, plan_verdict::done);
  }
}

TEST(child_home, an_effect_that_ends_the_child_costs_its_key_a_retry) {
  const end ends[] = {{"segv", "SIGSEGV at libzoo.so+0x"},
                      {"abort", "SIGABRT"},
                      {"exit", "exit() called, exit code 0"},
                      {"overflow", "SIGSEGV"}};
  hostile zoo;
  for (const auto& e : ends) {
    SCOPED_TRACE(e.how);
    const auto out = zoo.effect(e.how);
    EXPECT_FALSE(out.not_started);
    EXPECT_EQ(out.verdict, plan_verdict::retry);
    EXPECT_EQ(out.reason, "PluginCrashed");
    EXPECT_THAT(out.message, HasSubstr(e.words));
    EXPECT_EQ(zoo.plan("one").fail_reason, "Tried") << "a plan of the same key is well";
    EXPECT_EQ(zoo.effect("well").verdict, plan_verdict::done);
  }
}

TEST(child_home, an_effect_past_its_deadline_ends_the_child) {
  hostile zoo;
  const auto out = zoo.effect("hang", 50ms);
  EXPECT_EQ(out.verdict, plan_verdict::retry);
  EXPECT_EQ(out.reason, "PluginCrashed");
  EXPECT_THAT(out.message, HasSubstr("no effect within 10"));
  EXPECT_THAT(out.message, HasSubstr(where));
  EXPECT_EQ(zoo.effect("well").verdict, plan_verdict::done);
}

TEST(child_home,
     effects_that_end_the_child_again_and_again_are_left_alone_until_the_object_changes) {
  hostile zoo;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(zoo.plan("one").fail_reason, "Tried") << "a plan between them changes nothing";
    EXPECT_EQ(zoo.effect("segv").reason, "PluginCrashed");
  }
  const auto left_alone = zoo.effect("well");
  EXPECT_EQ(left_alone.verdict, plan_verdict::terminal);
  EXPECT_THAT(left_alone.message,
              HasSubstr("an effect for this object ended the plugin's process"));
  EXPECT_EQ(zoo.plan("one").fail_reason, "Tried");
  zoo.acted_on = 2;
  EXPECT_EQ(zoo.effect("well").verdict, plan_verdict::done);
}

class closing_gate final : public kube::write_gate {
 public:
  [[nodiscard]] result<> check() const override {
    return error{make_error_code(boost::system::errc::timed_out), "closed"};
  }
};

TEST(child_home, an_effect_is_not_sent_once_another_process_may_lead) {
  hostile zoo;
  const closing_gate gate;
  const auto out = zoo.effect("segv", 20s, &gate);
  ASSERT_TRUE(out.not_started);
  EXPECT_EQ(out.not_started->message, "closed");
}

struct bad_effect {
  const char* how;
  const char* reason;
  const char* words;
};

TEST(child_home, an_effect_that_breaks_the_contract_fails_in_both_homes) {
  const bad_effect all[] = {
      {"silent-error", "EffectFailed", "returned status 1 and did not say why"},
      {"unknown-status", "EffectFailed", "returned status 4711 and did not say why"},
      {"bad-reason", "EffectFailed", "gave a reason that is none"},
      {"ok-after-fail", "Odd", "but fine"}};
  for (const auto in : {home::core, home::child}) {
    hostile zoo(in);
    const auto before = metric("oarlock_plugin_unexplained_failures_total");
    for (const auto& e : all) {
      SCOPED_TRACE(e.how);
      const auto out = zoo.effect(e.how);
      EXPECT_EQ(out.verdict, plan_verdict::retry);
      EXPECT_EQ(out.reason, e.reason);
      EXPECT_THAT(out.message, HasSubstr(e.words));
    }
    EXPECT_EQ(metric("oarlock_plugin_unexplained_failures_total") - before, 2)
        << "two did not say why";
    EXPECT_EQ(zoo.effect("null-ctx").verdict, plan_verdict::done);
    EXPECT_EQ(zoo.plan("well").verdict, plan_verdict::done);
    EXPECT_EQ(zoo.effect("call-plan").verdict, plan_verdict::done) << "the kept table is refused";
  }
}

TEST(child_home, a_view_that_an_effect_kept_cannot_be_read) {
  if (!plugin::checks_views) GTEST_SKIP() << "a check of debug builds";
  hostile zoo;
  EXPECT_EQ(zoo.effect("keep").verdict, plan_verdict::done);
  EXPECT_THAT(zoo.effect("use-view").message, HasSubstr("it kept a view"));
}

TEST(child_home, a_view_that_was_kept_cannot_be_read_and_the_plugin_is_named) {
  if (!plugin::checks_views) GTEST_SKIP() << "a check of debug builds";
  hostile zoo;
  EXPECT_EQ(zoo.plan("keep-view").verdict, plan_verdict::done);
  const auto out = zoo.plan("use-view");
  EXPECT_EQ(out.fail_reason, "PluginCrashed");
  EXPECT_THAT(out.fail_message, HasSubstr("SIGSEGV at libzoo.so+0x"));
  EXPECT_THAT(out.fail_message, HasSubstr("it kept a view"));
  EXPECT_TRUE(out.events.empty()) << "the controller makes one of each failure";
}

TEST(child_home, a_plan_past_its_deadline_is_ended) {
  auto settings = zoo_settings();
  settings.plan_limit = 1s;  // also for the one that is well, on a busy machine
  hostile zoo(home::child, settings);
  const auto out = zoo.plan("hang");
  EXPECT_EQ(out.fail_reason, "PluginCrashed");
  EXPECT_THAT(out.fail_message, HasSubstr(std::string("no plan within 1000 ms") + where));
  EXPECT_EQ(zoo.plan("well").verdict, plan_verdict::done);
}

#ifndef OARLOCK_SANITIZED
TEST(child_home, memory_is_bounded) {
  auto settings = zoo_settings();
  plugin::quota_table quotas;
  ASSERT_TRUE(quotas.add("*:child-memory-bytes=32Mi"));
  settings.quotas = &quotas;
  settings.watch_period = 20ms;
  hostile zoo(home::child, settings);
  // malloc() fails and the plugin aborts, or the watchdog saw it first.
  EXPECT_THAT(zoo.plan("eat-memory").fail_message,
              AnyOf(HasSubstr("SIGABRT"), HasSubstr("private memory")));
  EXPECT_EQ(zoo.plan("well").verdict, plan_verdict::done);
  EXPECT_THAT(zoo.plan("hoard").fail_message, HasSubstr("MiB of private memory, 32 are allowed"));
  EXPECT_EQ(zoo.plan("well").verdict, plan_verdict::done);
}
#endif

TEST(child_home, threads_are_counted) {
  auto settings = zoo_settings();
  settings.watch_period = 20ms;
  hostile zoo(home::child, settings);
  EXPECT_THAT(zoo.plan("threads").fail_message, HasSubstr("threads, 64 are allowed"));
  EXPECT_EQ(zoo.plan("well").verdict, plan_verdict::done);
}

TEST(child_home, a_flood_of_log_records_is_cut) {
  hostile zoo;
  ::testing::internal::CaptureStderr();
  const auto out = zoo.plan("flood-log");
  const auto log = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(out.fail_message, "flood-log: reached");
  EXPECT_LT(std::count(log.begin(), log.end(), '\n'), 5000);
}

TEST(child_home, a_start_or_stop_that_hangs_ends_the_child) {
  auto settings = zoo_settings();
  settings.call_limit = 2s;
  const folder here;
  write_whole(here.path() / "plugin.yaml", zoo_manifest());
  write_whole(here.path() / "libzoo.so", read_whole(zoo_file("hostile")));
  auto loaded = load_from(here.path(), home::child, R"({"x":"start-hang"})", settings);
  ASSERT_TRUE(loaded) << loaded.error().message;
  const auto begun = (*loaded)->start();
  ASSERT_FALSE(begun);
  EXPECT_THAT(begun.error().message, HasSubstr("start()"));
  loaded->reset();
  loaded = load_from(here.path(), home::child, R"({"x":"stop-hang"})", settings);
  ASSERT_TRUE(loaded) << loaded.error().message;
  ASSERT_TRUE((*loaded)->start());
  ::testing::internal::CaptureStderr();
  (*loaded)->stop();
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              HasSubstr("plugin did not stop as it should"));
  EXPECT_EQ(children().size(), 0U);
}

TEST(child_home, a_key_that_crashes_again_and_again_is_left_alone_until_it_changes) {
  hostile zoo;
  const double restarts = metric("oarlock_plugin_child_restarts_total");
  for (int i = 1; i <= 2; ++i) {
    const auto out = zoo.plan("segv");
    EXPECT_EQ(out.verdict, plan_verdict::retry);
    EXPECT_THAT(out.fail_message, HasSubstr(std::to_string(i) + " of 3 times"));
  }
  EXPECT_EQ(zoo.plan("segv").verdict, plan_verdict::terminal);
  EXPECT_EQ(zoo.plan("well").verdict, plan_verdict::done);
  EXPECT_EQ(metric("oarlock_plugin_child_restarts_total"), restarts + 3);
  EXPECT_EQ(metric("oarlock_plugin_quarantined_keys"), 1);
  // Refused without a call.
  const auto out = zoo.plan("segv");
  EXPECT_EQ(out.verdict, plan_verdict::terminal);
  EXPECT_EQ(out.fail_reason, "PluginCrashed");
  EXPECT_THAT(out.fail_message, HasSubstr("3 times in a row (SIGSEGV"));
  EXPECT_EQ(metric("oarlock_plugin_child_restarts_total"), restarts + 3);
  // Another spec: another chance.
  EXPECT_EQ(zoo.plan("segv", 2).verdict, plan_verdict::retry);
  EXPECT_EQ(metric("oarlock_plugin_quarantined_keys"), 0);
  EXPECT_EQ(zoo.plan("well").verdict, plan_verdict::done);
}

TEST(child_home, other_keys_do_not_notice_a_crash) {
  auto settings = zoo_settings();
  settings.crashes_per_key = 1000;
  hostile zoo(home::child, settings);
  std::vector<std::thread> well;
  for (int i = 0; i < 3; ++i) {
    well.emplace_back([&] {
      for (int n = 0; n < 100; ++n)
        EXPECT_EQ(zoo.plan("well").verdict, plan_verdict::done);
    });
  }
  for (int n = 0; n < 3; ++n)
    EXPECT_EQ(zoo.plan("segv").fail_reason, "PluginCrashed");
  for (auto& thread : well)
    thread.join();
}

TEST(child_home, a_child_is_back_at_once_unless_it_ends_all_the_time) {
  auto settings = zoo_settings();
  settings.crashes_per_key = 1000;
  settings.restarts_at_once = 3;
  settings.restart_interval = 1h;
  hostile zoo(home::child, settings);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(zoo.plan("segv").fail_reason, "PluginCrashed");
    EXPECT_EQ(zoo.plan("well").verdict, plan_verdict::done);
    EXPECT_EQ(zoo.plugin().note(), "");
  }
  EXPECT_EQ(zoo.plan("segv").fail_reason, "PluginCrashed");
  EXPECT_TRUE(eventually([&] { return !zoo.plugin().note().empty(); }, 30s));
  EXPECT_THAT(zoo.plugin().note(), HasSubstr("ends too often and waits"));
  EXPECT_THAT(zoo.plugin().note(), HasSubstr("SIGSEGV"));
  zoo.plugin().stop();  // does not wait for the hour
  EXPECT_EQ(children().size(), 0U);
}

TEST(child_home, a_signal_from_outside_is_nobodys_fault) {
  hostile zoo;
  for (const int signal : {SIGSEGV, SIGKILL}) {
    const auto before = children();
    ASSERT_EQ(before.size(), 1U);
    ASSERT_EQ(::kill(before.front(), signal), 0);
    EXPECT_TRUE(eventually(
        [&] {
          const auto now = children();
          return now.size() == 1 && now != before;
        },
        20s));
    EXPECT_EQ(zoo.plan("well").verdict, plan_verdict::done);
  }
}

TEST(child_home, a_create_that_dies_or_hangs_is_a_refusal) {
  const folder here;
  write_whole(here.path() / "plugin.yaml", zoo_manifest());
  write_whole(here.path() / "libzoo.so", read_whole(zoo_file("hostile")));
  auto settings = zoo_settings();
  settings.call_limit = 2s;
  for (const char* how : {"create-segv", "create-hang"}) {
    const auto loaded =
        load_from(here.path(), home::child, std::string("{\"x\":\"") + how + "\"}", settings);
    ASSERT_FALSE(loaded) << how;
    EXPECT_EQ(loaded.error().code, plugin::plugin_error::crashed);
    EXPECT_THAT(loaded.error().message, HasSubstr("create()"));
    EXPECT_THAT(loaded.error().message,
                AnyOf(HasSubstr("ended: SIGSEGV"), HasSubstr("no answer to create()")));
  }
  EXPECT_EQ(children().size(), 0U);
}

TEST(child_home, without_the_host_program_a_plugin_is_refused) {
  const folder here;
  write_whole(here.path() / "plugin.yaml", zoo_manifest());
  write_whole(here.path() / "libzoo.so", read_whole(zoo_file("good")));
  auto settings = zoo_settings();
  settings.program = here.path() / "nothing";
  const auto loaded = load_from(here.path(), home::child, "{}", settings);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, plugin::plugin_error::no_host);
  EXPECT_THAT(loaded.error().message, HasSubstr("/nothing"));
}

TEST(child_home, nothing_is_left_after_stop) {
  {
    hostile zoo;
    EXPECT_EQ(children().size(), 1U);
    zoo.plugin().drain();
    zoo.plugin().stop();
    EXPECT_EQ(children().size(), 0U);
    EXPECT_EQ(zoo.plan("well").fail_reason, "PluginNotRunning");
  }
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);  // no zombie either
}

}  // namespace
}  // namespace oarlock::abi
