// The built-in kinds, as the build made them of the API server's OpenAPI documents.
#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

#include "core/codegen/generate.hpp"
#include "oarlock/k8s/apps/v1.hpp"
#include "oarlock/k8s/autoscaling/v2.hpp"
#include "oarlock/k8s/batch/v1.hpp"
#include "oarlock/k8s/coordination/v1.hpp"
#include "oarlock/k8s/core/v1.hpp"
#include "oarlock/k8s/discovery/v1.hpp"
#include "oarlock/k8s/events/v1.hpp"
#include "oarlock/k8s/networking/v1.hpp"
#include "oarlock/k8s/policy/v1.hpp"
#include "oarlock/k8s/rbac/v1.hpp"

namespace oarlock::codegen {
namespace {

using ::testing::HasSubstr;

template <class Kind>
void comes_back(const std::string& rest) {
  const std::string text = R"({"apiVersion":")" + std::string(Kind::api_version) + R"(","kind":")" +
                           std::string(Kind::kind) + R"(","metadata":{"name":"x"},)" + rest + "}";
  const auto given = sdk::json::parse(text);
  const std::string back = sdk::to_json(sdk::from_json<Kind>(text));
  EXPECT_TRUE(sdk::json::parse(back) == given) << text << "\n" << back;
  // Nothing of it was unknown.
  EXPECT_EQ(sdk::from_json<Kind>(text).unknown.entries().size(), 0U) << text;
}

TEST(builtin_types, of_objects_come_back_as_they_were) {
  namespace k8s = ::oarlock::k8s;
  comes_back<k8s::core::v1::config_map>(R"("data":{"a":"b"},"immutable":true)");
  comes_back<k8s::core::v1::secret>(R"("type":"Opaque","data":{"a":"Yg=="})");
  comes_back<k8s::core::v1::service>(
      R"("spec":{"clusterIPs":["None"],"ports":[{"port":80,"targetPort":"http","protocol":"TCP"},
         {"port":81,"targetPort":8081}],"selector":{"app":"x"}})");
  comes_back<k8s::core::v1::service_account>(R"("automountServiceAccountToken":false)");
  comes_back<k8s::core::v1::persistent_volume_claim>(
      R"("spec":{"accessModes":["ReadWriteOnce"],"storageClassName":"",
         "resources":{"requests":{"storage":"1Gi"}}},"status":{"phase":"Bound"})");
  comes_back<k8s::core::v1::event>(R"("involvedObject":{"kind":"Pod"},"count":3,"reason":"R")");
  comes_back<k8s::events::v1::event>(
      R"("eventTime":"2026-03-01T12:00:00.000000Z","note":"n","series":{"count":2,
         "lastObservedTime":"2026-03-01T12:00:00.000000Z"})");
  comes_back<k8s::apps::v1::stateful_set>(
      R"("spec":{"serviceName":"x","replicas":0,"volumeClaimTemplates":[{"metadata":{"name":"d"},
         "spec":{"accessModes":[]}}],"updateStrategy":{"rollingUpdate":{"partition":1}}})");
  comes_back<k8s::batch::v1::job>(
      R"("spec":{"backoffLimit":0,"template":{"spec":{"restartPolicy":"Never","containers":[
         {"name":"a","env":[{"name":"E","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}}],
          "resources":{"limits":{"cpu":2,"memory":"1Gi"}}}]}}})");
  comes_back<k8s::batch::v1::cron_job>(R"("spec":{"schedule":"* * * * *","jobTemplate":{}})");
  comes_back<k8s::rbac::v1::role>(
      R"("rules":[{"apiGroups":[""],"resources":["pods"],"verbs":[]}])");
  comes_back<k8s::rbac::v1::role_binding>(
      R"("roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"x"},
         "subjects":[{"kind":"User","name":"u"}])");
  comes_back<k8s::policy::v1::pod_disruption_budget>(
      R"("spec":{"maxUnavailable":"25%","selector":{}})");
  comes_back<k8s::networking::v1::network_policy>(
      R"("spec":{"podSelector":{},"policyTypes":["Ingress"],"ingress":[{"from":[{"podSelector":{
         "matchExpressions":[{"key":"a","operator":"In","values":["b"]}]}}]},{}]})");
  comes_back<k8s::discovery::v1::endpoint_slice>(
      R"("addressType":"IPv4","endpoints":[{"addresses":["10.0.0.1"],"conditions":{"ready":true}}],
         "ports":[{"port":80}])");
  comes_back<k8s::coordination::v1::lease>(
      R"("spec":{"holderIdentity":"a","leaseDurationSeconds":15,
         "renewTime":"2026-03-01T12:00:00.000000Z"})");
  comes_back<k8s::autoscaling::v2::horizontal_pod_autoscaler>(
      R"("spec":{"maxReplicas":3,"scaleTargetRef":{"kind":"MyApp","name":"x"}})");
}

TEST(builtin_types, have_fields_that_are_called_as_their_kinds) {
  k8s::core::v1::container_port port;
  port.container_port = 80;
  EXPECT_EQ(sdk::to_json(port), R"({"containerPort":80})");
}

// Objects as a real API server gave them.
template <class Kind>
void file_comes_back(const char* name) {
  std::ifstream in(std::string(OARLOCK_SOURCE_DIR) + "/bench/peers/" + name);
  std::ostringstream text;
  text << in.rdbuf();
  const auto given = sdk::json::parse(text.view());
  ASSERT_TRUE(given.IsObject());
  const std::string back = sdk::to_json(sdk::from_json<Kind>(given));
  EXPECT_TRUE(sdk::json::parse(back) == given) << back;
}
TEST(builtin_types, of_a_server_s_objects_come_back_as_they_were) {
  file_comes_back<k8s::core::v1::pod>("pod.json");
  file_comes_back<k8s::apps::v1::deployment>("deployment.json");
}

TEST(builtin_types, know_how_their_kind_is_called) {
  EXPECT_EQ(k8s::apps::v1::deployment::resource, "deployments.apps");
  EXPECT_EQ(k8s::core::v1::pod::resource, "pods");
  EXPECT_EQ(k8s::networking::v1::network_policy::resource, "networkpolicies.networking.k8s.io");
  EXPECT_EQ(k8s::rbac::v1::role::api_version, "rbac.authorization.k8s.io/v1");
}

TEST(builtin_types, of_a_folder_without_them_say_what_was_expected) {
  const auto made = types_of_openapi("/nowhere", {"apps/v1/Deployment"});
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message,
              HasSubstr("/nowhere/apis__apps__v1_openapi.json: expected an OpenAPI document"));
  const auto unknown =
      types_of_openapi(std::string(OPENAPI_DIR), {"apps/v1/Deployment", "apps/v1/Department"});
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message, HasSubstr("found \"apps/v1/Department\""));
}

}  // namespace
}  // namespace oarlock::codegen
