#!/usr/bin/env bash
# Oarlock in the demo cluster, installed by its chart: pods under an enforced pod-security level
# `restricted`, two replicas of which one leads, a take-over when the leader's pod is deleted and
# when its process is killed, with no object missed; helm upgrade, rollback, test; a second runtime
# beside it that leaves nothing behind. While a user edits objects all the time: the next release of
# the daemon rolls out and back, and a plugin moves to the second runtime and back. An uninstall is
# held by an object with a finalizer.
#
# Needs the demo (make demo) and root. Leaves the demo as it was.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
readonly root
cd "$root"
readonly apps=in-cluster # namespace of the objects made here
readonly second=second-runtime
readonly objects=20
readonly version=0.1.0 next_version=0.2.0 # of what is built; the next one is made of it here
work=$(mktemp -d)
readonly work
# shellcheck source=tests/e2e/lib/demo_cluster.sh
source tests/e2e/lib/demo_cluster.sh

helm_run() {
  HELM_CACHE_HOME=$demo/helm/cache HELM_CONFIG_HOME=$demo/helm/config \
    HELM_DATA_HOME=$demo/helm/data build/tools/helm --kubeconfig "$demo/kubeconfig" "$@"
}

cleanup() {
  rm -f "$work"/editing-*
  wait
  install_myapp "$system" oarlock >/dev/null 2>&1 || true
  helm_run uninstall second --namespace "$second" --no-hooks >/dev/null 2>&1 || true
  kc delete clusterrolebinding "$second" --ignore-not-found >/dev/null 2>&1 || true
  kc delete namespace "$second" "$apps" rolled moved --ignore-not-found --wait=false \
    >/dev/null 2>&1 || true
  helm_run upgrade oarlock deploy/chart --namespace "$system" --values "$demo/values.yaml" --wait \
    --timeout 150s >/dev/null 2>&1 || true
  rm -rf "$work"
}

upgrade() { # CHART-OPTION...
  helm_run upgrade oarlock deploy/chart --namespace "$system" --values "$demo/values.yaml" \
    --wait --timeout 150s "$@" >/dev/null
}

holder() { kc get lease oarlock -n "$system" -o 'jsonpath={.spec.holderIdentity}'; }

# The pod that leads: the holder's identity starts with its name.
leader_pod() {
  local identity pod
  identity=$(holder)
  for pod in $(kc get pods -n "$system" -l app.kubernetes.io/name=oarlock -o name); do
    [[ $identity != "${pod#pod/}"* ]] || echo "${pod#pod/}"
  done
}

check_restricted() {
  kc get namespace "$system" -o jsonpath='{.metadata.labels}' |
    grep -q 'pod-security.kubernetes.io/enforce":"restricted' ||
    fail "expected the namespace $system to enforce 'restricted'"
  if kc run root --image=x -n "$system" >/dev/null 2>&1; then
    fail "a pod that is not restricted was let in: a blind test"
  fi
  await 60 2 "ready replicas" kc get deployment oarlock -n "$system" \
    -o 'jsonpath={.status.readyReplicas}'
}

# When the API server was asked to delete a pod, and when the lease was taken, as they wrote it
# down: what kubectl needs to find out is no part of a take-over.
deleted_at() { # POD
  jq -nr --arg pod "$1" 'first(inputs | select(.verb == "delete" and .objectRef.name == $pod
    and .objectRef.resource == "pods") | .requestReceivedTimestamp)' "$demo/cluster/audit.log"
}
acquired_at() { kc get lease oarlock -n "$system" -o 'jsonpath={.spec.acquireTime}'; }
micros() { date -u -d "$1" +%s%6N; } # RFC3339

# A graceful stop gives the lease up: the other leads at once.
check_leader_deleted() {
  local old began taken
  old=$(leader_pod)
  [[ -n $old ]] || fail "no pod of $system holds the lease"
  apply_objects myapp:one
  kc delete pod "$old" -n "$system" --wait=false >/dev/null
  apply_objects myapp:two
  await 60 yes "another leader than $old" another_leader "$old"
  began=$(micros "$(deleted_at "$old")")
  taken=$(micros "$(acquired_at)")
  printf 'deleted: another pod leads after %d ms\n' $(((taken - began) / 1000))
  await 60 "$objects" "Deployments of myapp:two" with_image myapp:two
}

another_leader() { # OLD-POD
  local now
  now=$(leader_pod)
  if [[ -n $now && $now != "$1" ]]; then echo yes; fi
}

# The pids, on this machine, of the daemon in a pod.
processes_of() { # POD
  local uid path
  uid=$(kc get pod "$1" -n "$system" -o 'jsonpath={.metadata.uid}')
  while read -r path; do
    path=${path%/cgroup}
    [[ $(readlink "$path/exe") != */oarlockd ]] || echo "${path#/proc/}"
  done < <(grep -ls "$uid" /proc/[0-9]*/cgroup)
}

transitions() { kc get lease oarlock -n "$system" -o 'jsonpath={.spec.leaseTransitions}'; }

# SIGKILL gives nothing up: somebody leads once the lease has run out.
check_leader_killed() {
  local pod before pids began
  await 60 2 "ready replicas" kc get deployment oarlock -n "$system" \
    -o 'jsonpath={.status.readyReplicas}'
  pod=$(leader_pod)
  before=$(transitions)
  mapfile -t pids < <(processes_of "$pod")
  [[ ${#pids[@]} -gt 0 ]] || fail "no process of $pod found"
  began=${EPOCHREALTIME/./}
  kill -KILL "${pids[@]}"
  apply_objects myapp:three
  await 90 yes "a new term after $before" new_term "$before"
  printf 'killed: a new leader after %d ms (a lease is 15 s)\n' \
    $(((${EPOCHREALTIME/./} - began) / 1000))
  await 60 "$objects" "Deployments of myapp:three" with_image myapp:three
}

new_term() { # TRANSITIONS-BEFORE
  if [[ $(transitions) != "$1" ]]; then echo yes; fi
}

check_helm_test() {
  helm_run test oarlock --namespace "$system" --timeout 60s --logs >"$work/test.log" 2>&1 ||
    fail "helm test: $(tail -n 5 "$work/test.log")"
  grep -q '^runtime-name: oarlock$' "$work/test.log" ||
    fail "helm test: expected the daemon's configuration in its log"
}

log_level() {
  kc get configmap oarlock -n "$system" -o 'jsonpath={.data.config\.yaml}' |
    sed -n 's/^log-level: //p'
}

check_upgrade_and_rollback() {
  local revision
  revision=$(helm_run history oarlock --namespace "$system" -o json | jq '.[-1].revision')
  upgrade --set replicas=2 --set config.log-level=debug
  await 30 debug "log level after the upgrade" log_level
  apply_objects myapp:four
  await 60 "$objects" "Deployments of myapp:four" with_image myapp:four
  helm_run rollback oarlock "$revision" --namespace "$system" --wait --timeout 150s >/dev/null
  await 30 '' "log level after the rollback" log_level
  apply_objects myapp:five
  await 60 "$objects" "Deployments of myapp:five" with_image myapp:five
  # A configuration that the daemon refuses never becomes the one that serves.
  if helm_run upgrade oarlock deploy/chart --namespace "$system" --values "$demo/values.yaml" \
    --set replicas=2 --set config.log-level=nonsense --wait --timeout 15s >/dev/null 2>&1; then
    fail "an upgrade to a configuration that the daemon refuses was called done"
  fi
  apply_objects myapp:six
  await 60 "$objects" "Deployments of myapp:six" with_image myapp:six
  helm_run rollback oarlock --namespace "$system" --wait --timeout 150s >/dev/null
}

# --- the next release of the daemon ---

buildah_here() {
  buildah --root "$work/storage" --runroot "$work/run" --storage-driver vfs "$@"
}

# The demo's image with programs that call themselves the next version, as localhost/oarlock:next.
make_next_image() {
  local container folder
  container=$(buildah_here from --quiet \
    "docker-archive:build/images/archives/oarlock-$(cat "$demo/images/oarlock.tag").tar")
  folder=$(buildah_here mount "$container")
  LC_ALL=C sed -i "s/${version//./[.]}/$next_version/g" "$folder/usr/bin/oarlockd" \
    "$folder/usr/libexec/oarlock/oarlock-plugin-host"
  buildah_here commit --quiet --rm --format docker "$container" localhost/oarlock:next >/dev/null
  buildah_here push --quiet localhost/oarlock:next \
    "docker-archive:$work/next.tar:localhost/oarlock:next"
  build/bin/devcluster load-image --dir "$demo/cluster" "$work/next.tar" >/dev/null 2>&1
}

leader_says() {
  kc exec -n "$system" "$(leader_pod)" -c oarlockd -- /usr/bin/oarlockd --version
}

# All plugins are loaded, and one works under load, on both sides of a rolling upgrade and back.
check_next_release() {
  make_next_image
  begin_edits rolled
  more_edits rolled
  upgrade --set replicas=2 --set image.tag=next
  await 60 "oarlockd $next_version" "the leader's version" leader_says
  more_edits rolled
  upgrade --set replicas=2
  await 60 "oarlockd $version" "the leader's version" leader_says
  more_edits rolled
  end_edits rolled "the next release and back"
  kc delete namespace rolled --wait=false >/dev/null
}

second_release() { # CHART-OPTION...
  helm_run upgrade --install second deploy/chart --namespace "$second" \
    --values "$demo/values.yaml" --set crds.install=false --set fullnameOverride=second \
    --set-json 'metrics.service={"type":"ClusterIP","nodePort":0}' --set-json 'metrics.tls={}' \
    --set-json 'metrics.readers=[]' --set config.runtime-name=second --set replicas=1 "$@" \
    >/dev/null
}

# What the container that pulls has answered, or what the daemon has logged.
# A pod that has not begun has no log, which says nothing of the others.
second_says() { # CONTAINER TEXT
  local said
  said=$(kc logs -n "$second" -l app.kubernetes.io/instance=second -c "$1" --tail=200) || true
  if [[ $said == *"$2"* ]]; then echo yes; fi
}

# A plugin that the pod pulls before the daemon starts: only if the right key has signed it.
check_pulled_plugin() {
  local pinned
  pinned=$(jq -cn --arg image "$(cat "$demo/images/myapp.image")" '[{name: "myapp", $image}]')
  openssl ecparam -name prime256v1 -genkey -noout 2>/dev/null |
    openssl ec -pubout >"$work/other.pub" 2>/dev/null
  second_release --set-json "plugins=$pinned" \
    --set-file pluginImages.rules[0].keys[0]="$work/other.pub"
  await 90 yes "a refusal of the other key's image" second_says pull-myapp SignatureInvalid
  second_release --set-json "plugins=$pinned"
  await 90 yes "the daemon with the plugin" second_says oarlockd '"plugin loaded","plugin":"myapp"'
}

# The same account's name in another namespace, and another daemon that lends it its connection.
check_moved_plugin() {
  begin_edits moved
  more_edits moved
  install_myapp "$second" second
  await 60 yes "the plugin in the second runtime" second_says oarlockd \
    "\"plugin acts as itself\",\"plugin\":\"myapp\",\"account\":\"$second/"
  more_edits moved
  install_myapp "$system" oarlock
  more_edits moved
  end_edits moved "moved to the second runtime and back"
  kc delete namespace moved --wait=false >/dev/null
}

# myapp as a plugin that would have a finalizer on its objects, in an image of its own.
publish_holding() { # IMAGE
  cp -r build/plugins/myapp "$work/holding"
  rm "$work/holding/plugin.yaml"
  jq -c '.spec.controllers[].finalizer = true' build/plugins/myapp/plugin.json \
    >"$work/holding/plugin.json"
  publish_plugin "$work/holding" "$1"
}

# What the value `plugins` brings holds an uninstall, too; the daemon itself does not get to run it.
check_held_uninstall() {
  local image
  image=$(cut -d @ -f 1 "$demo/images/myapp.image"):holding
  publish_holding "$image"
  kc create clusterrolebinding "$second" --clusterrole=oarlock-watch-myapp \
    --serviceaccount="$second:second" >/dev/null
  kc apply -n "$second" -f - >/dev/null <<'YAML'
apiVersion: example.com/v1alpha1
kind: MyApp
metadata: {name: held, finalizers: [oarlock.dev/myapp]}
spec: {replicas: 0, image: "myapp:one"}
YAML
  second_release --set config.namespace="$second" \
    --set-json "plugins=$(jq -cn --arg image "$image" '[{name: "myapp", $image}]')"
  if helm_run uninstall second --namespace "$second" --wait >/dev/null 2>&1; then
    fail "helm uninstall: expected a failure while an object has the finalizer of a plugin"
  fi
  kc logs -n "$second" job/second-uninstall -c held | grep -qF "plugin myapp: 1 objects carry its \
finalizer oarlock.dev/myapp, such as myapps.example.com $second/held" ||
    fail "helm uninstall: expected the log of its job to name the object"
  kc patch myapp held -n "$second" --type=merge -p '{"metadata":{"finalizers":null}}' >/dev/null
}

# Another runtime in the same cluster; its namespace goes away whole.
check_second_runtime() {
  local left
  kc create namespace "$second" >/dev/null
  kc label namespace "$second" pod-security.kubernetes.io/enforce=restricted >/dev/null
  check_pulled_plugin
  second_release --wait --timeout 150s
  await 60 yes "a leader of the second runtime" second_leads
  check_moved_plugin
  check_held_uninstall
  helm_run uninstall second --namespace "$second" --wait >/dev/null
  left=$(kc get clusterroles,clusterrolebindings -l app.kubernetes.io/instance=second -o name)
  kc delete clusterrolebinding "$second" >/dev/null
  [[ -z $left ]] ||
    fail "roles of the second runtime were left behind"
  kc delete namespace "$second" --wait --timeout=90s >/dev/null || fail "a wedged namespace"
}

second_leads() {
  local identity
  identity=$(kc get lease second -n "$second" -o 'jsonpath={.spec.holderIdentity}')
  if [[ $identity == second-* ]]; then echo yes; fi
}

main() {
  trap cleanup EXIT
  trap 'exit 130' INT TERM HUP
  kc create namespace "$apps" >/dev/null
  upgrade --set replicas=2
  check_restricted
  check_helm_test
  check_leader_deleted
  check_leader_killed
  check_upgrade_and_rollback
  api_access
  check_next_release
  check_second_runtime
}

main
