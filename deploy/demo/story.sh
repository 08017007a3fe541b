#!/usr/bin/env bash
# Sourced by demo-ml.sh, demo-mysql.sh and tests/long, after `story` and `shown` are set: a
# Kubernetes of its own in build/demo-$story, and oarlockd beside it; both end with the script,
# whatever ends it. KEEP=1 leaves the cluster running; make demo-down takes it down.
# The script's own argument: a preset, release (default: build/bin and build/plugins) or another.
set -euo pipefail
unset KUBECONFIG
# shellcheck disable=SC2154  # story, shown: of the script that sources this
readonly story shown
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
readonly root preset=${1:-release}
cd "$root"

readonly demo=$root/build/demo-$story
readonly devcluster=${OARLOCK_DEVCLUSTER:-$root/build/bin/devcluster}
daemon_pid=''
built=$root/build
[[ $preset == release ]] || built=$root/build/$preset
readonly built

fail() {
  printf 'demo-%s: error: %s\n' "$story" "$*" >&2
  exit 1
}
step() { printf '\n== [%d s] %s\n' "$SECONDS" "$*"; }
kc() { "$devcluster" kubectl --dir "$demo/cluster" -- --request-timeout=30s "$@"; }
# shellcheck source=deploy/demo/samples.sh
source deploy/demo/samples.sh
check_daemon() { kill -0 "$daemon_pid" 2>/dev/null || fail "oarlockd has ended"; }

clean_up() {
  local status=$?
  trap '' INT TERM
  if [[ $status == 1 && -e $demo/oarlockd.log ]]; then
    kc get "$shown,pods,jobs,pvc" -o wide || true
    tail -n 20 "$demo/oarlockd.log" | cut -c 1-300
  fi
  [[ ${KEEP:-} != 1 ]] || exit "$status"
  [[ -z $daemon_pid ]] || kill "$daemon_pid" 2>/dev/null || true
  "$devcluster" down --dir "$demo/cluster" --purge >/dev/null 2>&1 || true
  exit "$status"
}

# Root, what was built, the packages; from here on the end takes everything down.
begin() { # PACKAGE-GROUP...
  [[ $(id -u) == 0 ]] || fail "expected root, which a Kubernetes node needs: sudo make demo-$story"
  [[ -x $devcluster && -x $built/bin/oarlockd ]] || fail "expected a build: make build"
  tools/deps.sh build node "$@" >/dev/null || fail "packages are missing: tools/deps.sh $*"
  mkdir -p "$demo"
  trap clean_up EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
}

start_node() {
  "$devcluster" up --dir "$demo/cluster" --level node --timeout 5m >"$demo/up.log" 2>&1 ||
    fail "the cluster did not start: $(tail -n 3 "$demo/up.log")"
}

# In the background, with the rights of the user oarlock; COMMAND...: what runs it.
run_daemon() { # PLUGIN FLAGS... [-- COMMAND...]
  local flags=()
  local plugin=$1
  shift
  while [[ $# -gt 0 && $1 != -- ]]; do
    flags+=("$1")
    shift
  done
  [[ $# == 0 ]] || shift
  "$devcluster" kubeconfig --dir "$demo/cluster" --user oarlock >"$demo/oarlock.kubeconfig"
  "$@" "$built/bin/oarlockd" --kubeconfig "$demo/oarlock.kubeconfig" --leader-elect=false \
    --plugin "$built/plugins/$plugin" --metrics-bind-address=127.0.0.1:0 --metrics-secure=false \
    --health-probe-bind-address=127.0.0.1:0 "${flags[@]}" >"$demo/oarlockd.log" 2>&1 &
  daemon_pid=$!
}
