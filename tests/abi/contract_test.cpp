// One contract, four languages: the plugins of tests/abi/contract behave alike, in every home that
// each allows.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <thread>
#include <tuple>
#include <vector>

#include "core/plugin/errors.hpp"
#include "tests/abi/started.hpp"

namespace oarlock::abi {
namespace {

using controller::plan_verdict;
using ::testing::AllOf;
using ::testing::HasSubstr;

// A library of the zoo by language; "c-0.3" is contract.c built with the accepted header.
using language_and_home = std::tuple<std::string, home>;

class contract : public ::testing::TestWithParam<language_and_home> {
 protected:
  void SetUp() override {
    if (fs::exists(zoo_file(library()))) return;
    GTEST_SKIP() << "not built: " << library() << " (" CONTRACT_SKIPPED ")";
  }
  static std::string library() { return "contract-" + std::get<0>(GetParam()); }
  static home where() { return std::get<1>(GetParam()); }
};

std::vector<language_and_home> all_of_them() {
  std::vector<language_and_home> out;
  for (const char* language : {CONTRACT_LANGUAGES}) {
    // Two Go runtimes in one process crash it.
    if (std::string(language) != "go") out.emplace_back(language, home::core);
    out.emplace_back(language, home::child);
  }
  return out;
}

INSTANTIATE_TEST_SUITE_P(in, contract, ::testing::ValuesIn(all_of_them()), [](const auto& info) {
  std::string name = std::get<0>(info.param);
  std::replace_if(name.begin(), name.end(), [](char c) { return c == '-' || c == '.'; }, '_');
  return name + (std::get<1>(info.param) == home::core ? "_core" : "_child");
});

// FNV-1a, as the plugins say what they were lent.
std::string digest(std::string_view text) {
  std::uint64_t hash = 14695981039346656037U;
  for (const char c : text)
    hash = (hash ^ static_cast<std::uint8_t>(c)) * 1099511628211U;
  return fmt::format("{}-{:016x}", text.size(), hash);
}

std::string shown(const char* resource, const cache::object_ptr& object) {
  return fmt::format("\"{} json {}\"", resource, digest(object->json()));
}

std::string expected_echo(const controller::plan_input& in, const std::string& config) {
  std::string failure;
  if (in.last_failure) {
    failure = digest(in.last_failure->step + "\n" + in.last_failure->reason + "\n" +
                     in.last_failure->message);
  }
  std::string owned;
  for (const auto& o : in.owned)
    owned += (owned.empty() ? "" : ",") + shown("configmaps", o.object);
  std::string watched;
  for (const auto& o : in.watched)
    watched += (watched.empty() ? "" : ",") + shown("pods", o.object);
  return fmt::format(
      R"({{"controller":"zoo","key":"{}","now":{},"deleting":{},"primary":{},"owned":[{}],)"
      R"("watched":[{}],"lastFailure":"{}","config":"{}","observed":0}})",
      in.key.text(),
      std::chrono::duration_cast<std::chrono::milliseconds>(in.now.time_since_epoch()).count(),
      in.deleting ? 1 : 0, shown("animals.example.com", in.primary), owned, watched, failure,
      digest(config));
}

TEST_P(contract, a_plan_sees_all_of_its_inputs) {
  const std::string config = R"({"color":"blue","n":[1,2.5,null]})";
  started plugin(library(), where(), config);
  auto in = plugin.input("echo");
  in.now = wall_time(std::chrono::milliseconds(1700000000123));
  EXPECT_EQ(plugin.plan(in).status_json, expected_echo(in, config));

  in.deleting = true;
  in.last_failure =
      controller::step_failure{"apply pods a", "Conflict", "gr\xc3\xbc\xc3\x9f \"a\""};
  for (int i = 0; i < 20; ++i)
    in.watched.push_back({&in.spec->watches.front().resource, animal("more" + std::to_string(i))});
  EXPECT_EQ(plugin.plan(in).status_json, expected_echo(in, config));

  in.owned.clear();
  in.watched.clear();
  in.last_failure.reset();
  EXPECT_EQ(plugin.plan(in).status_json, expected_echo(in, config));
}

TEST_P(contract, a_plan_gets_what_was_observed_before) {
  started plugin(library(), where());
  const auto in = plugin.input("observe.one");
  const auto out = plugin.plan(in);
  EXPECT_EQ(out.verdict, plan_verdict::done) << out.fail_message;
  EXPECT_EQ(out.status_json, R"({"seen":")" + digest(in.primary->json()) + R"("})");
}

TEST_P(contract, without_an_observation_there_is_no_plan) {
  started plugin(library(), where());
  const auto out = plugin.plan("observe-fails");
  EXPECT_EQ(out.verdict, plan_verdict::retry);
  EXPECT_EQ(out.fail_reason, "ServerAway");
  EXPECT_EQ(out.fail_message, "expected an answer, found none");
}

TEST_P(contract, a_plan_says_each_step) {
  started plugin(library(), where());
  const auto out = plugin.plan("steps");
  ASSERT_EQ(out.verdict, plan_verdict::done) << out.fail_message;
  ASSERT_EQ(out.apply_set.size(), 2U);
  EXPECT_EQ(out.apply_set[0].group, 0U);
  EXPECT_THAT(out.apply_set[0].json, HasSubstr(R"("name":"a")"));
  EXPECT_EQ(out.apply_set[1].group, 7U);
  EXPECT_EQ(out.steps_before_apply_set, 1U);
  ASSERT_EQ(out.steps.size(), 4U);
  EXPECT_THAT(std::get<controller::create_once>(out.steps[0]).json,
              AllOf(HasSubstr("Secret"), HasSubstr("once")));
  const auto& patch = std::get<controller::patch_existing>(out.steps[1]);
  EXPECT_TRUE(patch.merge);
  EXPECT_EQ(patch.target.resource.kind, "Pod");
  EXPECT_EQ(patch.target.name, "p");
  EXPECT_EQ(patch.target.uid, "u");
  EXPECT_EQ(patch.target.resource_version, "7");
  EXPECT_EQ(patch.json, R"({"a":1})");
  const auto& gone = std::get<controller::delete_object>(out.steps[2]);
  EXPECT_EQ(gone.target.name, "old");
  EXPECT_EQ(gone.target.uid, "");
  EXPECT_EQ(gone.grace_seconds, 5);
  EXPECT_EQ(gone.propagation, "Foreground");
  const auto& swap = std::get<controller::status_swap>(out.steps[3]);
  EXPECT_EQ(swap.resource_version, "12");
  EXPECT_EQ(swap.json, R"({"epoch":3})");
}

TEST_P(contract, a_plan_records_effects_and_what_it_saw_for_them) {
  started plugin(library(), where());
  const auto in = plugin.input("effects");
  const auto out = plugin.plan(in);
  ASSERT_EQ(out.verdict, plan_verdict::done) << out.fail_message;
  EXPECT_EQ(out.steps_before_apply_set, 1U);
  ASSERT_EQ(out.steps.size(), 2U);
  const auto& first = std::get<controller::plugin_effect>(out.steps[0]);
  EXPECT_EQ(first.name, "paint-1");
  EXPECT_EQ(first.payload, R"({"color":"red"})");
  const auto& second = std::get<controller::plugin_effect>(out.steps[1]);
  EXPECT_EQ(second.name, "dry");
  EXPECT_EQ(second.payload, "");
  ASSERT_NE(out.observation, nullptr);
  EXPECT_EQ(*out.observation, R"({"seen":")" + digest(in.primary->json()) + R"("})");
  EXPECT_EQ(plugin.plan("observe").observation, nullptr) << "it has no effects";
}

// Open until then.
struct open_gate final : kube::write_gate {
  explicit open_gate(steady_time limit) : until(limit) {}
  [[nodiscard]] result<> check() const override { return {}; }
  [[nodiscard]] steady_time limit() const override { return until; }
  steady_time until;
};

TEST_P(contract, an_effect_sees_all_of_its_inputs) {
  started plugin(library(), where());
  auto in = plugin.effect_input("tell");
  const auto told = [&](const std::string& rest) {
    const auto out = plugin.effect(in);
    EXPECT_FALSE(out.not_started);
    EXPECT_EQ(out.verdict, plan_verdict::retry);
    EXPECT_EQ(out.reason, "Told");
    EXPECT_EQ(out.message, "zoo shop/one " + shown("animals.example.com", in.primary) + rest);
  };
  told(R"( {"n":1} {"seen":[]} 9223372036854775807 in time)");
  const open_gate gate(steady_time(std::chrono::nanoseconds(4711)));
  in.gate = &gate;
  in.what.payload.clear();
  in.observation = nullptr;
  told("   4711 in time");
}

TEST_P(contract, an_effect_happens_or_says_why_not) {
  started plugin(library(), where());
  EXPECT_EQ(plugin.effect("paint-1").verdict, plan_verdict::done);
  const auto expect = [&](const char* name, const char* reason, const char* message) {
    SCOPED_TRACE(name);
    const auto out = plugin.effect(name);
    EXPECT_EQ(out.verdict, plan_verdict::terminal);
    EXPECT_EQ(out.reason, reason);
    EXPECT_THAT(out.message, HasSubstr(message));
  };
  expect("terminal", "Never", "cannot be");
  expect("throw", "PluginThrew", "as asked");
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(plugin.effect("log").verdict, plan_verdict::done);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              HasSubstr("the contract speaks plugin=zoo color=blue controller=zoo"));
}

TEST_P(contract, a_plan_says_conditions_events_and_when) {
  started plugin(library(), where());
  const auto out = plugin.plan("say");
  ASSERT_EQ(out.verdict, plan_verdict::done) << out.fail_message;
  ASSERT_EQ(out.conditions.size(), 2U);
  EXPECT_EQ(out.conditions[0].type, "Ready");
  EXPECT_EQ(out.conditions[0].status, controller::condition_status::yes);
  EXPECT_EQ(out.conditions[0].reason, "AsAsked");
  EXPECT_EQ(out.conditions[0].message, "gr\xc3\xbc\xc3\x9f");
  EXPECT_EQ(out.conditions[1].status, controller::condition_status::unknown);
  ASSERT_EQ(out.events.size(), 2U);
  EXPECT_FALSE(out.events[0].warning);
  EXPECT_EQ(out.events[0].reason, "Went");
  EXPECT_TRUE(out.events[1].warning);
  EXPECT_EQ(out.events[1].message, "a little");
  EXPECT_EQ(out.requeue_after, std::chrono::milliseconds(3000));
  EXPECT_FALSE(out.status_json);
}

TEST_P(contract, a_plan_that_fails_says_why) {
  started plugin(library(), where());
  const auto expect = [&](const char* name, plan_verdict verdict, const char* reason,
                          const char* message) {
    SCOPED_TRACE(name);
    const auto out = plugin.plan(name);
    EXPECT_EQ(out.verdict, verdict);
    EXPECT_EQ(out.fail_reason, reason);
    EXPECT_THAT(out.fail_message, HasSubstr(message));
  };
  expect("retry", plan_verdict::retry, "Later", "not yet");
  expect("terminal", plan_verdict::terminal, "Never", "cannot be");
  expect("throw", plan_verdict::terminal, "PluginThrew", "as asked");
  expect("refused", plan_verdict::terminal, "PlanRefused", "found v1 Node; add it there");
  EXPECT_EQ(plugin.plan("nothing").verdict, plan_verdict::done);
}

TEST_P(contract, a_deletion_is_finished) {
  started plugin(library(), where());
  const auto out = plugin.plan("finish", true);
  EXPECT_EQ(out.verdict, plan_verdict::done) << out.fail_message;
  EXPECT_TRUE(out.finished);
}

TEST_P(contract, a_log_record_arrives) {
  started plugin(library(), where());
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(plugin.plan("log").verdict, plan_verdict::done);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              HasSubstr("the contract speaks plugin=zoo color=blue controller=zoo"));
}

TEST_P(contract, instances_do_not_share_their_state) {
  started one(library(), where(), R"({"a":1})");
  started two(library(), where(), R"({"a":22})");
  const auto in = one.input("echo");
  EXPECT_EQ(one.plan(in).status_json, expected_echo(in, R"({"a":1})"));
  EXPECT_EQ(two.plan(in).status_json, expected_echo(in, R"({"a":22})"));
  two.plugin().stop();
  EXPECT_EQ(one.plan(in).status_json, expected_echo(in, R"({"a":1})"));
}

TEST_P(contract, plans_of_many_threads_do_not_mix) {
  started plugin(library(), where());
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      const auto in = plugin.input("echo." + std::to_string(i));
      for (int n = 0; n < 50; ++n)
        EXPECT_EQ(plugin.plan(in).status_json, expected_echo(in, "{}"));
    });
  }
  for (auto& thread : threads)
    thread.join();
}

TEST_P(contract, a_create_or_start_that_fails_says_why) {
  const folder here;
  const auto bytes = read_whole(zoo_file(library()));
  const auto refused = load_bytes(here, bytes, where(), zoo_manifest(), R"({"refuse":1})");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, plugin::plugin_error::not_created);
  EXPECT_THAT(refused.error().message, HasSubstr("expected another configuration, found refuse"));

  auto loaded = load_from(here.path(), where(), R"({"refuseStart":1})");
  ASSERT_TRUE(loaded) << loaded.error().message;
  const auto begun = (*loaded)->start();
  ASSERT_FALSE(begun);
  EXPECT_EQ(begun.error().code, plugin::plugin_error::not_started);
  EXPECT_THAT(begun.error().message, HasSubstr("expected to start, found refuseStart"));
}

TEST(contract_go, is_refused_in_the_core) {
  if (!fs::exists(zoo_file("contract-go"))) GTEST_SKIP() << "not built (" CONTRACT_SKIPPED ")";
  const folder here;
  const auto loaded = load_bytes(here, read_whole(zoo_file("contract-go")), home::core);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, plugin::plugin_error::needs_child);
  EXPECT_THAT(loaded.error().message,
              AllOf(HasSubstr("libzoo.so"), HasSubstr("Go"), HasSubstr("--plugin-home=child")));
}

// The example of plugin.h, cut out of its comment and built.
TEST(contract_example, the_plugin_of_the_headers_page_works) {
  for (const home in : {home::core, home::child}) {
    started example("example", in);
    if (!example.is_there()) return;
    const auto out = example.plan("leo");
    ASSERT_EQ(out.verdict, plan_verdict::done) << out.fail_message;
    ASSERT_EQ(out.apply_set.size(), 1U);
    EXPECT_EQ(out.apply_set[0].json,
              R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"leo-greeting"},)"
              R"("data":{"text":"hello"}})");
  }
}

}  // namespace
}  // namespace oarlock::abi
