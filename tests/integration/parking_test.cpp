// Kinds that cannot be watched: the cache says why, leaves the others alone, and comes back by
// itself once somebody has mended it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/io_context.hpp>

#include "core/cache/standalone.hpp"
#include "tests/support/cluster.hpp"

namespace oarlock::testing {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

const kube::resource config_maps{"", "v1", "ConfigMap", "configmaps", true};
const kube::resource tides{"parking.test", "v1", "Tide", "tides", true};
const kube::resource tides_v2{"parking.test", "v2", "Tide", "tides", true};
constexpr const char* ns = "parking";

// Two versions that only a webhook converts, and nobody answers there.
constexpr const char* crd = R"({"apiVersion":"apiextensions.k8s.io/v1",
  "kind":"CustomResourceDefinition","metadata":{"name":"tides.parking.test"},
  "spec":{"group":"parking.test","scope":"Namespaced","names":{"kind":"Tide","plural":"tides",
  "singular":"tide"},"conversion":{"strategy":"Webhook","webhook":{"conversionReviewVersions":
  ["v1"],"clientConfig":{"url":"https://127.0.0.1:1/convert"}}},"versions":[
  {"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object"}}},
  {"name":"v2","served":true,"storage":false,"schema":{"openAPIV3Schema":{"type":"object"}}}]}})";

class parking : public ::testing::Test {
 protected:
  cluster& c = shared_cluster();

  void SetUp() override {
    c.make_namespace(ns);
    c.must({"create", "-f", "-"},
           R"({"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRole","metadata":)"
           R"({"name":"tides"},"rules":[{"apiGroups":["parking.test"],"resources":["tides"],)"
           R"("verbs":["get","list","watch"]}]})");
    c.must({"create", "rolebinding", "tides", "-n", ns, "--clusterrole=tides", "--user=parking"});
    kube::config_sources sources;
    sources.flag_path = c.kubeconfig("parking").string();
    auto opened = cache::standalone::open(io_.get_executor(), sources);
    ASSERT_TRUE(opened) << opened.error().message;
    api_ = std::move(*opened);
  }
  void TearDown() override {
    if (!api_) return;
    bool over = false;
    boost::asio::co_spawn(io_, api_->cache().stop(), [&](std::exception_ptr) { over = true; });
    EXPECT_TRUE(until([&] { return over; }));
  }
  // Runs the loop. `hurry`: ends the waits of who is parked, as the daemon does when it sees the
  // API server again; they would end by themselves after half a minute.
  bool until(const std::function<bool()>& done, bool hurry = false) {
    return eventually(
        [&] {
          if (hurry) api_->cache().wake();
          io_.restart();
          io_.run_for(hurry ? 200ms : 10ms);
          return done();
        },
        60s);
  }
  std::unique_ptr<cache::subscription> watch(const kube::resource& r) {
    return api_->cache().acquire({r, ns, {}}, {}, [](const cache::change&) {});
  }
  static bool is_live(const cache::subscription& s) {
    return s.view().synced() && s.view().trouble().empty();
  }

  boost::asio::io_context io_{1};
  std::unique_ptr<cache::standalone> api_;
};

TEST_F(parking, EndsWhenTheReasonIsGone) {
  const auto maps = watch(config_maps);
  const auto one = watch(tides);
  ASSERT_TRUE(until([&] { return !maps->view().trouble().empty(); }));
  EXPECT_THAT(maps->view().trouble(), HasSubstr("resource \"configmaps\""));
  ASSERT_TRUE(until([&] { return !one->view().trouble().empty(); }));
  EXPECT_THAT(one->view().trouble(), HasSubstr("not found"));
  c.must({"create", "rolebinding", "view", "-n", ns, "--clusterrole=view", "--user=parking"});
  EXPECT_TRUE(until([&] { return is_live(*maps); }, true)) << maps->view().trouble();

  c.must({"apply", "-f", "-"}, crd);
  c.must({"wait", "--for=condition=Established", "crd/tides.parking.test"});
  EXPECT_TRUE(until([&] { return is_live(*one); }, true)) << one->view().trouble();
  c.must({"create", "-n", ns, "-f", "-"},
         R"({"apiVersion":"parking.test/v1","kind":"Tide","metadata":{"name":"low"}})");
  EXPECT_TRUE(until([&] { return one->view().object_count() == 1; }));

  const auto other = watch(tides_v2);
  ASSERT_TRUE(until([&] { return !other->view().trouble().empty(); }));
  EXPECT_FALSE(other->view().synced()) << "the server cannot convert, so it is never ready";
  EXPECT_TRUE(is_live(*one)) << "the version that needs no conversion";
  const auto before = maps->view().object_count();
  c.must({"create", "configmap", "still-seen", "-n", ns});
  EXPECT_TRUE(until([&] { return maps->view().object_count() > before; }));
  c.must({"patch", "crd", "tides.parking.test", "--type=merge", "-p",
          R"({"spec":{"conversion":{"strategy":"None","webhook":null}}})"});
  EXPECT_TRUE(until([&] { return is_live(*other) && other->view().object_count() == 1; }, true))
      << other->view().trouble();
}

}  // namespace
}  // namespace oarlock::testing
