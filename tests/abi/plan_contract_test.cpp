// plan() over the C ABI: what a plugin may record, and what happens when it breaks the contract.
#include <gmock/gmock.h>

#include <thread>
#include <vector>

#include "tests/abi/started.hpp"

namespace oarlock::abi {
namespace {

using controller::plan_input;
using controller::plan_verdict;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class plan_contract : public ::testing::TestWithParam<home> {};
INSTANTIATE_TEST_SUITE_P(in, plan_contract, ::testing::Values(home::core, home::child), home_name);

TEST_P(plan_contract, everything_right_is_kept) {
  started rogue("rogue", GetParam());
  const auto out = rogue.plan("all-well");
  ASSERT_EQ(out.verdict, plan_verdict::done) << out.fail_message;
  ASSERT_EQ(out.apply_set.size(), 2U);
  EXPECT_EQ(out.apply_set[0].group, 0U);
  EXPECT_EQ(out.apply_set[1].group, 7U);
  EXPECT_THAT(out.apply_set[1].json, HasSubstr("\"name\":\"b\""));
  EXPECT_EQ(out.status_json, R"({"phase":"Fine"})");
  ASSERT_EQ(out.conditions.size(), 2U);
  EXPECT_EQ(out.conditions[0].type, "Ready");
  EXPECT_EQ(out.conditions[0].status, controller::condition_status::yes);
  EXPECT_EQ(out.conditions[0].reason, "Second");
  EXPECT_EQ(out.conditions[0].message, "gr\xc3\xbc\xc3\x9f");
  EXPECT_EQ(out.conditions[1].status, controller::condition_status::unknown);
  ASSERT_EQ(out.events.size(), 2U);
  EXPECT_FALSE(out.events[0].warning);
  EXPECT_TRUE(out.events[1].warning);
  EXPECT_EQ(out.requeue_after, std::chrono::milliseconds(3000));
}

TEST_P(plan_contract, silence_is_an_answer) {
  started rogue("rogue", GetParam());
  const auto out = rogue.plan("silent");
  EXPECT_EQ(out.verdict, plan_verdict::done);
  EXPECT_TRUE(out.apply_set.empty());
  EXPECT_TRUE(out.conditions.empty());
  EXPECT_FALSE(out.status_json);
  EXPECT_FALSE(out.requeue_after);
}

TEST_P(plan_contract, a_long_event_is_shortened) {
  started rogue("rogue", GetParam());
  const auto out = rogue.plan("long-event");
  ASSERT_EQ(out.events.size(), 1U);
  EXPECT_EQ(out.events[0].message.size(), 1024U);
  EXPECT_TRUE(out.events[0].message.ends_with("x..."));
}

TEST_P(plan_contract, a_refused_call_fails_the_plan) {
  struct refusal {
    const char* how;
    const char* words;
  };
  const refusal refusals[] = {
      {"bad-json", "apply(): "},
      {"trailing-json", "apply(): "},
      {"bad-utf8", "apply(): "},
      {"no-object", "apply(): expected a JSON object"},
      {"no-name", "expected apiVersion, kind and metadata.name"},
      {"wrong-kind", "found v1 Service; add it there"},
      {"wrong-namespace", "in the namespace of its owner, \"shop\", found \"kube-system\""},
      {"twice", "found ConfigMap a twice"},
      {"null-bytes", "apply(): expected JSON, found NULL"},
      {"bad-encoding", "expected encoding 1 (JSON), found 42"},
      {"huge", "expected at most 1572864 bytes, found "},
      {"too-many", "expected at most 256 children"},
      {"too-many-events", "expected at most 64 events"},
      {"status-twice", "status(): expected one call at most"},
      {"status-no-object", "status(): expected a JSON object"},
      {"status-conditions", "expected no field \"conditions\""},
      {"null-condition", "condition(): expected a condition, found NULL"},
      {"old-condition", "expected struct_size >= 56, found 8"},
      {"condition-no-reason", "expected a CamelCase reason for Ready, found \"\""},
      {"condition-bad-reason", "found \"not camel case\""},
      {"condition-bad-type", "expected a type such as Ready, found \"so bad\""},
      {"condition-bad-utf8", "expected message to be UTF-8"},
      {"event-null", "expected message to point at 5 bytes, found NULL"},
      {"event-cut-utf8", "expected message to be UTF-8"},
      {"requeue-negative", "expected a delay >= 0, found -1"},
      {"finished", "finished(): expected an object that is being deleted"},
      {"patch-stranger", "under watches with writes: [patch], found \"services\""},
      {"delete-watched", "under watches with writes: [delete], found \"pods\""},
      {"patch-no-uid", "expected name and uid of a Pod"},
      {"patch-no-name", "expected name and uid of a Pod"},
      {"patch-kind", "expected a kind of patch, 1 or 2, found 9"},
      {"effect-no-name", "effect(): expected a name of letters, digits and -_., found \"\""},
      {"effect-blank", "found \"a b\""},
      {"effect-long", "expected name to have at most 63 bytes, found 64"},
      {"effect-json", "effect(): "},
      {"effect-encoding", "expected encoding 1 (JSON), found 42"},
      {"patch-null", "patch_existing(): expected a target, found NULL"},
      {"patch-old-view", "expected struct_size >= 72, found 16"},
      {"delete-applied", "expected one step for each object, found a second for ConfigMap a"},
      {"create-wrong-kind", "create_once(): expected a kind that plugin.yaml lists under owns"},
      {"swap-no-version", "expected the primary's resource version, found none"},
      {"swap-conditions", "expected no field \"conditions\""},
      {"too-many-steps", "expected at most 256 steps"},
      {"ignored-refusal", "apply(): "},
  };
  started rogue("rogue", GetParam());
  for (const auto& r : refusals) {
    SCOPED_TRACE(r.how);
    ::testing::internal::CaptureStderr();
    const auto out = rogue.plan(r.how);
    const std::string log = ::testing::internal::GetCapturedStderr();
    EXPECT_EQ(out.verdict, plan_verdict::terminal);
    EXPECT_EQ(out.fail_reason, "PlanRefused");
    EXPECT_THAT(out.fail_message, HasSubstr(r.words));
    EXPECT_TRUE(out.apply_set.empty());
    EXPECT_THAT(log, AllOf(HasSubstr("plugin=zoo"), HasSubstr(std::string("name=") + r.how)));
  }
  EXPECT_EQ(rogue.plan("all-well").verdict, plan_verdict::done);
}

TEST_P(plan_contract, an_observation_that_breaks_the_contract_fails_the_plan) {
  started rogue("rogue", GetParam());
  const auto expect = [&](const char* how, plan_verdict verdict, const char* reason,
                          const char* words) {
    SCOPED_TRACE(how);
    const auto out = rogue.plan(how);
    EXPECT_EQ(out.verdict, verdict);
    EXPECT_EQ(out.fail_reason, reason);
    EXPECT_THAT(out.fail_message, HasSubstr(words));
  };
  const auto refused = [&](const char* how, const char* words) {
    expect(how, plan_verdict::terminal, "ObservationRefused", words);
  };
  refused("see-bad-json", "answer(): ");
  refused("see-null", "answer(): expected JSON, found NULL");
  refused("see-encoding", "answer(): expected encoding 1 (JSON), found 42");
  refused("see-ignored", "answer(): ");
  expect("see-silent-error", plan_verdict::terminal, "ObservationFailed", "did not say why");
  expect("see-ok-after-fail", plan_verdict::retry, "Odd", "but fine");
  EXPECT_EQ(rogue.plan("see-null-ctx").verdict, plan_verdict::done);
  EXPECT_EQ(rogue.plan("see-kept").verdict, plan_verdict::done) << "it is dead after observe()";
  EXPECT_EQ(rogue.plan("all-well").verdict, plan_verdict::done);
}

TEST_P(plan_contract, a_failed_plan_says_why) {
  started rogue("rogue", GetParam());
  auto out = rogue.plan("error-with-reason");
  EXPECT_EQ(out.verdict, plan_verdict::retry);
  EXPECT_EQ(out.fail_reason, "DatabaseAway");
  EXPECT_EQ(out.fail_message, "expected an answer, found none");
  out = rogue.plan("terminal-with-reason");
  EXPECT_EQ(out.verdict, plan_verdict::terminal);
  EXPECT_EQ(out.fail_reason, "BadSpec");
  out = rogue.plan("error-without-reason");
  EXPECT_EQ(out.verdict, plan_verdict::retry);
  EXPECT_EQ(out.fail_reason, "PlanFailed");
  EXPECT_THAT(out.fail_message, HasSubstr("status 1 and did not say why"));
  out = rogue.plan("unknown-status");
  EXPECT_EQ(out.verdict, plan_verdict::retry);
  EXPECT_THAT(out.fail_message, HasSubstr("4711"));
  out = rogue.plan("ok-after-fail");
  EXPECT_EQ(out.verdict, plan_verdict::retry);
  EXPECT_EQ(out.fail_reason, "Odd");
}

TEST_P(plan_contract, a_failure_without_a_reason_is_counted) {
  started rogue("rogue", GetParam());
  const auto counted = [before = metric("oarlock_plugin_unexplained_failures_total")] {
    return metric("oarlock_plugin_unexplained_failures_total") - before;
  };
  for (const char* how : {"all-well", "error-with-reason", "ok-after-fail", "see-ok-after-fail"})
    (void)rogue.plan(how);
  EXPECT_EQ(counted(), 0);
  (void)rogue.plan("error-without-reason");
  EXPECT_EQ(counted(), 1);
  (void)rogue.plan("see-silent-error");
  EXPECT_EQ(counted(), 2) << "observe()";
}

TEST_P(plan_contract, steps_are_kept_in_order) {
  started rogue("rogue", GetParam());
  const auto out = rogue.plan("all-steps");
  ASSERT_EQ(out.verdict, plan_verdict::done) << out.fail_message;
  EXPECT_EQ(out.apply_set.size(), 1U);
  EXPECT_EQ(out.steps_before_apply_set, 1U);
  ASSERT_EQ(out.steps.size(), 4U);
  EXPECT_THAT(std::get<controller::create_once>(out.steps[0]).json, HasSubstr("Secret"));
  const auto& patch = std::get<controller::patch_existing>(out.steps[1]);
  EXPECT_FALSE(patch.merge);
  EXPECT_EQ(patch.target.resource.kind, "Pod");
  EXPECT_EQ(patch.target.resource_version, "7");
  const auto& gone = std::get<controller::delete_object>(out.steps[2]);
  EXPECT_EQ(gone.target.name, "old");
  EXPECT_FALSE(gone.grace_seconds);
  EXPECT_EQ(gone.propagation, "Background");
  EXPECT_EQ(std::get<controller::status_swap>(out.steps[3]).resource_version, "12");
}

TEST_P(plan_contract, a_deletion_can_be_finished) {
  started rogue("rogue", GetParam());
  EXPECT_TRUE(rogue.plan("finished", true).finished);
  EXPECT_FALSE(rogue.plan("silent", true).finished);
}

TEST_P(plan_contract, a_call_without_context_is_refused) {
  started rogue("rogue", GetParam());
  EXPECT_EQ(rogue.plan("null-ctx").fail_message,
            "the plugin's plan returned status 3 and did not say why");
}

TEST_P(plan_contract, a_table_that_was_kept_is_dead_outside_of_its_plan) {
  started rogue("rogue", GetParam());
  ASSERT_EQ(rogue.plan("keep-table").verdict, plan_verdict::done);
  ::testing::internal::CaptureStderr();
  rogue.plugin().drain();
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              AllOf(HasSubstr("outside of its call"), HasSubstr("call=apply")));
}

TEST_P(plan_contract, a_call_from_another_thread_is_refused) {
  started rogue("rogue", GetParam());
  const auto out = rogue.plan("other-thread");
  EXPECT_EQ(out.verdict, plan_verdict::done) << out.fail_message;
  EXPECT_TRUE(out.apply_set.empty());
}

TEST_P(plan_contract, a_plan_again_at_once_waits_a_little) {
  started rogue("rogue", GetParam());
  ::testing::internal::CaptureStderr();
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(rogue.plan("requeue-zero").requeue_after, std::chrono::milliseconds(100));
  const auto log = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, AllOf(HasSubstr("plan again at once"), HasSubstr("plugin=zoo asked_ms=0"),
                         HasSubstr("name=requeue-zero")));
  EXPECT_EQ(log.find("at once", log.find("at once") + 1), std::string::npos) << "told once";
}

// In a child it is its own memory.
TEST(error_out, that_was_kept_is_dead_after_its_call) {
  started rogue("rogue", home::core);
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(rogue.plan("late-error").verdict, plan_verdict::done);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              HasSubstr("outside of the call that failed"));
}

// In a child both are gone with their process.
TEST(after_destroy, the_host_of_an_instance_can_be_called_and_does_nothing) {
  {
    started rogue("rogue", home::core);
    ASSERT_EQ(rogue.plan("keep-table").verdict, plan_verdict::done);
  }
  ::testing::internal::CaptureStderr();
  const started next("rogue", home::core, R"({"haunt":1})");
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              AllOf(HasSubstr("plugin calls its host after destroy() plugin=zoo"),
                    HasSubstr("outside of its call"), Not(HasSubstr("the rogue speaks"))));
}

TEST_P(plan_contract, plans_of_many_threads_do_not_mix) {
  started rogue("rogue", GetParam());
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int n = 0; n < 50; ++n) {
        const auto out = rogue.plan(i % 2 == 0 ? "all-well" : "error-with-reason");
        EXPECT_EQ(out.verdict, i % 2 == 0 ? plan_verdict::done : plan_verdict::retry);
        EXPECT_EQ(out.apply_set.size(), i % 2 == 0 ? 2U : 0U);
      }
    });
  }
  for (auto& thread : threads)
    thread.join();
}

TEST_P(plan_contract, a_plugin_that_is_not_running_is_not_called) {
  const folder here;
  auto loaded = load_bytes(here, read_whole(zoo_file("good")), GetParam());
  ASSERT_TRUE(loaded);
  plan_input input;
  input.spec = &(*loaded)->declared().controllers.front();
  input.primary = animal("a");
  auto& reconciler = (*loaded)->reconciler_for("zoo");
  EXPECT_EQ(reconciler.plan(input).fail_reason, "PluginNotRunning");
  ASSERT_TRUE((*loaded)->start());
  EXPECT_EQ(reconciler.plan(input).verdict, plan_verdict::done);
  (*loaded)->drain();
  (*loaded)->stop();
  EXPECT_EQ(reconciler.plan(input).fail_reason, "PluginNotRunning");
}

TEST_P(plan_contract, the_sdk_lets_no_exception_out) {
  started throwing("throwing", GetParam());
  const auto expect = [&](const char* name, plan_verdict verdict, const char* reason,
                          const char* words) {
    SCOPED_TRACE(name);
    const auto out = throwing.plan(name);
    EXPECT_EQ(out.verdict, verdict);
    EXPECT_EQ(out.fail_reason, reason);
    EXPECT_THAT(out.fail_message, HasSubstr(words));
  };
  expect("exception", plan_verdict::terminal, "PluginThrew", "a std::exception");
  expect("number", plan_verdict::terminal, "PluginThrew", "not a std::exception");
  expect("memory", plan_verdict::retry, "OutOfMemory", "no memory");
  expect("retry", plan_verdict::retry, "Later", "not yet");
  expect("terminal", plan_verdict::terminal, "Never", "cannot be");
  expect("refused", plan_verdict::terminal, "PlanRefused", "expected apiVersion");
  const auto copied = throwing.plan("copy");
  ASSERT_EQ(copied.apply_set.size(), 1U);
  EXPECT_THAT(copied.apply_set[0].json, HasSubstr(R"("data":{"a":[1,2.5,null,true]})"));
}

TEST_P(plan_contract, an_exception_that_crosses_is_caught) {
  started raw("raw_throwing", GetParam());
  auto out = raw.plan("long name");
  EXPECT_EQ(out.verdict, plan_verdict::terminal);
  EXPECT_EQ(out.fail_reason, "PluginThrew");
  EXPECT_THAT(out.fail_message, HasSubstr("thrown in plan"));
  EXPECT_THAT(raw.plan("x").fail_message, HasSubstr("not a std::exception"));
  const auto effect = raw.effect("long-name");
  EXPECT_EQ(effect.verdict, plan_verdict::terminal);
  EXPECT_EQ(effect.reason, "PluginThrew");
  EXPECT_THAT(effect.message, HasSubstr("thrown in effect"));
  EXPECT_THAT(raw.effect("x").message, HasSubstr("not a std::exception"));
}

TEST_P(plan_contract, an_effect_of_a_plugin_without_the_slot_is_refused) {
  started rogue("rogue", GetParam());
  const auto out = rogue.effect("promote");
  EXPECT_EQ(out.verdict, plan_verdict::terminal);
  EXPECT_EQ(out.reason, "UnknownEffect");
}

TEST_P(plan_contract, log_records_carry_plugin_and_object) {
  started rogue("rogue", GetParam());
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(rogue.plan("log").verdict, plan_verdict::done);
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("the rogue speaks plugin=zoo replicas=3 "
                             "plugin_plugin=myself bad_key__=line\\u000abreak"));
  EXPECT_THAT(log, HasSubstr("dropped_pairs=8"));
  EXPECT_THAT(log, HasSubstr("no pairs plugin=zoo dropped_pairs=3 controller=zoo "
                             "controllerGroup=example.com controllerKind=Animal namespace=shop "
                             "name=log reconcileID=00000000-0000-4000-8000-000000000000\n"));
  EXPECT_EQ(log.find("no context"), std::string::npos);
}

TEST_P(plan_contract, a_flood_of_log_records_is_cut_off_by_name) {
  plugin::quota_table quotas;
  ASSERT_TRUE(quotas.add("zoo:log-lines-per-second=1"));
  auto settings = zoo_settings();
  settings.quotas = &quotas;
  started rogue("rogue", GetParam(), "{}", settings);
  ::testing::internal::CaptureStderr();
  constexpr int plans = 100;  // of two records each
  for (int i = 0; i < plans; ++i)
    EXPECT_EQ(rogue.plan("log").verdict, plan_verdict::done);
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("plugin is over its quota: log records are dropped plugin=zoo "
                             "quota=log-lines-per-second limit=1"));
  std::size_t kept = 0;
  for (auto at = log.find("no pairs"); at != std::string::npos; at = log.find("no pairs", at + 1))
    ++kept;
  EXPECT_GT(kept, 0U);
  EXPECT_LT(kept, plans);
  EXPECT_THAT(zoo_metrics().serialize(), HasSubstr("oarlock_plugin_over_quota_total{plugin=\"zoo\","
                                                   "quota=\"log-lines-per-second\"}"));
}

}  // namespace
}  // namespace oarlock::abi
