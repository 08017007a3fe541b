#!/usr/bin/env bash
# Training runs on a real node: pods that run, the trainer's image, a volume, reports over HTTPS.
# Failure cases as a kubelet shows them, each by the name that it has in
# plugins/ml-pipeline/tests/failure-cases.md. ONLY='G5|G16' runs some of them.
#
# A Kubernetes of its own in build/demo-ml-test, taken down at its end. Needs root; 77: skipped.
# shellcheck disable=SC2317  # tests and conditions are called by their names
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

# What MORE-SPEC does not say itself.
a_pipeline() { # NAME MORE-SPEC
  local rest=''
  [[ $2 == *'dataset: '* ]] || rest+=$'  dataset: {source: builtin, name: breast_cancer}\n'
  [[ $2 == *'retry: '* ]] || rest+=$'  retry: {backoffSeconds: 1}\n'
  kc apply -f - <<YAML
apiVersion: ml.oarlock.dev/v1alpha1
kind: TrainingPipeline
metadata: {name: $1}
spec:
  storage: {size: 256Mi}
  resources: {cpu: 500m, memory: 256Mi}
  queue: {maxConcurrent: 8}
  seed: 7
$rest$2
YAML
}

# An algorithm whose trials run some Python of their own.
a_template() { # NAME PYTHON
  jq -n --arg name "$1" --arg code "$2" '{apiVersion: "ml.oarlock.dev/v1alpha1",
    kind: "AlgorithmTemplate", metadata: {$name}, spec: {image: "oarlock-ml-trainer:0.1.0",
      algorithm: "logistic", command: ["python3", "-c", $code],
      parameters: {maxIter: {type: "integer"}}}}' | kc apply -f -
}

# One that such a trial belongs to, followed to its end.
with_template() { # NAME PHASE PYTHON [MORE-SPEC]
  a_template "$1" "$3"
  a_pipeline "$1" "  algorithm: {templateRef: $1}${4:+$'\n'$4}"
  ends_as "$1" "$2"
}
ends_as() { # PIPELINE PHASE
  await 180 "the end of $1" run_has_ended "$1"
  expect "$1" .phase "$2"
}
failed_by() { expect "$1" .failure.class "$2"; } # PIPELINE CLASS
has_come_to() { (($(tp "$1" "$trial$2" | grep . || echo 0) >= $3)); } # PIPELINE PATH STEP
went_on() { has_come_to "$1" .firstStep 50 || fail "expected $1 to go on from a checkpoint"; }
jobs_of() { kc get jobs -l "ml.oarlock.dev/pipeline=$1" -o name | sed 's/.*\///' | sort | xargs; }
is_training() { [[ -n $(kc get pods -l "ml.oarlock.dev/pipeline=$1,ml.oarlock.dev/unit=trial-0" \
  --field-selector status.phase=Running -o name) ]]; }

readonly trial='.units[?(@.name=="trial-0")]'

G1_out_of_memory_it_is_tried_again_with_twice_the_memory() {
  with_template hungry Succeeded 'import os
waste = b"\1" * (300 << 20)
os.execv("/usr/bin/oarlock-trainer", ["oarlock-trainer", "train"])'
  expect hungry "$trial.attempt" 2
  expect hungry "$trial.oomRetries" 1
}

G2_a_mistake_of_the_user_is_not_tried_again() {
  with_template mistaken Failed 'print("the end of the log"); raise SystemExit(42)'
  failed_by mistaken User
  expect mistaken .failure.exitCode 42
  expect mistaken .failure.logTail "the end of the log"
  [[ $(jobs_of mistaken) != *-trial-0-a2* ]] || fail "tried again"
}

G3_a_temporary_fault_is_tried_again_so_often() {
  with_template faulty Failed 'raise SystemExit(75)' '  retry: {infra: 1, backoffSeconds: 1}'
  failed_by faulty Infrastructure
  expect faulty "$trial.attempt" 2
}

G4_an_image_that_is_not_there_ends_it_with_the_words_of_the_kubelet() {
  a_pipeline imageless '  algorithm: {name: logistic, image: "no-such-image:1"}
  timeouts: {start: 10}'
  ends_as imageless Failed
  failed_by imageless StartDeadline
  [[ $(tp imageless .message) == *no-such-image* ]] || fail "found $(tp imageless .message)"
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
  local pod
  await 180 "step 200 of disturbed" has_come_to disturbed .step 200
  pod=$(kc get pods -l ml.oarlock.dev/pipeline=disturbed,ml.oarlock.dev/unit=trial-0 -o name)
  kc delete "$pod" --wait=false
  ends_as disturbed Succeeded
  expect disturbed "$trial.attempt" 2
  expect disturbed "$trial.infraRetries" 1
  went_on disturbed
  ends_as calm Succeeded
  expect calm "$trial.attempt" 1
  expect disturbed "$trial.result.digest" "$(tp calm "$trial.result.digest")"
}

node_2() { "$devcluster" node --dir "$demo/cluster" "$1" node-2; } # FAULT, or start
# The first node holds the control plane. Where a run begins, its volume keeps it.
trains_on_node_2() { # PIPELINE
  kc uncordon node-2 2>/dev/null || true # is there from the second time on
  "$devcluster" up --dir "$demo/cluster" --nodes 2 >>"$demo/up.log" 2>&1 ||
    fail "node-2 did not start: $(tail -n 3 "$demo/up.log")"
  kc cordon node-1
  a_pipeline "$1" "$(long_training)"
  await 180 "step 200 of $1" has_come_to "$1" .step 200
  kc uncordon node-1
}

# Shut down, and without power. What it finds of its pods when it is back is tried again.
G6_a_node_that_is_rebooted_goes_on_from_the_checkpoint() {
  local fault
  for fault in stop kill; do
    trains_on_node_2 "node-$fault"
    node_2 "$fault"
    node_2 start
    ends_as "node-$fault" Succeeded
    expect "node-$fault" "$trial.attempt" 2
    expect "node-$fault" "$trial.infraRetries" 1
    went_on "node-$fault"
  done
  expect node-kill "$trial.result.digest" "$(tp node-stop "$trial.result.digest")"
  kc cordon node-2
}

# After five minutes Kubernetes evicts by such a taint what was on a node that does not answer.
G6_a_node_that_is_lost_is_told_and_waited_for() {
  local lost
  trains_on_node_2 node-lost
  lost=$(tp node-lost "$trial.podUID")
  node_2 kill
  kc taint nodes node-2 lost=:NoExecute
  await 180 "a word about the pod" is node-lost '.conditions[?(@.type=="Stalled")].reason' PodLost
  expect node-lost .phase Training
  [[ $(jobs_of node-lost) != *-trial-0-a2* ]] || fail "a second pod on the same files"
  node_2 start
  kc taint nodes node-2 lost-
  ends_as node-lost Succeeded
  expect node-lost "$trial.attempt" 1
  [[ $(tp node-lost "$trial.podUID") != "$lost" ]] || fail "expected another pod"
  went_on node-lost
  kc cordon node-2
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

# The pod says that it lives, and makes no step.
G8_no_step_for_too_long_is_a_stall() {
  with_template stuck Failed 'import time
from oarlock_trainer.contract import Work
from oarlock_trainer.progress import Progress
Progress(Work(), 100, heartbeat=1).step(1)
time.sleep(600)' '  timeouts: {stall: 5}
  retry: {stall: 0}'
  failed_by stuck Stall
}

G9_it_succeeds_though_it_never_reports() {
  with_template silent Succeeded 'import os, time
os.environ.pop("OARLOCK_INBOUND_URL")
time.sleep(7)
os.execv("/usr/bin/oarlock-trainer", ["oarlock-trainer", "train"])' '  timeouts: {stall: 5}'
  expect silent "$trial.attempt" 1
}

# A token of nobody, a report that is none, one that is too large, one about somebody else's run.
G10_what_is_forged_is_refused_or_counts_for_nothing() {
  a_pipeline victim '  algorithm: {name: xgboost}
  suspend: true'
  with_template forger Failed 'import json, os, ssl, urllib.error, urllib.request
url, ca = os.environ["OARLOCK_INBOUND_URL"], os.environ["OARLOCK_INBOUND_CA"]
token = open(os.environ["OARLOCK_INBOUND_TOKEN"]).read()
good = json.dumps({"unit": "trial-0", "attempt": 1, "seq": 9, "step": 50, "total": 100}).encode()
def post(url, body, token):
    asked = urllib.request.Request(url, body, {"Authorization": "Bearer " + token}, method="POST")
    try:
        trusted = ssl.create_default_context(cafile=ca)
        return urllib.request.urlopen(asked, timeout=9, context=trusted).status
    except urllib.error.HTTPError as e:
        return e.code
print(post(url, good, "forged"), post(url, b"{}", token), post(url, b" " * 70000, token),
      post(url.replace("/forger/", "/victim/"), good, token))
raise SystemExit(42)'
  expect forger .failure.logTail "401 400 413 204"
  expect victim .progress.step ""
  expect victim .phase Suspended
}

G11_data_of_one_class_ends_it_before_anything_trains() {
  {
    echo width,kind
    seq -f '%g,same' 40
  } >"$demo/one-class.csv"
  kc create configmap one-class --from-file=data.csv="$demo/one-class.csv"
  a_pipeline one-class '  dataset: {source: configMap, name: one-class, path: data.csv,
    target: kind}
  algorithm: {name: logistic}'
  ends_as one-class Failed
  failed_by one-class Dataset
  [[ $(jobs_of one-class) == one-class-1-prepare-a1 ]] || fail "found $(jobs_of one-class)"
}

G12_a_parameter_that_is_unknown_ends_it_before_anything_starts() {
  a_pipeline misspelt '  algorithm: {name: logistic}
  params: {maxItre: 7}'
  ends_as misspelt Failed
  failed_by misspelt User
  [[ $(tp misspelt .message) == *maxItre* ]] || fail "found $(tp misspelt .message)"
  [[ -z $(jobs_of misspelt) ]] || fail "found $(jobs_of misspelt)"
}

G13_exit_0_without_a_result_is_no_success() {
  with_template wordless Failed 'pass' '  retry: {infra: 1, backoffSeconds: 1}'
  failed_by wordless NoResult
  expect wordless "$trial.attempt" 2
}

G14_a_model_that_is_broken_is_refused() {
  with_template broken Failed 'import json, pathlib
from oarlock_trainer.__main__ import main
assert main(["train"]) == 0
result = json.loads(pathlib.Path("/ml/trial/result.json").read_text())
pathlib.Path("/ml/trial/model", result["file"]).write_bytes(b"nonsense")'
  failed_by broken Model
}

G15_what_a_trainer_says_of_itself_counts_for_nothing() {
  with_template liar Rejected 'import json, pathlib
from oarlock_trainer import contract
from oarlock_trainer.__main__ import main
assert main(["train"]) == 0
path = pathlib.Path("/ml/trial/result.json")
lie = json.loads(path.read_text())
lie["metrics"]["accuracy"] = 1.0
path.write_text(json.dumps(lie))
contract.say_last_word(contract.Work(), True, "", lie)' '  params: {maxIter: 1}
  evaluation: {gates: [{metric: accuracy, op: ">=", value: 1}]}'
  expect liar "$trial.result.metrics.accuracy" 1
  [[ $(tp liar .message) == "accuracy 0."*", wanted >= 1" ]] || fail "found $(tp liar .message)"
}

a_model() { # NAME
  kc apply -f - <<YAML
apiVersion: ml.oarlock.dev/v1alpha1
kind: Model
metadata: {name: $1}
spec: {storage: {size: 128Mi}}
YAML
}
# The files of both trials: what was published also says by whom.
models_of() { # PIPELINE
  tp "$1" "$trial.result.digest"
  tp "$1" "${trial/trial-0/trial-1}.result.digest"
}
searching() { # MODEL
  echo "  algorithm: {name: xgboost}
  params: {rounds: 30}
  search: {strategy: random, maxTrials: 2, space: {maxDepth: {values: [2, 3, 4]}}}
  publish: {model: $1}"
}

# SIGKILL as soon as each stage shows; the next daemon goes on with what it finds.
G7_G17_killed_in_each_stage_it_publishes_what_an_undisturbed_run_does() {
  a_model steady
  a_model shaken
  a_pipeline steady "$(searching steady)"
  ends_as steady Succeeded
  a_pipeline shaken "$(searching shaken)"
  local phase='' seen=' ' end=$((SECONDS + 240))
  until run_has_ended shaken; do
    ((SECONDS < end)) || fail "the end of shaken did not come"
    phase=$(tp shaken .phase)
    if [[ -n $phase && $seen != *" $phase "* ]]; then
      seen+="$phase "
      kill -KILL "$daemon_pid"
      wait "$daemon_pid" 2>/dev/null || true
      start_daemon
    fi
    sleep 0.2
  done
  echo "killed in:$seen"
  [[ $seen == *Training*Evaluating*Publishing* ]] || fail "expected each stage to be seen"
  expect shaken .phase Succeeded
  expect shaken .model.version 1
  [[ $(models_of shaken) == "$(models_of steady)" ]] || fail "expected the models of steady"
}

G18_two_publish_at_once_and_both_have_a_version() {
  a_model twins
  a_pipeline twin-a "$(searching twins)"
  a_pipeline twin-b "$(searching twins)"
  ends_as twin-a Succeeded
  ends_as twin-b Succeeded
  [[ $(tp twin-a .model.version)$(tp twin-b .model.version) =~ ^(12|21)$ ]] ||
    fail "expected versions 1 and 2"
  [[ $(kc get model twins -o 'jsonpath={.spec.versions[*].version}' | xargs -n 1 | sort |
    xargs) == "1 2" ]] || fail "expected both in the Model"
}

# Those two.
G28_the_same_seed_trains_the_same_model() {
  [[ $(models_of twin-a) =~ ^[0-9a-f]{64} ]] || fail "found no digest"
  [[ $(models_of twin-a) == "$(models_of twin-b)" ]] || fail "expected the same models"
  expect twin-a .best.params "$(tp twin-b .best.params)"
}

G19_a_version_that_does_not_answer_gives_the_alias_back() {
  local before
  before=$(kc get model twins -o 'jsonpath={.spec.aliases[0].version}')
  kc patch model twins --type=merge -p '{"spec": {"serving": {"alias": "production", "replicas": 1,
    "image": "no-such-image:1", "startSeconds": 10}}}'
  a_pipeline third "$(searching twins)"
  await 180 "the end of third" run_has_ended third
  expect third .reason ServingFailed
  [[ $(kc get model twins -o 'jsonpath={.spec.aliases[0].version}') == "$before" ]] ||
    fail "expected the alias at $before"
}

G20_deleted_meanwhile_it_leaves_nothing() {
  a_pipeline unwanted "$(long_training)"
  await 120 "the training of unwanted" is_training unwanted
  kc delete trainingpipeline unwanted --wait=false
  is_gone() {
    [[ -z $(kc get jobs,pods,configmaps -l ml.oarlock.dev/pipeline=unwanted -o name) &&
      -z $(kc get pvc unwanted-runs --ignore-not-found -o name) ]]
  }
  await 120 "the end of all that was of unwanted" is_gone
}

G22_an_edit_waits_for_the_next_run() {
  a_pipeline edited "$(long_training)"
  await 120 "the training of edited" is_training edited
  kc patch trainingpipeline edited --type=merge -p '{"spec": {"params": {"rounds": 5}}}'
  says_so() { [[ $(tp edited .message) == *"for the next run"* ]]; }
  await 30 "a word about the next run" says_so
  is_second() { [[ $(tp edited .run) == 2 ]] && run_has_ended edited; }
  await 240 "the end of the second run of edited" is_second
  expect edited .phase Succeeded
  expect edited '.history[0].phase' Succeeded
}

G24_after_its_ttl_the_jobs_go_and_it_stays_what_it_was() {
  a_pipeline brief '  algorithm: {name: logistic}
  ttlSecondsAfterFinished: 1'
  ends_as brief Succeeded
  has_no_jobs() { [[ -z $(jobs_of brief) ]]; }
  await 60 "the end of the Jobs of brief" has_no_jobs
  sleep 3
  [[ -z $(jobs_of brief) ]] || fail "made again: $(jobs_of brief)"
  expect brief .phase Succeeded
}

G25_a_job_deleted_by_hand_is_made_again_and_a_finished_one_is_not() {
  a_pipeline handled "$(long_training)"
  await 120 "the training of handled" is_training handled
  kc delete job handled-1-prepare-a1 handled-1-trial-0-a1 --wait=false
  ends_as handled Succeeded
  [[ $(jobs_of handled) != *prepare* ]] || fail "prepared again"
  [[ $(jobs_of handled) == *trial-0* ]] || fail "expected a Job of trial-0"
}

G26_one_trial_may_fail_and_two_may_not() {
  local code='import os
if os.environ["OARLOCK_UNIT"] in ["%s"]: raise SystemExit(42)
os.execv("/usr/bin/oarlock-trainer", ["oarlock-trainer", "train"])'
  local search='  search: {strategy: grid, maxFailed: 1, space: {maxIter: {values: [50, 60, 70]}}}'
  # shellcheck disable=SC2059  # the place in it
  with_template lenient Succeeded "$(printf "$code" 'trial-1')" "$search"
  expect lenient .trials.failed 1
  # shellcheck disable=SC2059
  with_template strict Failed "$(printf "$code" 'trial-0", "trial-1')" "$search"
  [[ $(tp strict .message) == *"2 of 3 trials failed, 1 may"* ]] || fail "$(tp strict .message)"
}

start_daemon() {
  local host
  host=$("$devcluster" status --dir "$demo/cluster" -o json | jq -r .hostAddress)
  run_daemon ml-pipeline --inbound-bind-address="$host:$inbound_port" \
    --inbound-url="https://$host:$inbound_port"
}

main() {
  local test
  begin images python
  plugins/ml-pipeline/trainer/image.sh "$demo/trainer.tar"
  start_node
  "$devcluster" load-image --dir "$demo/cluster" "$demo/trainer.tar"
  kc apply -f plugins/ml-pipeline/crds -f plugins/ml-pipeline/rbac -f deploy/rbac \
    -f deploy/inbound.yaml
  kc wait --for=condition=Established crd/trainingpipelines.ml.oarlock.dev \
    crd/models.ml.oarlock.dev crd/algorithmtemplates.ml.oarlock.dev --timeout=25s
  start_daemon
  for test in $(declare -F | sed -n 's/.* \(G[0-9]*_.*\)/\1/p' | sort -V); do
    [[ $test =~ ^(${ONLY:-G[0-9]+})_ ]] || continue
    step "$test"
    "$test"
  done
  step "all passed"
}

main
