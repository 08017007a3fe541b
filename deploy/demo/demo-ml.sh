#!/usr/bin/env bash
# A training run from `kubectl apply` to a prediction whose answer is checked (make demo-ml): a
# random search of xgboost on breast_cancer, evaluation, gates, a version, a Deployment that
# answers; then a run with a gate that it cannot meet, which ends as Rejected and changes nothing.
#
#   deploy/demo/demo-ml.sh [PRESET]     release (default): build/bin and build/plugins
#
# It starts a Kubernetes of its own in build/demo-ml and takes it down at its end. Needs root.
# KEEP=1 leaves the cluster running.
set -euo pipefail
unset KUBECONFIG
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
readonly root preset=${1:-release}
cd "$root"

readonly demo=$root/build/demo-ml
readonly devcluster=${OARLOCK_DEVCLUSTER:-$root/build/bin/devcluster}
readonly inbound_port=9443
daemon_pid=''
built=$root/build
[[ $preset == release ]] || built=$root/build/$preset
readonly built

fail() {
  printf 'demo-ml: error: %s\n' "$*" >&2
  exit 1
}
step() { printf '\n== [%d s] %s\n' "$SECONDS" "$*"; }
kc() { "$devcluster" kubectl --dir "$demo/cluster" -- --request-timeout=30s "$@"; }
field() { kc get trainingpipeline "$1" -o "jsonpath={.status$2}"; }

clean_up() {
  local status=$?
  if [[ $status != 0 && -e $demo/oarlockd.log ]]; then
    kc get tp,models,jobs,pods,pvc -o wide || true
    tail -n 20 "$demo/oarlockd.log" | cut -c 1-300
  fi
  [[ ${KEEP:-} != 1 ]] || exit "$status"
  [[ -z $daemon_pid ]] || kill "$daemon_pid" 2>/dev/null || true
  "$devcluster" down --dir "$demo/cluster" --purge >/dev/null 2>&1 || true
  exit "$status"
}

start_cluster() {
  step "a Kubernetes with one node"
  "$devcluster" up --dir "$demo/cluster" --level node --timeout 5m >"$demo/up.log" 2>&1 ||
    fail "the cluster did not start: $(tail -n 3 "$demo/up.log")"
  plugins/ml-pipeline/trainer/image.sh "$demo/trainer.tar"
  "$devcluster" load-image --dir "$demo/cluster" "$demo/trainer.tar"
  kc apply -f plugins/ml-pipeline/crds -f plugins/ml-pipeline/rbac -f deploy/rbac \
    -f deploy/inbound.yaml
  kc wait --for=condition=Established crd/trainingpipelines.ml.oarlock.dev \
    crd/models.ml.oarlock.dev crd/algorithmtemplates.ml.oarlock.dev --timeout=60s
}

start_daemon() {
  local host
  step "oarlockd with the plugin ml-pipeline, which the pods that train report to"
  host=$("$devcluster" status --dir "$demo/cluster" -o json | jq -r .hostAddress)
  "$devcluster" kubeconfig --dir "$demo/cluster" --user oarlock >"$demo/oarlock.kubeconfig"
  "$built/bin/oarlockd" --kubeconfig "$demo/oarlock.kubeconfig" --leader-elect=false \
    --plugin "$built/plugins/ml-pipeline" --inbound-bind-address="$host:$inbound_port" \
    --inbound-url="https://$host:$inbound_port" --metrics-bind-address=127.0.0.1:0 \
    --metrics-secure=false --health-probe-bind-address=127.0.0.1:0 >"$demo/oarlockd.log" 2>&1 &
  daemon_pid=$!
}

# Follows a run to its end, a line for each change.
follow() { # NAME SECONDS
  local line='' next end=$((SECONDS + $2)) phase=''
  until [[ $phase =~ ^(Succeeded|Failed|Rejected)$ ]]; do
    ((SECONDS < end)) || fail "$1 did not end within $2 s: $(field "$1" .message)"
    kill -0 "$daemon_pid" 2>/dev/null || fail "oarlockd has ended"
    next=$(kc get trainingpipeline "$1" --no-headers | sed 's/  *[^ ]*$//')
    [[ $next == "$line" ]] || printf '%4d s  %s\n' "$SECONDS" "$next"
    line=$next
    phase=$(field "$1" .phase)
    sleep 1
  done
  printf '%4d s  %s: %s\n' "$SECONDS" "$phase" "$(field "$1" .message)"
}

ask() {
  local services=/api/v1/namespaces/default/services
  kc create --raw "$services/breast-cancer-serving:http/proxy/predict" \
    -f deploy/demo/breast-cancer-rows.json
}

check_prediction() {
  step "the model that is served is asked about two malignant and two benign tumours"
  local answer
  answer=$(ask) || fail "the model does not answer"
  echo "$answer"
  [[ $(jq -c .predictions <<<"$answer") == '["malignant","malignant","benign","benign"]' ]] ||
    fail "expected malignant, malignant, benign, benign"
  [[ $(jq .version <<<"$answer") == 1 ]] || fail "expected an answer of version 1"
}

try_impossible_gate() {
  step "the same with a gate that nothing can meet"
  sed -e 's/^  name: breast-cancer$/  name: impossible/' -e 's/maxTrials: 6/maxTrials: 1/' \
    -e 's/{metric: accuracy, op: ">=", value: 0.9}/{metric: accuracy, op: ">", value: 1}/' \
    plugins/ml-pipeline/samples/trainingpipeline.yaml | kc apply -f -
  follow impossible 600
  [[ $(field impossible .phase) == Rejected ]] || fail "expected Rejected"
  [[ $(ask | jq .version) == 1 ]] || fail "expected version 1 to answer still"
}

main() {
  [[ $(id -u) == 0 ]] || fail "expected root, which a Kubernetes node needs: sudo make demo-ml"
  [[ -x $devcluster && -x $built/bin/oarlockd ]] || fail "expected a build: make build"
  mkdir -p "$demo"
  trap clean_up EXIT
  start_cluster
  start_daemon
  step "kubectl apply: a Model and a TrainingPipeline"
  kc apply -f plugins/ml-pipeline/samples
  follow breast-cancer 900
  [[ $(field breast-cancer .phase) == Succeeded ]] || fail "expected Succeeded"
  kc get tp,models,pods
  check_prediction
  try_impossible_gate
  step "done"
}

main
