#include "core/plugin/grants.hpp"

#include <gmock/gmock.h>

namespace oarlock::plugin {
namespace {

using ::testing::ElementsAre;

manifest boats_manifest() {
  manifest m;
  m.name = "boats";
  controller::controller_spec c;
  c.name = "boat";
  c.primary = {"rowing.test", "v1", "Boat", "boats"};
  c.owns = {{"apps", "v1", "Deployment", "deployments"}, {"", "v1", "ConfigMap", "configmaps"}};
  c.watches = {{{"", "v1", "Pod", "pods"}, {}, "app"},
               {{"", "v1", "ConfigMap", "configmaps"}, {}, "app"}};
  m.controllers = {c};
  return m;
}

TEST(grants, name_what_the_manifest_comes_to_once) {
  EXPECT_THAT(
      plugin_grants(boats_manifest()),
      ElementsAre(
          grant{"", "configmaps", true, {"get", "list", "watch", "create", "patch", "delete"}},
          grant{"", "pods", true, {"get", "list", "watch"}},
          grant{"apps", "deployments", true, {"get", "list", "watch", "create", "patch", "delete"}},
          grant{"events.k8s.io", "events", true, {"create", "patch"}},
          grant{"rowing.test", "boats", true, {"get", "list", "watch"}},
          grant{"rowing.test", "boats/finalizers", true, {"update"}},
          grant{"rowing.test", "boats/status", true, {"patch"}}));
}

TEST(grants, of_who_watches_are_reads) {
  EXPECT_THAT(read_grants(boats_manifest()),
              ElementsAre(grant{"", "configmaps", true, {"get", "list", "watch"}},
                          grant{"", "pods", true, {"get", "list", "watch"}},
                          grant{"apps", "deployments", true, {"get", "list", "watch"}},
                          grant{"rowing.test", "boats", true, {"get", "list", "watch"}}));
}

TEST(grants, a_finalizer_is_a_patch_of_the_primary) {
  auto m = boats_manifest();
  m.controllers[0].owns.clear();
  m.controllers[0].watches.clear();
  m.controllers[0].finalizer = true;
  EXPECT_THAT(plugin_grants(m),
              ElementsAre(grant{"events.k8s.io", "events", true, {"create", "patch"}},
                          grant{"rowing.test", "boats", true, {"get", "list", "watch", "patch"}},
                          grant{"rowing.test", "boats/status", true, {"patch"}}));
}

TEST(grants, a_live_read_is_a_get_of_the_plugin_alone) {
  auto m = boats_manifest();
  m.controllers[0].owns.clear();
  m.controllers[0].watches.clear();
  m.controllers[0].reads = {{{"", "v1", "Secret", "secrets"}, {"{name}-root"}}};
  EXPECT_THAT(plugin_grants(m), ::testing::Contains(grant{"", "secrets", true, {"get"}}));
  EXPECT_THAT(read_grants(m),
              ElementsAre(grant{"rowing.test", "boats", true, {"get", "list", "watch"}}));
}

TEST(grants, events_are_a_clusters_right_where_one_primary_has_no_namespace) {
  auto m = boats_manifest();
  m.controllers.push_back(m.controllers[0]);
  m.controllers[1].primary = {"rowing.test", "v1", "Club", "clubs", false};
  for (int turn = 0; turn < 2; ++turn) {
    for (const auto& one : plugin_grants(m)) {
      const bool of_cluster = one.resource == "events" || one.resource.starts_with("clubs");
      EXPECT_EQ(one.namespaced, !of_cluster) << one.resource;
    }
    std::swap(m.controllers[0], m.controllers[1]);
  }
}

}  // namespace
}  // namespace oarlock::plugin
