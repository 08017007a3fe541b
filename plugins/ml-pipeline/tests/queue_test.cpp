// Which of the runs in the cache are under way, and which come first.
#include <gtest/gtest.h>

#include "oarlock/sdk/testing/bench_host.hpp"
#include "oarlock/sdk/testing/library.hpp"

namespace ml::testing {
namespace {

namespace kit = oarlock::sdk::testing;

const char* const resource = "trainingpipelines.ml.oarlock.dev";

kit::given_object a_run(const std::string& name, const std::string& spec, const std::string& status,
                        const std::string& metadata = "") {
  return {resource, R"({"apiVersion":"ml.oarlock.dev/v1alpha1","kind":"TrainingPipeline",)"
                    R"("metadata":{"name":")" +
                        name + R"(","namespace":"lab")" + metadata + R"(},"spec":{)" + spec +
                        R"(},"status":{)" + status + "}}"};
}

const std::string at_noon = R"("phase":"Queued","queuedAt":"2026-03-01T12:00:00Z")";

// What "mine" sees: it has the priority 5, and waits since noon.
std::string seen_beside(std::vector<kit::given_object> others,
                        const std::string& status = at_noon) {
  kit::given what;
  what.controller = "training-pipeline";
  what.primary = a_run("mine",
                       R"("priority":5,"dataset":{"source":"builtin","name":"iris"},)"
                       R"("algorithm":{"name":"mlp"},"storage":{"size":"1Gi"})",
                       status);
  what.ns = "lab";
  what.name = "mine";
  others.push_back(what.primary);
  kit::bench_host host(kit::plugin_of(ML_PIPELINE_LIBRARY));
  host.world().cached = std::move(others);
  const auto answer = host.observe(what);
  EXPECT_EQ(answer.returned, OARLOCK_OK) << answer.fail_message;
  return answer.json;
}

std::string view(int running, int ahead) {
  return "{\"running\":" + std::to_string(running) + ",\"ahead\":" + std::to_string(ahead) + "}";
}

TEST(queue, counts_what_is_under_way_and_what_was_let_go) {
  EXPECT_EQ(seen_beside({}), view(0, 0)) << "not itself";
  std::vector<kit::given_object> all;
  for (const char* phase : {"Pending", "Queued", "Preparing", "Training", "Evaluating",
                            "Publishing", "Succeeded", "Failed", "Rejected", "Suspended"}) {
    all.push_back(a_run(phase, "", std::string(R"("phase":")") + phase + '"'));
  }
  EXPECT_EQ(seen_beside(all), view(4, 0));
  EXPECT_EQ(seen_beside({a_run("a", "", at_noon + R"(,"admittedAt":"2026-03-01T12:00:01Z")")}),
            view(1, 0));
  EXPECT_EQ(seen_beside({a_run("a", "", R"("phase":"Training")",
                               R"(,"deletionTimestamp":"2026-03-01T12:00:00Z")")}),
            view(0, 0));
  EXPECT_EQ(seen_beside(all, R"("phase":"Failed")"), view(0, 0))
      << "one that has ended asks nothing";
}

TEST(queue, is_one_of_its_name) {
  const std::string training = R"("phase":"Training")";
  EXPECT_EQ(seen_beside({a_run("a", R"("queue":{"name":"other"})", training),
                         a_run("b", R"("queue":{"name":"default"})", training)}),
            view(1, 0));
}

TEST(queue, goes_by_priority_then_time_then_name) {
  const auto waits = [](const std::string& name, int priority, const std::string& time) {
    return a_run(name, "\"priority\":" + std::to_string(priority),
                 R"("phase":"Queued","queuedAt":"2026-03-01T)" + time + R"(Z")");
  };
  EXPECT_EQ(seen_beside({waits("a", 6, "13:00:00")}), view(0, 1)) << "a higher one, though later";
  EXPECT_EQ(seen_beside({waits("a", 4, "11:00:00")}), view(0, 0)) << "a lower one, though earlier";
  EXPECT_EQ(seen_beside({waits("z", 5, "11:59:59")}), view(0, 1)) << "an earlier one";
  EXPECT_EQ(seen_beside({waits("a", 5, "12:00:01")}), view(0, 0)) << "a later one";
  EXPECT_EQ(seen_beside({waits("a", 5, "12:00:00")}), view(0, 1)) << "of one time, by name";
  EXPECT_EQ(seen_beside({waits("z", 5, "12:00:00")}), view(0, 0)) << "of one time, by name";
}

}  // namespace
}  // namespace ml::testing
