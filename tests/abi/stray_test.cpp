// Thread tags of the host's slots: what is for one call and its thread is refused elsewhere, and
// the log names plugin and slot.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <set>

#include "tests/abi/started.hpp"

namespace oarlock::abi {
namespace {

// "oarlock_effect_out.fail" and all others of the headers whose tag line says so.
std::set<std::string> slots_of_one_call() {
  static const std::regex either(
      R"(typedef struct (\w+) \{|\[worker\] \[during ([\w ]+)\][^\n]*\n[^\n]*\(\*(\w+)\))");
  std::set<std::string> out;
  const std::string root = std::string(OARLOCK_SOURCE_DIR) + "/plugin-api/include/oarlock";
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (entry.path().extension() != ".h") continue;
    const auto text = read_whole(entry.path());
    std::string in;
    for (std::sregex_iterator at(text.begin(), text.end(), either), end; at != end; ++at) {
      if ((*at)[1].matched) in = (*at)[1];
      const bool is_hosts = (*at)[3].matched && (*at)[2] != "get";  // get() calls the plugin back
      if (is_hosts) out.insert(in + "." + (*at)[3].str());
    }
  }
  return out;
}

class strays : public ::testing::TestWithParam<home> {};
INSTANTIATE_TEST_SUITE_P(homes, strays, ::testing::Values(home::core, home::child), home_name);

TEST_P(strays, every_slot_of_one_call_is_refused_on_another_thread_and_its_caller_named) {
  const auto slots = slots_of_one_call();
  ASSERT_GE(slots.size(), 24U);
  ASSERT_TRUE(slots.contains("oarlock_plan_out.effect") &&
              slots.contains("oarlock_host_cache.close"));
  started stray("stray", GetParam());
  ::testing::internal::CaptureStderr();
  const auto planned = stray.plan("one");
  const auto acted = stray.effect("go");
  plugin::inbound_request asked{};
  asked.ns = "shop";
  asked.name = "one";
  const auto answered = stray.plugin().inbound(asked);
  const auto reviewed = stray.plugin().review({});
  stray.plugin().stop();  // what a child had to say is said
  const auto log = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(planned.verdict, controller::plan_verdict::done) << planned.fail_message;
  EXPECT_TRUE(planned.apply_set.empty() && planned.steps.empty() && planned.events.empty());
  EXPECT_EQ(acted.verdict, controller::plan_verdict::done) << acted.message;
  EXPECT_EQ(answered.status, 204) << answered.why;
  EXPECT_EQ(reviewed.verdict, plugin::review_verdict::allowed) << reviewed.why;
  for (const auto& slot : slots) {
    const std::string of_plan = "oarlock_plan_out.";
    const auto call = slot.starts_with(of_plan) ? slot.substr(of_plan.size()) : slot;
    EXPECT_THAT(log, ::testing::ContainsRegex("outside of its call or on another thread" +
                                              (".*plugin=zoo.* call=" + call) + "(\n| )"));
  }
}

// After the one above: in the core both are of one process and plugin.
TEST_P(strays, that_go_on_and_on_are_told_ten_times_of_each_slot) {
  started stray("stray", GetParam());
  ::testing::internal::CaptureStderr();
  for (int i = 0; i < 30; ++i)
    EXPECT_EQ(stray.plan("one").verdict, controller::plan_verdict::done);
  stray.plugin().stop();
  const auto log = ::testing::internal::GetCapturedStderr();
  const std::regex told("another thread.* call=(oarlock_observe_out.)?(apply|answer)(\n| )");
  const auto times =
      std::distance(std::sregex_iterator(log.begin(), log.end(), told), std::sregex_iterator());
  EXPECT_GT(times, 0);
  EXPECT_LE(times, 2 * 10) << log;
}

}  // namespace
}  // namespace oarlock::abi
