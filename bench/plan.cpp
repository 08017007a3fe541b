// What a plan of myapp costs, C ABI and JSON included: its objects in, its answer as text out.
#include <benchmark/benchmark.h>

#include <string>

#include "oarlock/sdk/testing/bench_host.hpp"

extern "C" const oarlock_plugin* oarlock_plugin_entry_v0(void);

namespace oarlock {
namespace {

using sdk::testing::given;

const std::string myapp = R"({"apiVersion":"example.com/v1alpha1","kind":"MyApp","metadata":{
  "name":"web","namespace":"shop","uid":"6f1ed002-ab5c-4c7f-8bd0-4f7a1a9d1a11","generation":1,
  "resourceVersion":"1234","creationTimestamp":"2026-03-01T11:00:00Z"},
  "spec":{"replicas":3,"image":"myapp:1"},"status":{"phase":"Ready","observedGeneration":1,
  "replicas":3,"readyReplicas":3,"updatedReplicas":3,"conditions":[{"type":"Ready",
  "status":"True","reason":"AllReplicasReady","message":"3 of 3 replicas are ready",
  "lastTransitionTime":"2026-03-01T11:00:00Z","observedGeneration":1}]}})";

std::string deployment(int ready) {
  return R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web",
    "namespace":"shop","uid":"d-1","generation":1,"resourceVersion":"1300",
    "labels":{"app":"web","app.kubernetes.io/managed-by":"oarlock"},
    "annotations":{"deployment.kubernetes.io/revision":"1","oarlock.dev/applied":"0123456789ab"},
    "ownerReferences":[{"apiVersion":"example.com/v1alpha1","kind":"MyApp","name":"web",
    "uid":"6f1ed002-ab5c-4c7f-8bd0-4f7a1a9d1a11","controller":true,"blockOwnerDeletion":true}]},
    "spec":{"replicas":3,"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{
    "labels":{"app":"web","app.kubernetes.io/managed-by":"oarlock"}},"spec":{"containers":[{
    "name":"app","image":"myapp:1","resources":{},"terminationMessagePath":"/dev/termination-log",
    "terminationMessagePolicy":"File","imagePullPolicy":"IfNotPresent","securityContext":{
    "allowPrivilegeEscalation":false}}],"restartPolicy":"Always","dnsPolicy":"ClusterFirst",
    "terminationGracePeriodSeconds":30,"securityContext":{"seccompProfile":{
    "type":"RuntimeDefault"}},"schedulerName":"default-scheduler"}},"strategy":{
    "type":"RollingUpdate","rollingUpdate":{"maxUnavailable":"25%","maxSurge":"25%"}},
    "revisionHistoryLimit":10,"progressDeadlineSeconds":600},"status":{"observedGeneration":1,
    "replicas":3,"updatedReplicas":3,"readyReplicas":)" +
         std::to_string(ready) +
         R"(,"conditions":[{"type":"Available","status":"True","reason":"MinimumReplicasAvailable",
    "message":"Deployment has minimum availability."},{"type":"Progressing","status":"True",
    "reason":"NewReplicaSetAvailable","message":"ReplicaSet web-aa1 has progressed."}]}})";
}

std::string pod(int i) {
  const std::string name = "web-aa1-" + std::to_string(i);
  return R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":")" + name +
         R"(","namespace":"shop","uid":"p","creationTimestamp":"2026-03-01T11:59:00Z",
    "labels":{"app":"web","app.kubernetes.io/managed-by":"oarlock","pod-template-hash":"aa1"},
    "ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web-aa1","uid":"r",
    "controller":true}]},"spec":{"volumes":[{"name":"kube-api-access-x","projected":{"sources":[{
    "serviceAccountToken":{"expirationSeconds":3607,"path":"token"}},{"configMap":{
    "name":"kube-root-ca.crt","items":[{"key":"ca.crt","path":"ca.crt"}]}}],"defaultMode":420}}],
    "containers":[{"name":"app","image":"myapp:1","resources":{},"volumeMounts":[{
    "name":"kube-api-access-x","readOnly":true,
    "mountPath":"/var/run/secrets/kubernetes.io/serviceaccount"}],
    "imagePullPolicy":"IfNotPresent"}],"restartPolicy":"Always","nodeName":"node-1",
    "tolerations":[{"key":"node.kubernetes.io/not-ready","operator":"Exists",
    "effect":"NoExecute","tolerationSeconds":300}]},"status":{"phase":"Running","conditions":[{
    "type":"Initialized","status":"True"},{"type":"Ready","status":"True"}],"podIP":"10.1.2.3",
    "containerStatuses":[{"name":"app","state":{"running":{"startedAt":"2026-03-01T11:59:05Z"}},
    "ready":true,"restartCount":0,"image":"myapp:1","imageID":"sha256:0"}]}})";
}

void plan(benchmark::State& state, int ready, int pods) {
  sdk::testing::bench_host host(*oarlock_plugin_entry_v0());
  given g;
  g.controller = "myapp";
  g.primary = {"myapps.example.com", myapp};
  g.ns = "shop";
  g.name = "web";
  g.owned = {{"deployments.apps", deployment(ready)}};
  for (int i = 0; i < pods; ++i)
    g.watched.push_back({"pods", pod(i)});
  g.now_unix_ms = 1772366400000;
  for (auto _ : state) {
    const auto answer = host.plan(g);
    if (answer.returned != OARLOCK_OK) state.SkipWithError(answer.fail_message.c_str());
  }
}
// All is as wanted; one of three pods is not ready; one of 50.
BENCHMARK_CAPTURE(plan, converged, 3, 3);
BENCHMARK_CAPTURE(plan, unready, 2, 3);
BENCHMARK_CAPTURE(plan, unready_of_50, 2, 50);

}  // namespace
}  // namespace oarlock
