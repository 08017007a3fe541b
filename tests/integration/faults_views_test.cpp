// Rows V4, V6, V8, V14 of docs/fault-catalogue.md for the cache: what it shows when servers lag,
// repeat themselves and reorder. The daemon's rows are in faults_daemon_test.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/fault_subject.hpp"

namespace oarlock::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

class FaultViews : public ::testing::Test {
 protected:
  cluster& c = shared_cluster();
  fault_gate gate_{admin_kubeconfig()};

  // The list as it is now, as an answer and as a streaming list.
  std::string list_now(const std::string& ns) {
    return c.must({"get", "--raw", maps_path(ns) + "?limit=500"});
  }
  static std::string stream_of(const std::string& ns, const std::string& version,
                               const std::string& value) {
    return event_json("ADDED", config_map_json(ns, "a", version, value)) +
           end_of_list_json(version);
  }
  bool shows(const cache::informer& view, const std::string& ns, const std::string& name,
             const std::string& value) {
    return eventually([&] { return data_in(view, ns, name) == value; }, 60s);
  }
};

TEST_F(FaultViews, V4_FailoverToAStalerServerNeverGoesBack) {
  const std::string ns = "v4";
  c.make_namespace(ns);
  put_config_map(ns, "a", "1");
  const auto old_list = list_now(ns);
  fault_subject subject(gate_.kubeconfig());
  const auto& view = subject.follow(ns);
  put_config_map(ns, "a", "2");
  ASSERT_TRUE(shows(view, ns, "a", "2"));
  const auto newest = view.seen_version();
  // The next server is behind: it does not know our position, and offers what it has.
  const auto path = maps_path(ns);
  gate_.add(on_watch(path, gate::answer(410, gate::status_body(410, "Expired"))));
  gate_.add(on_streaming(path, gate::watch_of(stream_of(ns, "1", "1"))));
  gate_.add(on_list(path, gate::answer(200, old_list)));
  gate_.cut_all();
  ASSERT_TRUE(eventually([&] { return subject.failures("stale_list") == 2; }, 60s));
  EXPECT_EQ(data_in(view, ns, "a"), "2");
  EXPECT_EQ(view.seen_version(), newest);
  put_config_map(ns, "a", "3");
  ASSERT_TRUE(shows(view, ns, "a", "3"));
  EXPECT_THAT(subject.story(), ElementsAre("+a", "~a", "~a"));
  EXPECT_EQ(subject.counted("oarlock_cache_rewinds_total"), 0) << "behind is not rewound";
}

TEST_F(FaultViews, V6_ANewObjectOfAnOldNameIsADeleteAndAnAdd) {
  const std::string ns = "v6";
  c.make_namespace(ns);
  put_config_map(ns, "a", "1");
  fault_subject subject(gate_.kubeconfig());
  const auto& view = subject.follow(ns);
  const auto before = view.get({ns, "a"})->meta().uid;
  gate_.set_door(gate_door::closed);
  gate_.cut_all();
  c.must({"delete", "configmap", "a", "-n", ns});
  put_config_map(ns, "a", "2");
  gate_.add(on_watch(maps_path(ns), gate::answer(410, gate::status_body(410, "Expired"))));
  gate_.set_door(gate_door::open);
  ASSERT_TRUE(shows(view, ns, "a", "2"));
  EXPECT_NE(view.get({ns, "a"})->meta().uid, before);
  EXPECT_TRUE(eventually([&] { return subject.story().size() >= 3; }, 10s));
  EXPECT_THAT(subject.story(), ElementsAre("+a", "-a", "+a"));
}

TEST_F(FaultViews, V8_DuplicateReorderedAndReplayedEventsChangeNothing) {
  const std::string ns = "v8";
  c.make_namespace(ns);
  // Each event twice, every two in the wrong order, and the first of all again behind each pair.
  struct memory {
    std::string first, held;
  };
  const auto confuse = [m = std::make_shared<memory>()](const std::string& line) {
    if (m->first.empty()) m->first = line;
    if (m->held.empty()) {
      m->held = line;
      return std::vector<std::string>{};
    }
    return std::vector<std::string>{line, line, std::exchange(m->held, {}), m->first};
  };
  gate_.add(on_watch(maps_path(ns), gate::edit(confuse), 0));
  // The streaming list becomes a live watch on the same connection: leave that to a list by pages.
  gate_.add(no_streaming(maps_path(ns)));
  put_config_map(ns, "a", "0");
  fault_subject subject(gate_.kubeconfig());
  const auto& view = subject.follow(ns);
  for (const auto* value : {"1", "2", "3", "4"})
    put_config_map(ns, "a", value);
  put_config_map(ns, "b", "1");
  c.must({"delete", "configmap", "b", "-n", ns});
  put_config_map(ns, "c", "1");
  put_config_map(ns, "c", "2");
  const auto as_it_is = [&] {
    return data_in(view, ns, "a") == "4" && data_in(view, ns, "b") == "-" &&
           data_in(view, ns, "c") == "2";
  };
  // The last event may be held until another comes.
  int pokes = 0;
  ASSERT_TRUE(eventually(
      [&] {
        if (as_it_is()) return true;
        put_config_map(ns, "poke", std::to_string(++pokes));
        return false;
      },
      60s));
  EXPECT_GT(subject.failures("out_of_order"), 0);
  int depth = 0;
  for (const auto& step : subject.story()) {
    if (step == "+b") EXPECT_EQ(depth++, 0);
    if (step == "-b") EXPECT_EQ(--depth, 0);
  }
  EXPECT_EQ(depth, 0) << "b came and went, or was never seen";
}

const kube::resource buoys{"v14.test", "v1", "Buoy", "buoys", true};
const kube::resource buoys_v2{"v14.test", "v2", "Buoy", "buoys", true};

class FaultKinds : public ::testing::Test {
 protected:
  FaultKinds() { c.make_namespace(ns); }
  ~FaultKinds() override {
    (void)c.kubectl({"delete", "crd", "buoys.v14.test", "--ignore-not-found"});
  }
  // v1 and v2; what is stored and what is served.
  void define(const std::string& stored, bool v1_served) {
    const auto version = [&](const std::string& name, bool served) {
      return R"({"name":")" + name + R"(","served":)" + (served ? "true" : "false") +
             R"(,"storage":)" + (name == stored ? "true" : "false") +
             R"(,"schema":{"openAPIV3Schema":{"type":"object"}}})";
    };
    c.must({"apply", "-f", "-"},
           R"({"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition",)"
           R"("metadata":{"name":"buoys.v14.test"},"spec":{"group":"v14.test",)"
           R"("scope":"Namespaced","names":{"kind":"Buoy","plural":"buoys","singular":"buoy"},)"
           R"("versions":[)" +
               version("v1", v1_served) + "," + version("v2", true) + "]}}");
    c.must({"wait", "--for=condition=Established", "crd/buoys.v14.test"});
  }
  // The API server may need a moment to serve a kind that is established.
  void put(const std::string& version) {
    const auto body =
        R"({"apiVersion":"v14.test/)" + version + R"(","kind":"Buoy","metadata":{"name":"b"}})";
    ASSERT_TRUE(eventually(
        [&] { return c.kubectl({"create", "-n", ns, "-f", "-"}, body).exit_code == 0; }, 60s));
  }
  bool live(const cache::informer& view, std::size_t objects) {
    return eventually(
        [&] {
          subject.wake();
          return view.synced() && view.trouble().empty() && view.object_count() == objects;
        },
        60s);
  }
  bool parked(const cache::informer& view) {
    return eventually([&] { return view.trouble().find("not found") != std::string::npos; }, 60s);
  }

  cluster& c = shared_cluster();
  const std::string ns = "v14-" + std::to_string(++tests_);
  fault_subject subject{admin_kubeconfig()};

 private:
  static inline int tests_ = 0;
};

TEST_F(FaultKinds, V14_AKindThatIsRemovedIsParkedAndComesBackWithoutItsOldObjects) {
  define("v1", true);
  put("v1");
  const auto& view = subject.follow(ns, buoys);
  ASSERT_EQ(view.object_count(), 1U);
  // With a conversion that nobody answers: watches end before the objects are deleted.
  c.must({"patch", "crd", "buoys.v14.test", "--type=merge", "-p",
          R"({"spec":{"conversion":{"strategy":"Webhook","webhook":{"conversionReviewVersions":)"
          R"(["v1"],"clientConfig":{"url":"https://127.0.0.1:1/convert"}}}}})"});
  c.must({"delete", "crd", "buoys.v14.test"});
  ASSERT_TRUE(parked(view)) << view.trouble();
  const auto& maps = subject.follow(ns);
  put_config_map(ns, "a", "1");
  EXPECT_TRUE(eventually([&] { return data_in(maps, ns, "a") == "1"; }, 60s)) << "others go on";
  define("v1", true);
  EXPECT_TRUE(live(view, 0)) << view.trouble() << view.object_count();
  put("v1");
  EXPECT_TRUE(live(view, 1)) << view.trouble() << view.object_count();
}

TEST_F(FaultKinds, V14_AVersionThatIsNoLongerServedIsParkedAndTheOtherGoesOn) {
  define("v1", true);
  put("v1");
  const auto& one = subject.follow(ns, buoys);
  const auto& two = subject.follow(ns, buoys_v2);
  ASSERT_EQ(two.object_count(), 1U);
  define("v2", false);
  ASSERT_TRUE(parked(one)) << one.trouble();
  EXPECT_TRUE(live(two, 1)) << two.trouble();
  c.must({"delete", "buoys.v2.v14.test", "b", "-n", ns});
  EXPECT_TRUE(live(two, 0)) << two.trouble();
  define("v2", true);
  EXPECT_TRUE(live(one, 0)) << one.trouble() << one.object_count();
}

}  // namespace
}  // namespace oarlock::testing
