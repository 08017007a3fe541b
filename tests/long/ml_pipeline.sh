#!/usr/bin/env bash
# Training runs on a real node: pods that run, the trainer's image, a volume, reports over HTTPS.
# The failure cases that a kubelet alone can show; their names are in
# plugins/ml-pipeline/tests/failure-cases.md.
#
# A Kubernetes of its own in build/demo-ml-test, taken down at its end. Needs root; 77: skipped.
set -euo pipefail
if [[ $(id -u) != 0 ]]; then
  echo "skipped: needs root, for a Kubernetes node"
  exit 77
fi
readonly inbound_port=9443
readonly rounds=4000 # some ten seconds of one core
story=ml-test shown=trainingpipelines,models
# shellcheck source=deploy/demo/story.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../deploy/demo/story.sh"

tp() { field trainingpipeline "$1" "$2"; }
await() { # SECONDS WHAT COMMAND...
  local end=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    ((SECONDS < end)) || fail "$what did not come"
    sleep 0.2
  done
}
is() { [[ $(tp "$1" "$2") == "$3" ]]; } # PIPELINE PATH VALUE
has() { [[ -n $(tp "$1" "$2") ]]; }
expect() { is "$@" || fail "expected $2 of $1 to be $3, found $(tp "$1" "$2")"; }

a_pipeline() { # NAME MORE-SPEC
  kc apply -f - <<YAML
apiVersion: ml.oarlock.dev/v1alpha1
kind: TrainingPipeline
metadata: {name: $1}
spec:
  dataset: {source: builtin, name: breast_cancer}
  storage: {size: 256Mi}
  resources: {cpu: 500m, memory: 256Mi}
  queue: {maxConcurrent: 8}
  retry: {backoffSeconds: 1}
  seed: 7
$2
YAML
}

G2_a_mistake_of_the_user_is_not_tried_again() {
  kc apply -f - <<'YAML'
apiVersion: ml.oarlock.dev/v1alpha1
kind: AlgorithmTemplate
metadata: {name: mistaken}
spec:
  image: oarlock-ml-trainer:0.1.0
  command: [python3, -c, "print('the end of the log'); raise SystemExit(42)"]
YAML
  a_pipeline mistaken '  algorithm: {templateRef: mistaken}'
  await 120 "the end of mistaken" run_has_ended mistaken
  expect mistaken .phase Failed
  expect mistaken .failure.class User
  expect mistaken .failure.exitCode 42
  expect mistaken .failure.logTail "the end of the log"
  [[ -z $(kc get job mistaken-1-trial-0-a2 --ignore-not-found -o name) ]] || fail "tried again"
}

long_training() {
  echo "  algorithm: {name: xgboost}
  params: {rounds: $rounds, maxDepth: 2, subsample: 0.6, colsample: 0.5}
  checkpoint: {every: 50}"
}

# One that nobody disturbs runs beside the one whose pod is deleted.
G5_deleted_half_way_it_ends_with_the_model_of_one_that_was_not() {
  a_pipeline calm "$(long_training)"
  a_pipeline disturbed "$(long_training)"
  local trial='.units[?(@.name=="trial-0")]' pod
  is_half_way() { (($(tp disturbed "$trial.step" | grep . || echo 0) >= 200)); }
  await 180 "step 200 of disturbed" is_half_way
  pod=$(kc get pods -l ml.oarlock.dev/pipeline=disturbed,ml.oarlock.dev/unit=trial-0 -o name)
  kc delete "$pod" --wait=false
  await 180 "the end of disturbed" run_has_ended disturbed
  expect disturbed .phase Succeeded
  expect disturbed "$trial.attempt" 2
  expect disturbed "$trial.infraRetries" 1
  (($(tp disturbed "$trial.firstStep" | grep . || echo 0) >= 50)) ||
    fail "expected the second attempt to go on from a checkpoint"
  await 180 "the end of calm" run_has_ended calm
  expect calm "$trial.attempt" 1
  expect disturbed "$trial.result.digest" "$(tp calm "$trial.result.digest")"
}

G16_below_a_gate_it_is_rejected_and_the_model_is_untouched() {
  kc apply -f - <<'YAML'
apiVersion: ml.oarlock.dev/v1alpha1
kind: Model
metadata: {name: untouched}
spec: {storage: {size: 128Mi}}
YAML
  local before
  before=$(kc get model untouched -o 'jsonpath={.spec}')
  a_pipeline below '  algorithm: {name: logistic}
  publish: {model: untouched}
  evaluation: {gates: [{metric: accuracy, op: ">", value: 1}]}'
  await 120 "the end of below" run_has_ended below
  expect below .phase Rejected
  [[ $(tp below .message) == "accuracy "*", wanted > 1" ]] || fail "found $(tp below .message)"
  [[ $(kc get model untouched -o 'jsonpath={.spec}') == "$before" ]] || fail "the model has changed"
}

main() {
  local host
  begin images python
  plugins/ml-pipeline/trainer/image.sh "$demo/trainer.tar"
  start_node
  "$devcluster" load-image --dir "$demo/cluster" "$demo/trainer.tar"
  kc apply -f plugins/ml-pipeline/crds -f plugins/ml-pipeline/rbac -f deploy/rbac \
    -f deploy/inbound.yaml
  kc wait --for=condition=Established crd/trainingpipelines.ml.oarlock.dev \
    crd/models.ml.oarlock.dev crd/algorithmtemplates.ml.oarlock.dev --timeout=25s
  host=$("$devcluster" status --dir "$demo/cluster" -o json | jq -r .hostAddress)
  run_daemon ml-pipeline --inbound-bind-address="$host:$inbound_port" \
    --inbound-url="https://$host:$inbound_port"
  step G2
  G2_a_mistake_of_the_user_is_not_tried_again
  step G5
  G5_deleted_half_way_it_ends_with_the_model_of_one_that_was_not
  step G16
  G16_below_a_gate_it_is_rejected_and_the_model_is_untouched
  step "all passed"
}

main
