// V1 and V2 of the fault catalogue for every write that myapp makes: the process dies after write
// i, or the answer to write i is lost, for every i; compared with a run in which nothing happens.
#include <gtest/gtest.h>

#include "tests/sim/cluster_run.hpp"

namespace oarlock::sim {
namespace {

using namespace std::chrono_literals;

struct scenario {
  const char* name;
  bool begins_empty;
  std::function<void(cluster_run&)> act;
};

void PrintTo(const scenario& s, std::ostream* out) {
  *out << s.name;
}

const std::vector<scenario> scenarios{
    {"create", true, [](cluster_run& c) { c.create_app("a", {2, "app:1"}); }},
    {"scale", false, [](cluster_run& c) { c.patch_app("a", R"({"spec":{"replicas":5}})"); }},
    {"image", false, [](cluster_run& c) { c.patch_app("a", R"({"spec":{"image":"app:2"}})"); }},
    {"child_deleted", false, [](cluster_run& c) { c.delete_deployment("a"); }},
    {"child_edited", false,
     [](cluster_run& c) { c.patch_deployment("a", R"({"spec":{"replicas":9}})"); }},
    {"status_lost", false,
     [](cluster_run& c) {
       (void)c.net.act("user", "PATCH",
                       "/apis/example.com/v1alpha1/namespaces/default/myapps/a/status",
                       R"({"status":{"phase":"Pending","observedGeneration":0}})",
                       "application/merge-patch+json");
       c.patch_app("a", R"({"metadata":{"labels":{"x":"y"}}})");
     }},
    {"pause", false,
     [](cluster_run& c) {
       c.patch_app("a", R"({"metadata":{"annotations":{"oarlock.dev/paused":"true"}}})");
       c.advance(60s);
       c.patch_app("a", R"({"metadata":{"annotations":{"oarlock.dev/paused":null}}})");
     }},
    {"delete", false, [](cluster_run& c) { c.delete_app("a"); }},
};

enum class accident { none, crash_after, reply_lost, crash_after_effect, effect_reply_lost };

struct outcome {
  std::string end;
  std::map<std::string, int> children;  ///< effective writes to Deployments, by verb
  int status_writes = 0;
  int writes = 0;
  int effects = 0;
  int effect_calls = 0;
  std::vector<std::string> problems;
};

outcome run(const scenario& s, accident what, int which) {
  cluster_run c(myapp_plugin(), 11);
  c.start(0);
  if (!s.begins_empty) c.create_app("a", {2, "app:1"});
  c.advance(5s);
  EXPECT_EQ(c.converge(60s), "");
  c.written = {};
  int count = 0;
  int effects = 0;
  bool lose = false;
  const auto effects_before = c.database.happened;
  c.after_write = [&](std::size_t number) {
    if (count++ != which) return;
    if (what == accident::crash_after) c.crash_soon(number);
    lose = what == accident::reply_lost;
  };
  c.after_effect = [&](std::size_t number) {
    if (effects++ == which && what == accident::crash_after_effect) c.crash_soon(number);
  };
  c.database.lose_answer = [&] { return effects == which && what == accident::effect_reply_lost; };
  // The answer belongs to the write that was just stored.
  c.net.lose_answer = [&] { return std::exchange(lose, false); };
  s.act(c);
  c.advance(10s);
  if (c.at(0) == nullptr) c.start(0);
  c.advance(60s);
  outcome out;
  const auto missing = c.converge(20min);
  if (!missing.empty()) out.problems.push_back(missing);
  const auto settled = c.written.all;
  c.advance(5min);
  if (c.written.all != settled) out.problems.push_back("it goes on writing");
  out.end = c.summary();
  for (const auto& [kind, n] : c.written.effective) {
    if (kind.ends_with("status")) {
      out.status_writes += n;
    } else {
      out.children[kind] += n;
    }
  }
  out.writes = count;
  out.effect_calls = effects;
  out.effects = c.database.happened - effects_before;
  c.end();
  out.problems.insert(out.problems.end(), c.problems.begin(), c.problems.end());
  return out;
}

class every_write : public ::testing::TestWithParam<scenario> {
 protected:
  every_write() { log_configure(log_level::error, log_format::text); }
  ~every_write() override { log_configure(log_level::info, log_format::text); }

  // Writes that changed a Deployment are exactly those of the clean run: an apply that is sent
  // again because its outcome was unknown changes nothing and does not count. Statuses may be one
  // or two more: one says that the outcome is unknown, one that it is known again.
  static void compare(accident what) {
    const auto clean = run(GetParam(), accident::none, 0);
    ASSERT_TRUE(clean.problems.empty()) << clean.problems.front();
    const std::string name = GetParam().name;
    EXPECT_EQ(clean.effects, name == "create" || name == "image" ? 2 : 0);
    const bool of_effects =
        what == accident::crash_after_effect || what == accident::effect_reply_lost;
    for (int i = 0; i < (of_effects ? clean.effect_calls : clean.writes); ++i) {
      const auto found = run(GetParam(), what, i);
      EXPECT_TRUE(found.problems.empty()) << "write " << i << ": " << found.problems.front();
      EXPECT_EQ(found.end, clean.end) << "write " << i;
      EXPECT_EQ(found.children, clean.children) << "write " << i;
      EXPECT_EQ(found.effects, clean.effects) << "each happens once, " << i;
      EXPECT_LE(found.status_writes, clean.status_writes + 2) << "write " << i;
    }
  }
};

TEST_P(every_write, may_be_the_last_of_a_process) {
  compare(accident::crash_after);
}
TEST_P(every_write, may_lose_its_answer) {
  compare(accident::reply_lost);
}

TEST_P(every_write, comes_once_after_an_effect_that_is_the_last_of_a_process) {
  compare(accident::crash_after_effect);
}
TEST_P(every_write, comes_once_after_an_effect_whose_answer_is_lost) {
  compare(accident::effect_reply_lost);
}

INSTANTIATE_TEST_SUITE_P(of, every_write, ::testing::ValuesIn(scenarios),
                         [](const auto& s) { return std::string(s.param.name); });

}  // namespace
}  // namespace oarlock::sim
