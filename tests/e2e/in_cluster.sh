#!/usr/bin/env bash
# Oarlock in the demo cluster, installed by its chart: pods under an enforced pod-security level
# `restricted`, two replicas of which one leads, a take-over when the leader's pod is deleted and
# when its process is killed, with no object missed; helm upgrade, rollback, test; a second runtime
# beside it that leaves nothing behind.
#
# Needs the demo (make demo) and root. Leaves the demo as it was.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
readonly root
cd "$root"
readonly demo=$root/build/demo
readonly system=oarlock-system
readonly apps=in-cluster # namespace of the objects made here
readonly second=second-runtime
readonly objects=20
work=$(mktemp -d)
readonly work

fail() {
  printf 'error: %s\n' "$*" >&2
  kc get pods -n "$system" -o wide >&2 || true
  exit 1
}

kc() { build/bin/kubectl --kubeconfig "$demo/kubeconfig" --request-timeout=30s "$@"; }
helm_run() {
  HELM_CACHE_HOME=$demo/helm/cache HELM_CONFIG_HOME=$demo/helm/config \
    HELM_DATA_HOME=$demo/helm/data build/tools/helm --kubeconfig "$demo/kubeconfig" "$@"
}

# Waits for a command that prints what is expected.
await() { # SECONDS EXPECTED WHAT COMMAND...
  local deadline=$((SECONDS + $1)) expected=$2 what=$3 found=''
  shift 3
  until found=$("$@" 2>/dev/null) && [[ $found == "$expected" ]]; do
    ((SECONDS < deadline)) || fail "$what: expected '$expected', found '$found'"
    sleep 0.2
  done
}

cleanup() {
  helm_run uninstall second --namespace "$second" >/dev/null 2>&1 || true
  kc delete namespace "$second" "$apps" --ignore-not-found --wait=false >/dev/null 2>&1 || true
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

apply_objects() { # IMAGE
  local i
  for ((i = 0; i < objects; i++)); do
    printf -- '---\napiVersion: example.com/v1alpha1\nkind: MyApp\nmetadata: {name: app-%d}\n' "$i"
    printf 'spec: {replicas: 0, image: "%s"}\n' "$1"
  done | kc apply -n "$apps" -f - >/dev/null
}

# How many Deployments have the image: each object was seen.
with_image() { # IMAGE
  kc get deployments -n "$apps" -o 'jsonpath={.items[*].spec.template.spec.containers[0].image}' |
    tr ' ' '\n' | grep -cxF "$1" || true
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

# Another runtime in the same cluster; its namespace goes away whole.
check_second_runtime() {
  local left
  kc create namespace "$second" >/dev/null
  kc label namespace "$second" pod-security.kubernetes.io/enforce=restricted >/dev/null
  check_pulled_plugin
  second_release --wait --timeout 150s
  await 60 yes "a leader of the second runtime" second_leads
  helm_run uninstall second --namespace "$second" --wait >/dev/null
  left=$(kc get clusterroles,clusterrolebindings -l app.kubernetes.io/instance=second -o name)
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
  check_second_runtime
}

main
