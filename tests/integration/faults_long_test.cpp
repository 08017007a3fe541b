// Rows of docs/fault-catalogue.md that wait for minutes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/fault_subject.hpp"

namespace oarlock::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::UnorderedElementsAre;

// The check looks again after a minute and a half before it believes what it saw.
TEST(FaultLong, V9_AnEventLostForGoodIsRepairedByTheCheck) {
  const std::string ns = "v9";
  shared_cluster().make_namespace(ns);
  put_config_map(ns, "a", "1");
  put_config_map(ns, "b", "1");
  fault_gate gate_(admin_kubeconfig());
  gate_.add(no_streaming(maps_path(ns)));
  const auto lose = [](const std::string& line) {
    const bool lost = line.find(R"("v":"lost")") != std::string::npos ||
                      line.find(R"("type":"DELETED")") != std::string::npos;
    return lost ? std::vector<std::string>{} : std::vector<std::string>{line};
  };
  gate_.add(on_watch(maps_path(ns), gate::edit(lose), 0));
  fault_subject subject(gate_.kubeconfig(), 5s);
  const auto& view = subject.follow(ns);
  put_config_map(ns, "a", "lost");
  shared_cluster().must({"delete", "configmap", "b", "-n", ns});
  put_config_map(ns, "c", "1");
  ASSERT_TRUE(eventually([&] { return data_in(view, ns, "c") == "1"; }, 60s));
  EXPECT_EQ(data_in(view, ns, "a"), "1") << "nobody knows yet";
  EXPECT_TRUE(eventually([&] { return data_in(view, ns, "a") == "lost"; }, 240s));
  EXPECT_EQ(data_in(view, ns, "b"), "-");
  EXPECT_EQ(subject.counted("oarlock_cache_inconsistencies_total"), 2);
  EXPECT_THAT(subject.story(), UnorderedElementsAre("+a", "+b", "+c", "~a", "-b"));
}

}  // namespace
}  // namespace oarlock::testing
