#!/usr/bin/env bash
# Fetches what is worth looking at of a run: learning curves and confusion matrix (JSON and SVG),
# the evaluation, and the logs of all pods, also of those that are gone.
#
#   plugins/ml-pipeline/results.sh PIPELINE [FOLDER] [kubectl's options, such as -n NAMESPACE]
#
# FOLDER: the pipeline's name. A pod mounts the volume read-only and tells it by its log; it is gone
# afterwards. RUN_ID=... takes an earlier run (status.history), IMAGE=... another trainer image,
# KUBECTL another kubectl.
set -euo pipefail

usage() {
  echo "expected: results.sh PIPELINE [FOLDER] [kubectl's options]" >&2
  exit 2
}
[[ $# -ge 1 && $1 != -* ]] || usage
readonly pipeline=$1
shift
folder=$pipeline
if [[ $# -ge 1 && $1 != -* ]]; then
  folder=$1
  shift
fi
readonly folder image=${IMAGE:-oarlock-ml-trainer:0.1.0} pod=$pipeline-results-$$
read -ra kubectl <<<"${KUBECTL:-kubectl}"
kubectl+=("$@")
readonly kubectl

field() { "${kubectl[@]}" get trainingpipeline "$pipeline" -o "jsonpath={$1}"; }

make_pod() { # CLAIM RUN-ID
  "${kubectl[@]}" create -f - <<YAML
apiVersion: v1
kind: Pod
metadata:
  name: $pod
spec:
  restartPolicy: Never
  activeDeadlineSeconds: 300
  automountServiceAccountToken: false
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    seccompProfile: {type: RuntimeDefault}
  containers:
    - name: main
      image: $image
      imagePullPolicy: IfNotPresent
      args: [results]
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      resources:
        requests: {cpu: 10m, memory: 64Mi}
        limits: {memory: 256Mi}
      volumeMounts:
        - {name: runs, mountPath: /ml/run, subPath: runs/$2, readOnly: true}
  volumes:
    - name: runs
      persistentVolumeClaim: {claimName: $1, readOnly: true}
YAML
}

main() {
  local claim run_id
  run_id=${RUN_ID:-$(field .status.runID)}
  claim=$(field .spec.storage.claimName)
  [[ -n $run_id ]] || {
    echo "error: expected the TrainingPipeline $pipeline to have a run, found none yet" >&2
    exit 1
  }
  trap '"${kubectl[@]}" delete pod "$pod" --wait=false --ignore-not-found >/dev/null' EXIT
  make_pod "${claim:-$pipeline-runs}" "$run_id" >/dev/null
  "${kubectl[@]}" wait --for='jsonpath={.status.phase}=Succeeded' "pod/$pod" --timeout=120s \
    >/dev/null || {
    "${kubectl[@]}" get pod "$pod" -o wide >&2
    "${kubectl[@]}" logs "$pod" --tail=5 >&2 || true
    echo "error: the pod that reads the volume did not succeed" >&2
    exit 1
  }
  mkdir -p "$folder"
  "${kubectl[@]}" logs "$pod" | base64 -d | tar -xz -C "$folder"
  find "$folder" -type f | sort
}

main
