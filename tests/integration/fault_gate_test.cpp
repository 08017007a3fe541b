// The gate itself: each thing that it can do, seen from a plain client before a real API server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/fault_subject.hpp"

namespace oarlock::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class FaultGate : public ::testing::Test {
 protected:
  fault_gate gate_{admin_kubeconfig()};
  fault_subject subject{gate_.kubeconfig()};

  std::string version(std::chrono::milliseconds limit = 30s) {
    return subject.fetch("/version", limit);
  }
  int once(gate_fault what) { return gate_.add({"GET", "/version", "", "", 0, 1, what}); }
};

TEST_F(FaultGate, LetsThroughAndRemembers) {
  EXPECT_THAT(version(), HasSubstr("gitVersion"));
  EXPECT_THAT(version(), HasSubstr("gitVersion"));
  const auto seen = gate_.requests();
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[0].method, "GET");
  EXPECT_EQ(seen[0].target, "/version");
  EXPECT_THAT(seen[0].head, HasSubstr("Host: 127.0.0.1"));
  EXPECT_EQ(gate_.accepted(), 1) << "the connection is kept";
}

TEST_F(FaultGate, CountsItsRules) {
  const int second = gate_.add({"GET", "/version", "", "", 1, 1, gate::answer(200, "mine")});
  EXPECT_THAT(version(), HasSubstr("gitVersion"));
  EXPECT_EQ(version(), "mine");
  EXPECT_THAT(version(), HasSubstr("gitVersion"));
  EXPECT_EQ(gate_.hits(second), 1);
  const int always = gate_.add({"", "/ver", "", "", 0, 0, gate::answer(200, "mine")});
  EXPECT_EQ(version(), "mine");
  EXPECT_EQ(version(), "mine");
  gate_.remove(always);
  EXPECT_THAT(version(), HasSubstr("gitVersion"));
}

TEST_F(FaultGate, CutsAtAnyByteOfTheAnswer) {
  for (const std::size_t n : {0U, 5U, 30U, 100U, 200U, 300U}) {
    once(gate::cut_after(n));
    EXPECT_THAT(version(), StartsWith("!")) << "after " << n;
  }
  EXPECT_THAT(version(), HasSubstr("gitVersion"));
}

TEST_F(FaultGate, ClosesHoldsAndFreezes) {
  once(gate::close());
  EXPECT_THAT(version(), StartsWith("!"));
  const int held = once(gate::hold());
  EXPECT_THAT(version(300ms), StartsWith("!"));
  EXPECT_EQ(gate_.hits(held), 1);
  gate_.freeze(true);
  EXPECT_THAT(version(300ms), StartsWith("!"));
  gate_.freeze(false);
  EXPECT_THAT(version(), HasSubstr("gitVersion"));
  gate_.cut_all();
  EXPECT_TRUE(eventually([&] { return gate_.open() == 0; }, 10s));
  EXPECT_THAT(version(), HasSubstr("gitVersion"));
}

TEST_F(FaultGate, ReleasesWhatItHolds) {
  const int held = once(gate::hold());
  auto answer = std::async(std::launch::async, [&] { return version(); });
  ASSERT_TRUE(eventually([&] { return gate_.hits(held) == 1; }, 10s));
  EXPECT_EQ(answer.wait_for(200ms), std::future_status::timeout);
  // The rule caught it before the gate began to wait, so once may be too early.
  ASSERT_TRUE(eventually(
      [&] {
        gate_.release();
        return answer.wait_for(0ms) == std::future_status::ready;
      },
      10s));
  EXPECT_THAT(answer.get(), HasSubstr("gitVersion"));
}

TEST_F(FaultGate, DelaysAndThrottles) {
  const auto began = std::chrono::steady_clock::now();
  once(gate::delay(300ms));
  EXPECT_THAT(version(), HasSubstr("gitVersion"));
  EXPECT_GE(std::chrono::steady_clock::now() - began, 300ms);
  once(gate::throttle(10));
  EXPECT_THAT(version(500ms), StartsWith("!")) << "some hundred bytes take a minute";
}

TEST_F(FaultGate, SwallowsTheReplyOfAWriteThatWasDone) {
  shared_cluster().make_namespace("gate-swallow");
  gate_.add({"WRITE", maps_path("gate-swallow"), "", "", 0, 1, gate::swallow_reply()});
  const auto done = subject.call(subject.client().create(
      config_maps, "gate-swallow", R"({"metadata":{"name":"made"},"data":{"v":"1"}})"));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, kube::kube_error::unknown_outcome) << done.error().message;
  EXPECT_EQ(shared_cluster().field("configmap", "made", "gate-swallow", ".data.v"), "1");
}

TEST_F(FaultGate, EditsRecordsAndReplaysEvents) {
  shared_cluster().make_namespace("gate-edit");
  put_config_map("gate-edit", "a", "1");
  auto record = gate::edit([](const std::string& line) {
    auto other = line;
    if (const auto at = other.find(R"("v":"1")"); at != std::string::npos) other[at + 5] = '7';
    return std::vector<std::string>{other, other};
  });
  record.record = std::make_shared<std::string>();
  gate_.add(on_streaming(maps_path("gate-edit"), record));
  {
    fault_subject first(gate_.kubeconfig());
    EXPECT_EQ(data_in(first.follow("gate-edit"), "gate-edit", "a"), "7");
  }
  ASSERT_TRUE(eventually([&] { return gate_.open() == 0; }, 10s)) << "then the record is whole";
  EXPECT_THAT(*record.record, HasSubstr(R"("v":"1")"));
  put_config_map("gate-edit", "a", "2");
  gate_.add(on_streaming(maps_path("gate-edit"), gate::watch_of(*record.record)));
  EXPECT_EQ(data_in(subject.follow("gate-edit"), "gate-edit", "a"), "1") << "as it was";
}

TEST_F(FaultGate, ChoosesBySeed) {
  gate_.choose([random = std::make_shared<test::seeded_random>(1)](const gate_request&) {
    return random->chance(0.5) ? std::optional(gate::answer(200, "mine")) : std::nullopt;
  });
  int mine = 0;
  for (int i = 0; i < 40; ++i)
    mine += version() == "mine" ? 1 : 0;
  EXPECT_GT(mine, 5);
  EXPECT_LT(mine, 35);
  gate_.clear();
  EXPECT_THAT(version(), HasSubstr("gitVersion"));
}

}  // namespace
}  // namespace oarlock::testing
