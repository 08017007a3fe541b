// Whole runs in a small world: what they come to, and that no moment at which the daemon dies
// changes it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "oarlock/sdk/testing/library.hpp"
#include "world.hpp"

namespace ml::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

const oarlock_plugin& plugin() {
  return kit::plugin_of(ML_PIPELINE_LIBRARY);
}

const char* const searched = R"({"search":{"strategy":"random","maxTrials":3,"parallel":2,
  "space":{"maxDepth":{"values":[2,3,4]}}},"publish":{"model":"cancer"}})";

world a_world(const std::string& spec, world::script how = all_goes_well) {
  return world(plugin(), a_pipeline(parsed(spec)), std::move(how));
}

job_end fails(std::int32_t code, std::string reason = {}) {
  return {code, std::move(reason), R"({"ok":false,"message":"because"})", false};
}

const json::value* unit(const world& w, std::string_view name) {
  const auto* all = w.status().find("units");
  if (all == nullptr || all->as_array() == nullptr) return nullptr;
  for (const auto& one : *all->as_array()) {
    if (*one.find("name") == json::value(name)) return &one;
  }
  return nullptr;
}

std::string field(const json::value* in, std::string_view name) {
  const auto* found = in == nullptr ? nullptr : in->find(name);
  return found == nullptr ? "" : found->text();
}

TEST(runs, a_search_ends_with_a_version_that_is_served) {
  auto w = a_world(searched);
  ASSERT_TRUE(w.run()) << w.status().text();
  EXPECT_EQ(w.phase(), "Succeeded") << w.status().text();
  EXPECT_EQ(w.created.size(), 6U) << "prepare, three trials, evaluate, publish";
  for (const auto& [name, times] : w.created)
    EXPECT_EQ(times, 1) << name;
  EXPECT_THAT(w.end_state(), HasSubstr(R"("aliases":[{"name":"production","version":1}])"));
  EXPECT_THAT(w.end_state(), HasSubstr(R"("digest":"sha-of-it")"));
  EXPECT_EQ(field(w.status().find("progress"), "percent"), "100");
  EXPECT_EQ(field(w.status().find("model"), "text"), R"("cancer v1")");
  EXPECT_THAT(w.events, Contains("Published"));
}

TEST(runs, never_more_trials_at_once_than_parallel) {
  auto w = a_world(R"({"search":{"strategy":"random","maxTrials":9,"parallel":3,
    "space":{"maxDepth":{"min":1,"max":32,"int":true}}}})");
  for (int i = 0; i < 200 && !w.is_final(); ++i) {
    w.tick();
    int open = 0;
    for (const auto& name : w.names("jobs.batch")) {
      open += w.object("jobs.batch", name)->find("status") == nullptr ? 1 : 0;
    }
    EXPECT_LE(open, 3);
  }
  EXPECT_EQ(w.phase(), "Succeeded");
}

TEST(runs, G1_an_oom_kill_is_retried_with_twice_the_memory_and_said) {
  auto w = a_world("{}", [](const std::string& unit, int attempt) {
    return unit == "trial-0" && attempt == 1 ? fails(137, "OOMKilled")
                                             : all_goes_well(unit, attempt);
  });
  ASSERT_TRUE(w.run());
  EXPECT_EQ(w.phase(), "Succeeded");
  EXPECT_EQ(field(unit(w, "trial-0"), "oomRetries"), "1");
  EXPECT_THAT(w.object("jobs.batch", "cancer-1-trial-0-a2")->text(),
              HasSubstr(R"("memory":"1073741824")"));
  EXPECT_THAT(w.events, Contains("Retrying"));
}

TEST(runs, G1_a_second_oom_kill_ends_it_as_oom) {
  auto w = a_world("{}", [](const std::string& unit, int attempt) {
    return unit == "trial-0" ? fails(137, "OOMKilled") : all_goes_well(unit, attempt);
  });
  ASSERT_TRUE(w.run());
  EXPECT_EQ(w.phase(), "Failed");
  EXPECT_EQ(w.status_text("reason"), "OOM");
}

TEST(runs, G2_a_mistake_of_the_user_is_not_retried) {
  auto w = a_world("{}", [](const std::string& unit, int attempt) {
    return unit == "trial-0" ? fails(42) : all_goes_well(unit, attempt);
  });
  ASSERT_TRUE(w.run());
  EXPECT_EQ(w.phase(), "Failed");
  EXPECT_EQ(w.status_text("reason"), "User");
  EXPECT_EQ(w.created.count("cancer-1-trial-0-a2"), 0U);
}

TEST(runs, G3_a_temporary_fault_is_retried_with_backoff_so_often_and_no_more) {
  auto w = a_world(R"({"retry":{"infra":2,"backoffSeconds":4}})",
                   [](const std::string& unit, int attempt) {
                     return unit == "prepare" ? fails(75) : all_goes_well(unit, attempt);
                   });
  ASSERT_TRUE(w.run());
  EXPECT_EQ(w.phase(), "Failed");
  EXPECT_EQ(w.status_text("reason"), "Infrastructure");
  EXPECT_EQ(w.created.size(), 3U);
}

TEST(runs, G11_bad_data_ends_it_at_once) {
  auto w = a_world("{}", [](const std::string&, int) { return fails(43); });
  ASSERT_TRUE(w.run());
  EXPECT_EQ(w.status_text("reason"), "Dataset");
  EXPECT_EQ(w.created.size(), 1U);
}

TEST(runs, G13_success_without_a_word_is_asked_again_and_then_said) {
  auto w = a_world(R"({"retry":{"infra":1}})", [](const std::string& unit, int attempt) {
    return unit == "trial-0" ? job_end{0, {}, "no JSON", false} : all_goes_well(unit, attempt);
  });
  ASSERT_TRUE(w.run());
  EXPECT_EQ(w.status_text("reason"), "NoResult");
  EXPECT_EQ(w.created.count("cancer-1-trial-0-a2"), 1U);
}

TEST(runs, G16_below_a_gate_it_is_rejected_and_the_model_is_untouched) {
  auto w = a_world(R"({"publish":{"model":"cancer"},"evaluation":{"gates":[
    {"metric":"accuracy","op":">=","value":0.99}]}})");
  const auto before = w.object("models.ml.oarlock.dev", "cancer")->text();
  ASSERT_TRUE(w.run());
  EXPECT_EQ(w.phase(), "Rejected");
  EXPECT_THAT(w.status_text("message"), HasSubstr("accuracy 0.97, wanted >= 0.99"));
  EXPECT_EQ(w.object("models.ml.oarlock.dev", "cancer")->text(), before);
  EXPECT_EQ(w.created.count("cancer-1-publish-a1"), 0U);
}

TEST(runs, G15_the_evaluators_number_counts_not_the_trainers) {
  auto w =
      a_world(R"({"evaluation":{"gates":[{"metric":"accuracy","op":">=","value":0.98}]}})",
              [](const std::string& unit, int attempt) {
                if (unit != "trial-0") return all_goes_well(unit, attempt);
                return job_end{0, {}, R"({"ok":true,"result":{"metrics":{"accuracy":1}}})", false};
              });
  ASSERT_TRUE(w.run());
  EXPECT_EQ(w.phase(), "Rejected");
}

TEST(runs, G18_a_run_beside_another_publication_gets_a_number_of_its_own) {
  auto w = a_world(R"({"publish":{"model":"cancer"}})");
  auto& model = *w.object("models.ml.oarlock.dev", "cancer");
  kit::merge_patch(model, parsed(R"({"spec":{"versions":[
    {"version":1,"pipeline":"other","runID":"other-1"}]}})"));
  ASSERT_TRUE(w.run());
  EXPECT_EQ(field(w.status().find("model"), "version"), "2");
  EXPECT_THAT(w.end_state(), HasSubstr(R"("runID":"other-1")"));
}

TEST(runs, G19_a_version_that_does_not_answer_gives_the_alias_back) {
  auto w = a_world(R"({"publish":{"model":"cancer"}})");
  auto& model = *w.object("models.ml.oarlock.dev", "cancer");
  kit::merge_patch(model, parsed(R"({"spec":{"aliases":[{"name":"production","version":1}],
    "versions":[{"version":1,"digest":"d1","pipeline":"older","runID":"o-1"}]}})"));
  w.model_answers = false;
  ASSERT_TRUE(w.run());
  EXPECT_EQ(w.status_text("reason"), "ServingFailed");
  EXPECT_THAT(w.end_state(), HasSubstr(R"("aliases":[{"name":"production","version":1}])"));
  EXPECT_THAT(w.events, Contains("RolledBack"));
}

TEST(runs, G21_suspended_it_keeps_its_job_without_pods_and_goes_on_after_it) {
  auto w = a_world("{}");
  while (w.names("jobs.batch").size() < 2)
    w.tick();
  w.edit(parsed(R"({"suspend":true})"));
  for (int i = 0; i < 5; ++i)
    w.tick();
  EXPECT_EQ(w.phase(), "Suspended");
  EXPECT_THAT(w.object("jobs.batch", "cancer-1-trial-0-a1")->text(),
              HasSubstr(R"("suspend":true)"));
  w.edit(parsed(R"({"suspend":false})"));
  ASSERT_TRUE(w.run());
  EXPECT_EQ(w.phase(), "Succeeded");
  EXPECT_EQ(w.created["cancer-1-trial-0-a1"], 1);
}

TEST(runs, G22_an_edit_waits_for_the_next_run_and_says_so) {
  auto w = a_world("{}");
  while (w.names("jobs.batch").empty())
    w.tick();
  w.edit(parsed(R"({"params":{"rounds":33}})"));
  w.tick();
  EXPECT_THAT(w.status_text("message"), HasSubstr("for the next run"));
  EXPECT_THAT(w.object("configmaps", "cancer-1")->text(), HasSubstr("rounds\\\":20"));
  ASSERT_TRUE(w.run());
  w.tick();
  EXPECT_FALSE(w.is_final()) << "the next run begins";
  ASSERT_TRUE(w.run());
  EXPECT_EQ(field(&w.status(), "run"), "2");
  EXPECT_THAT(w.object("configmaps", "cancer-2")->text(), HasSubstr("rounds\\\":33"));
  EXPECT_THAT(field(&w.status(), "history"), HasSubstr(R"("phase":"Succeeded")"));
}

TEST(runs, G24_after_its_ttl_the_jobs_go_and_it_stays_what_it_was) {
  auto w = a_world(R"({"ttlSecondsAfterFinished":5})");
  ASSERT_TRUE(w.run());
  const auto jobs = w.created;
  EXPECT_FALSE(w.names("jobs.batch").empty());
  for (int i = 0; i < 20; ++i)
    w.tick();
  EXPECT_TRUE(w.names("jobs.batch").empty());
  EXPECT_EQ(w.phase(), "Succeeded");
  EXPECT_EQ(w.created, jobs) << "nothing is made again";
}

TEST(runs, G25_a_job_that_somebody_deletes_is_made_again_and_a_finished_unit_is_not) {
  auto w = a_world("{}");
  while (w.names("jobs.batch").size() < 2)
    w.tick();
  w.erase("jobs.batch", "cancer-1-trial-0-a1");
  w.erase("pods", "cancer-1-trial-0-a1-pod");
  w.erase("jobs.batch", "cancer-1-prepare-a1");
  ASSERT_TRUE(w.run());
  EXPECT_EQ(w.phase(), "Succeeded");
  EXPECT_EQ(w.created["cancer-1-trial-0-a1"], 2);
  EXPECT_EQ(w.created["cancer-1-prepare-a1"], 1);
}

TEST(runs, G25_a_pod_that_vanishes_with_its_result_is_asked_again) {
  auto w = a_world("{}", [](const std::string& unit, int attempt) {
    auto end = all_goes_well(unit, attempt);
    end.pod_vanishes = unit == "trial-0" && attempt == 1;
    return end;
  });
  ASSERT_TRUE(w.run());
  EXPECT_EQ(w.phase(), "Succeeded");
  EXPECT_EQ(w.created.count("cancer-1-trial-0-a2"), 1U);
}

TEST(runs, G26_two_of_six_may_fail_and_with_the_third_the_others_are_stopped) {
  const auto failing = [](int most) {
    return [most](const std::string& unit, int attempt) {
      const bool bad = unit.starts_with("trial-") && std::stoi(unit.substr(6)) < most;
      return bad ? fails(42) : all_goes_well(unit, attempt);
    };
  };
  const char* const spec = R"({"search":{"strategy":"random","maxTrials":6,"parallel":2,
    "maxFailed":2,"space":{"maxDepth":{"min":1,"max":32,"int":true}}}})";
  auto good = a_world(spec, failing(2));
  ASSERT_TRUE(good.run());
  EXPECT_EQ(good.phase(), "Succeeded");
  auto bad = a_world(spec, failing(3));
  ASSERT_TRUE(bad.run());
  EXPECT_EQ(bad.phase(), "Failed");
  EXPECT_THAT(bad.status_text("message"), HasSubstr("3 of 6 trials failed, 2 may"));
  EXPECT_EQ(field(unit(bad, "trial-5"), "state"), R"("Stopped")");
  bad.tick();
  for (const auto& name : bad.names("jobs.batch"))
    EXPECT_NE(bad.object("jobs.batch", name)->find("status"), nullptr) << name << " runs on";
}

TEST(runs, G29_it_waits_while_as_many_as_may_are_under_way) {
  auto w = a_world(R"({"queue":{"maxConcurrent":2}})");
  w.others_running = 2;
  for (int i = 0; i < 5; ++i)
    w.tick();
  EXPECT_EQ(w.phase(), "Queued");
  EXPECT_THAT(w.status_text("message"), HasSubstr("2 of queue default are under way"));
  w.others_running = 1;
  w.others_ahead = 1;
  w.tick();
  EXPECT_TRUE(w.names("jobs.batch").empty());
  w.others_ahead = 0;
  ASSERT_TRUE(w.run());
  EXPECT_EQ(w.phase(), "Succeeded");
}

TEST(runs, G29_two_that_claim_the_same_place_both_go_back) {
  auto w = a_world(R"({"queue":{"maxConcurrent":1}})");
  w.tick();
  w.tick();  // claims
  ASSERT_NE(w.status().find("admittedAt"), nullptr);
  w.others_running = 1;  // and sees that another one has too
  w.tick();
  EXPECT_EQ(w.phase(), "Queued");
  EXPECT_EQ(w.status().find("admittedAt"), nullptr);
  EXPECT_TRUE(w.names("jobs.batch").empty());
}

// Every write of a run may be the last of a process: nothing is made twice, and the end is that of
// a run that nobody disturbed.
void expect_same_end_at_every_write(const std::string& spec, const world::script& how) {
  auto calm = a_world(spec, how);
  ASSERT_TRUE(calm.run());
  const auto wanted = calm.end_state();
  ASSERT_GT(calm.writes, 5);
  for (int i = 1; i < calm.writes; ++i) {
    auto w = a_world(spec, how);
    w.writes_left = i;
    ASSERT_TRUE(w.run()) << "killed after write " << i;
    EXPECT_EQ(w.end_state(), wanted) << "killed after write " << i;
    for (const auto& [name, times] : w.created)
      EXPECT_EQ(times, 1) << name << ", killed after write " << i;
  }
}

TEST(runs, G7_G17_every_write_may_be_the_last_of_a_process) {
  expect_same_end_at_every_write(searched, all_goes_well);
}

TEST(runs, G7_every_write_may_be_the_last_with_retries) {
  expect_same_end_at_every_write(searched, [](const std::string& unit, int attempt) {
    return attempt == 1 && unit != "trial-1" ? fails(75) : all_goes_well(unit, attempt);
  });
}

TEST(runs, G7_every_write_may_be_the_last_of_a_run_that_fails) {
  expect_same_end_at_every_write(searched, [](const std::string& unit, int attempt) {
    return unit == "trial-2" ? fails(44) : all_goes_well(unit, attempt);
  });
}

TEST(runs, G12_parameters_that_do_not_fit_end_it_before_anything_starts) {
  for (const char* spec :
       {R"({"params":{"trees":5}})", R"({"params":{"rounds":"many"}})",
        R"({"params":{"rounds":0}})", R"({"params":{"rounds":2.5}})",
        R"({"params":{"learningRate":2}})",
        R"({"search":{"strategy":"random","space":{"maxDepth":{"min":0,"max":900}}}})",
        R"({"search":{"strategy":"random","space":{"maxDepth":{"log":true}}}})",
        R"({"search":{"strategy":"random","space":{"maxDepth":{"values":[1],"min":1,"max":2}}}})",
        R"({"search":{"strategy":"random","space":{"maxDepth":{"min":1.2,"max":1.8,"int":true}}}})",
        R"({"search":{"strategy":"grid","maxTrials":5,"space":{"maxDepth":{"values":[1,2,3]},
            "subsample":{"min":0.5,"max":1,"steps":3}}}})"}) {
    auto w = a_world(spec);
    ASSERT_TRUE(w.run(10)) << spec << w.status().text();
    EXPECT_EQ(w.phase(), "Failed") << spec;
    EXPECT_TRUE(w.created.empty()) << spec;
    EXPECT_THAT(w.status_text("message"), HasSubstr("expected")) << spec;
    w.tick();
    EXPECT_EQ(field(&w.status(), "run"), "1") << "no retry storm";
  }
}

TEST(runs, what_is_missing_is_waited_for_and_named) {
  auto w = a_world(R"({"publish":{"model":"cancer"}})");
  w.erase("models.ml.oarlock.dev", "cancer");
  w.tick();
  EXPECT_EQ(w.phase(), "Pending");
  EXPECT_EQ(w.status_text("reason"), "ModelNotFound");
  w.put("models.ml.oarlock.dev", a_model());
  ASSERT_TRUE(w.run());
  EXPECT_EQ(w.phase(), "Succeeded");
}

TEST(runs, G28_the_same_seed_draws_the_same_trials_and_another_one_others) {
  const auto trials = [](const char* seed) {
    auto w = a_world(std::string(R"({"seed":)") + seed + R"(,"search":{"strategy":"random",
      "maxTrials":5,"space":{"subsample":{"min":0.5,"max":1},"learningRate":{"min":0.001,"max":0.3,
      "log":true},"maxDepth":{"min":1,"max":9,"int":true}}}})");
    for (int i = 0; i < 4; ++i)
      w.tick();
    const auto text = w.object("configmaps", "cancer-1")->text();
    return text.substr(text.find("trials"));
  };
  EXPECT_EQ(trials("7"), trials("7"));
  EXPECT_NE(trials("7"), trials("8"));
}

}  // namespace
}  // namespace ml::testing
