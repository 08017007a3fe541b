#!/usr/bin/env bash
# A training run from `kubectl apply` to a prediction whose answer is checked (make demo-ml): a
# random search of xgboost on breast_cancer, evaluation, gates, a version, a Deployment that
# answers; then a run with a gate that it cannot meet, which ends as Rejected and changes nothing.
#
#   deploy/demo/demo-ml.sh [PRESET]     release (default): build/bin and build/plugins
#
# It starts a Kubernetes of its own in build/demo-ml and takes it down at its end, whatever ends it
# (story.sh). Needs root. KEEP=1 leaves the cluster running; make demo-down takes it down.
set -euo pipefail
readonly inbound_port=9443
story=ml shown=trainingpipelines,models
# shellcheck source=deploy/demo/story.sh
source "$(dirname "${BASH_SOURCE[0]}")/story.sh"

print_plan() {
  cat <<'PLAN'
make demo-ml will
  1. make the trainer's image from wheels of PyPI (the first time: a download of some minutes)
  2. start a single-node Kubernetes of its own in build/demo-ml, and oarlockd beside it
  3. train six models of xgboost at random places of a search space, and tell how far it is
  4. publish the best one, have it served, and check its answers
  5. ask for curves, confusion matrix and logs of that run
  6. run the same with a gate that nothing can meet: Rejected, and the served model is untouched
It takes about two minutes when all is built, and 2 GiB of memory. Ctrl-C is safe at any time: all
of it is taken down then, as at its end.
PLAN
}

start_cluster() {
  step "a Kubernetes with one node, and the trainer's image in it"
  plugins/ml-pipeline/trainer/image.sh "$demo/trainer.tar"
  start_node
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
  run_daemon ml-pipeline --inbound-bind-address="$host:$inbound_port" \
    --inbound-url="https://$host:$inbound_port"
}

fetch_results() {
  step "plugins/ml-pipeline/results.sh breast-cancer"
  rm -rf "$demo/results"
  KUBECTL="$devcluster kubectl --dir $demo/cluster --" \
    plugins/ml-pipeline/results.sh breast-cancer "$demo/results" >"$demo/results.list" ||
    fail "no results"
  sed -n "s|$root/||; /evaluation/p" "$demo/results.list"
  echo "and $(grep -cv /evaluation/ "$demo/results.list") more: logs, numbers, curves of each"
  jq -e '.matrix | flatten | add > 0' "$demo/results/evaluation/confusion.json" >/dev/null ||
    fail "expected a confusion matrix"
}

try_impossible_gate() {
  step "the same with a gate that nothing can meet"
  sed -e 's/^  name: breast-cancer$/  name: impossible/' -e 's/maxTrials: 6/maxTrials: 1/' \
    -e 's/{metric: accuracy, op: ">=", value: 0.9}/{metric: accuracy, op: ">", value: 1}/' \
    plugins/ml-pipeline/samples/trainingpipeline.yaml | kc apply -f -
  follow_run impossible 600 Rejected
  [[ $(ask_model | jq .version) == 1 ]] || fail "expected version 1 to answer still"
}

main() {
  print_plan
  begin images python
  start_cluster
  start_daemon
  step "kubectl apply: a Model and a TrainingPipeline"
  kc apply -f plugins/ml-pipeline/samples
  follow_run breast-cancer 900 Succeeded
  kc get tp,models,pods
  step "the model that is served is asked about two malignant and two benign tumours"
  check_prediction
  [[ $(ask_model | jq .version) == 1 ]] || fail "expected an answer of version 1"
  fetch_results
  try_impossible_gate
  step "done"
}

main
