// Rows V1 to V7, H1, H3, H5 and Q1 of docs/fault-catalogue.md for oarlockd with the plugin myapp:
// what it writes while the gate between it and the API server misbehaves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <csignal>

#include "tests/integration/fault_daemon.hpp"

namespace oarlock::testing {
namespace {

using ::testing::HasSubstr;

// Each write of a life in turn, until a life has no such write: then all were met.
constexpr int writes_at_least = 4;  // a create, an update, and a status after each
constexpr int writes_at_most = 12;

TEST_F(FaultWrites, V2_TheReplyOfEachWriteLostChangesNoCount) {
  start();
  const auto clean = live("clean");
  EXPECT_EQ(clean.child, "+~") << "a create and an update";
  int i = 0;
  for (; i < writes_at_most; ++i) {
    const auto name = fmt::format("lost-{}", i);
    const int rule = gate_.add(nth_write_of(ns, name, i, gate::swallow_reply()));
    const auto lost = live(name);
    if (gate_.hits(rule) == 0) break;
    EXPECT_EQ(lost.child, clean.child) << "write " << i << ::testing::PrintToString(writes(name));
    // An unknown outcome is told in the status before it is cleared up.
    const bool of_child = writes(name).at(i).find("/deployments/") != std::string::npos;
    EXPECT_EQ(lost.app, clean.app + (of_child ? "~" : ""))
        << "write " << i << ::testing::PrintToString(writes(name));
  }
  EXPECT_GE(i, writes_at_least);
  EXPECT_LT(i, writes_at_most);
}

TEST_F(FaultWrites, V1_KilledAfterEachWriteChangesNoCount) {
  start();
  const auto clean = live("clean");
  int i = 0;
  for (; i < writes_at_most; ++i) {
    const auto name = fmt::format("killed-{}", i);
    start();  // the last one may have died with its last write
    auto kill = gate::swallow_reply();
    kill.then = [pid = oarlockd->process().pid()] { ::kill(pid, SIGKILL); };
    const int rule = gate_.add(nth_write_of(ns, name, i, kill));
    const auto killed = live(name);
    if (gate_.hits(rule) == 0) break;
    EXPECT_EQ(killed.child, clean.child) << "write " << i << ::testing::PrintToString(writes(name));
    // "Is being created" need not be said any more by who finds it created.
    EXPECT_LE(killed.app.size(), clean.app.size()) << "write " << i;
  }
  EXPECT_GE(i, writes_at_least);
  EXPECT_LT(i, writes_at_most);
}

TEST_F(FaultWrites, V6_AnOldChildOfANewObjectIsNotAdopted) {
  start();
  apply("web", 2);
  ASSERT_TRUE(converges("web", 2));
  const auto old_app = apps.get({ns, "web"})->meta().uid;
  gate_.set_door(gate_door::closed);
  gate_.cut_all();
  const auto gone = admin.call(
      admin.client().remove(my_apps, ns, "web", {old_app, {}, "Background", std::nullopt}));
  ASSERT_TRUE(gone) << gone.error().message;
  apply("web", 4);
  gate_.set_door(gate_door::open);
  ASSERT_TRUE(eventually(
      [&] {
        return member(apps, "web", "/status/conditions").find("NameTaken") != std::string::npos;
      },
      60s))
      << member(apps, "web", "/status");
  EXPECT_EQ(children.get({ns, "web"})->meta().controller()->uid, old_app);
  EXPECT_EQ(member(children, "web", "/spec/replicas"), "2");
  c.component("resume", "kube-controller-manager");  // it collects the old child
  ASSERT_TRUE(converges("web", 4));
  EXPECT_EQ(children.get({ns, "web"})->meta().controller()->uid, apps.get({ns, "web"})->meta().uid);
}

TEST_F(FaultWrites, V7_AKeyWaitsForItsOwnWritesAndOthersGoOn) {
  gate_.add(no_streaming(deployments_path));  // so that nothing but live events is late
  gate_.add({"GET", deployments_path, "watch=true", "", 0, 0, gate::lag(1500ms)});
  start();
  apply("slow", 0);
  ASSERT_TRUE(eventually([&] { return writes("deployments/slow").size() == 1; }, 60s));
  apply("slow", 1);
  apply("other", 0);
  EXPECT_TRUE(eventually([&] { return member(children, "other", "/spec/replicas") == "0"; }, 60s));
  ASSERT_TRUE(converges("slow", 1));
  EXPECT_EQ(writes("deployments/slow").size(), 2U) << "one create, one update";
  EXPECT_GT(metric(oarlockd->metrics(), "oarlock_stale_cache_skips_total"), 0);
}

// The list of all MyApps as it is now, as a streaming list.
std::string my_apps_now() {
  const auto list = json::parse(shared_cluster().must({"get", "--raw", apps_path + "myapps"}));
  std::string out;
  for (const auto& item : (*list)["items"].GetArray())
    out += event_json("ADDED", json::write(item));
  return out + end_of_list_json(std::string(json::string_at(*list, "/metadata/resourceVersion")));
}

TEST_F(FaultWrites, V3_NothingIsScaledDownOnAnOlderListAfterARestart) {
  start();
  apply("web", 2);
  ASSERT_TRUE(converges("web", 2));
  const auto old_list = my_apps_now();
  apply("web", 5);
  ASSERT_TRUE(converges("web", 5));
  gate_.add(on_streaming(apps_path + "myapps", gate::watch_of(old_list)));
  gate_.forget_requests();
  start();
  ASSERT_TRUE(eventually(
      [&] {
        return metric(oarlockd->metrics(), "controller_runtime_reconcile_time_seconds_count") > 0;
      },
      60s));
  EXPECT_TRUE(writes("deployments").empty()) << ::testing::PrintToString(writes("deployments"));
  gate_.cut_all();
  EXPECT_TRUE(converges("web", 5));
  apply("web", 6);
  EXPECT_TRUE(converges("web", 6));
  EXPECT_EQ(writes("deployments").size(), 1U) << ::testing::PrintToString(writes("deployments"));
}

TEST_F(FaultWrites, V5_AChangeAndItsOppositeThatNobodySawAreNoWrite) {
  const auto hide = [](const std::string& line) {
    const bool hidden = line.find(R"("replicas":5)") != std::string::npos;
    return hidden ? std::vector<std::string>{} : std::vector<std::string>{line};
  };
  gate_.add({"GET", apps_path + "myapps", "watch=true", "", 0, 0, gate::edit(hide)});
  start();
  apply("web", 1);
  ASSERT_TRUE(converges("web", 1));
  gate_.forget_requests();
  apply("web", 5);
  apply("web", 1);
  ASSERT_TRUE(converges("web", 1));
  EXPECT_TRUE(writes("deployments").empty());
  // Swallowed on the way there, seen on the way back.
  apply("web", 5);
  apply("web", 2);
  ASSERT_TRUE(converges("web", 2));
  EXPECT_EQ(writes("deployments").size(), 1U);
}

TEST_F(FaultWrites, H1_RefusedWritesAreTriedAgainAfterAFreshReadAndNotForEver) {
  start();
  apply("web", 1);
  ASSERT_TRUE(converges("web", 1));
  int replicas = 1;
  for (const int code : {409, 403, 422, 429, 500, 503}) {
    const int rule = gate_.add({"WRITE", deployments_path, "/web", "", 0, 2,
                                gate::answer(code, gate::status_body(code, "Because"))});
    gate_.forget_requests();
    apply("web", ++replicas);
    ASSERT_TRUE(converges("web", replicas)) << code;
    EXPECT_EQ(gate_.hits(rule), 2);
    EXPECT_EQ(writes("deployments").size(), 3U) << code;
  }
}

TEST_F(FaultWrites, H3_TheLeaseHasALaneOfItsOwn) {
  start(true);
  const int held = gate_.add({"WRITE", deployments_path, ns, "", 0, 0, gate::hold()});
  constexpr int apps_made = 20;
  for (int i = 0; i < apps_made; ++i)
    apply("a" + std::to_string(i), 0);
  ASSERT_TRUE(eventually([&] { return gate_.hits(held) >= 16; }, 60s)) << "all lanes are held";
  const auto renewals = [&] { return writes("/leases/").size(); };
  const auto before = renewals();
  EXPECT_TRUE(eventually([&] { return renewals() >= before + 2; }, 60s));
  EXPECT_EQ(metric(oarlockd->metrics(), "leader_election_master_status"), 1);
  gate_.remove(held);
  ASSERT_TRUE(eventually(
      [&] {
        gate_.release();
        return children.object_count() == apps_made;
      },
      60s));
}

TEST_F(FaultWrites, H5_AForbiddenWriteShowsInTheStatusAndIsNotRetriedHot) {
  start();
  const auto body = gate::status_body(403, "Forbidden", "deployments.apps is forbidden");
  const int rule = gate_.add({"WRITE", deployments_path, ns, "", 0, 0, gate::answer(403, body)});
  apply("web", 1);
  ASSERT_TRUE(eventually(
      [&] {
        return member(apps, "web", "/status/conditions").find("is forbidden") != std::string::npos;
      },
      60s))
      << oarlockd->process().log();
  const auto waited = [&] {
    std::vector<std::chrono::steady_clock::time_point> times;
    for (const auto& r : gate_.requests()) {
      if (r.is_write() && r.target.find("deployments/web") != std::string::npos)
        times.push_back(r.when);
    }
    return times;
  };
  ASSERT_TRUE(eventually([&] { return waited().size() >= 6; }, 60s));
  const auto times = waited();
  EXPECT_GE(times[5] - times[4], 80ms) << "5 ms, doubled four times";
  gate_.remove(rule);
  EXPECT_TRUE(converges("web", 1));
}

TEST_F(FaultWrites, Q1_ManyChangesOfOneObjectAreFewWrites) {
  start();
  apply("web", 1);
  ASSERT_TRUE(converges("web", 1));
  gate_.forget_requests();
  gate_.add({"WRITE", deployments_path, ns, "", 0, 0, gate::delay(400ms)});
  constexpr int changes = 200;
  for (int i = 2; i <= changes; ++i)
    apply("web", i);
  ASSERT_TRUE(converges("web", changes));
  EXPECT_LT(writes("deployments").size(), changes / 4);
  EXPECT_EQ(metric(oarlockd->metrics(), "workqueue_depth"), 0);
}

}  // namespace
}  // namespace oarlock::testing
