#!/usr/bin/env bash
# The demo: a real Kubernetes on this machine, the daemon with its plugins, a sample followed to
# Ready.
#
#   deploy/demo/demo.sh up      (make demo)       safe to repeat, safe to interrupt
#   deploy/demo/demo.sh down    (make demo-down)  PURGE=1: also everything that was built
#
# It only ever talks to the cluster in build/demo/cluster, which it starts itself: KUBECONFIG and
# the kubeconfig of the user's home are never read.
set -euo pipefail
unset KUBECONFIG
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
readonly root
cd "$root"
# shellcheck source=tools/jobs.sh
source tools/jobs.sh

readonly demo=$root/build/demo
readonly cluster=$demo/cluster
readonly logs=$demo/logs
readonly kubeconfig=$demo/kubeconfig
readonly daemon_kubeconfig=$demo/oarlock.kubeconfig
readonly daemon_log=$demo/oarlockd.log
readonly daemon_state=$demo/oarlockd.state # pid, start time, fingerprint of what it runs
readonly devcluster=$root/build/bin/devcluster
readonly plugins=(myapp)

# Nothing here may go through a proxy or write into the user's home.
export NO_PROXY="${NO_PROXY:+$NO_PROXY,}127.0.0.1,localhost,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16"
export no_proxy=$NO_PROXY
export KUBECACHEDIR=$demo/kubectl-cache

step() { printf '\n== [%s] %s\n' "$(clock_of $SECONDS)" "$*"; }
kc() { "$root/build/bin/kubectl" --kubeconfig "$kubeconfig" --request-timeout=20s "$@" 9>&-; }
fetch() { curl --noproxy '*' -fsS --max-time 2 "$@"; }

# One demo at a time per checkout. The lock is on this script: it exists before build/ and outlives
# it. File 9 must not leak into anything that stays behind.
take_lock() {
  exec 9<"$root/deploy/demo/demo.sh"
  flock -n 9 && return 0
  note "another make demo or make demo-down runs in this checkout; waiting up to $1 s"
  flock -w "$1" 9 || fail "it still runs. Wait for it or interrupt it, then try again."
}

need_root() {
  [[ $(id -u) == 0 ]] || fail "the demo starts a Kubernetes node (namespaces, mounts, iptables):
  expected root, found user $(id -un). Run it as root: sudo make $1
  Without root there are: make check, make test-api."
}

# --- the daemon ---

# When the process started, in clock ticks since boot: with the pid it names one process for good.
start_time() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20; }

state_of() { sed -n "s/^$1=//p" "$daemon_state" 2>/dev/null || true; }

# "pid start-time" of every daemon of this demo, also of one that an interrupted start did not
# record: it is known by its command line, which names this demo's kubeconfig.
daemon_processes() {
  local path pid start arguments
  for path in /proc/[0-9]*; do
    arguments=()
    { mapfile -d '' -t arguments <"$path/cmdline"; } 2>/dev/null || continue
    [[ ${arguments[0]:-} == */oarlockd ]] || continue
    [[ " ${arguments[*]} " == *" $daemon_kubeconfig "* ]] || continue
    pid=${path#/proc/}
    start=$(start_time "$pid") || continue
    echo "$pid $start"
  done
}

is_process() { [[ -n $2 && $(start_time "$1") == "$2" ]]; }

stop_daemon() {
  local pid start i
  while read -r pid start; do
    note "stopping oarlockd (pid $pid)"
    kill -TERM "$pid" 2>/dev/null || true
    for ((i = 0; i < 200; i++)); do
      is_process "$pid" "$start" || break
      sleep 0.1
    done
    if is_process "$pid" "$start"; then
      note "it did not end within 20 s: killing it"
      kill -KILL "$pid" 2>/dev/null || true
    fi
  done < <(daemon_processes)
  rm -f "$daemon_state"
}

port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Remembered from the last run if still free, else the next free ones.
choose_ports() {
  local port found=()
  # shellcheck source=/dev/null
  [[ ! -r $demo/ports ]] || source "$demo/ports"
  if [[ -n ${metrics_port:-} && -n ${probe_port:-} ]] &&
    port_is_free "$metrics_port" && port_is_free "$probe_port"; then
    return
  fi
  for ((port = 18080; port < 18580 && ${#found[@]} < 2; port++)); do
    ! port_is_free "$port" || found+=("$port")
  done
  [[ ${#found[@]} == 2 ]] || fail "no two free TCP ports between 18080 and 18580 on 127.0.0.1"
  metrics_port=${found[0]}
  probe_port=${found[1]}
  printf 'metrics_port=%s\nprobe_port=%s\n' "$metrics_port" "$probe_port" >"$demo/ports"
}

# What a running daemon must have been started with to be kept: binaries, manifests, cluster.
fingerprint() {
  local name
  {
    cat "$root/build/bin/oarlockd"
    grep -E 'server|certificate-authority' "$daemon_kubeconfig"
    for name in "${plugins[@]}"; do
      find "$root/build/plugins/$name" -maxdepth 1 -type f -print0 | sort -z | xargs -0 cat
    done
  } | sha256sum | cut -d ' ' -f 1
}

is_ready() {
  [[ -n ${probe_port:-} ]] && fetch "http://127.0.0.1:$probe_port/readyz" >/dev/null 2>&1
}

daemon_runs_this_build() {
  local pid start
  pid=$(state_of pid)
  start=$(state_of start)
  # shellcheck source=/dev/null
  [[ ! -r $demo/ports ]] || source "$demo/ports"
  [[ -n $pid ]] && is_process "$pid" "$start" && [[ $(state_of fingerprint) == "$1" ]] && is_ready
}

launch_daemon() {
  local name arguments=()
  for name in "${plugins[@]}"; do
    arguments+=(--plugin "$root/build/plugins/$name")
  done
  [[ ! -e $daemon_log ]] || mv "$daemon_log" "$daemon_log.1"
  setsid "$root/build/bin/oarlockd" --kubeconfig "$daemon_kubeconfig" "${arguments[@]}" \
    --metrics-bind-address "127.0.0.1:$metrics_port" --metrics-secure=false \
    --health-probe-bind-address "127.0.0.1:$probe_port" --log-format json \
    >"$daemon_log" 2>&1 </dev/null 9>&- &
  daemon_pid=$!
  disown "$daemon_pid"
  printf 'pid=%s\nstart=%s\nfingerprint=%s\n' "$daemon_pid" "$(start_time "$daemon_pid")" "$1" \
    >"$daemon_state"
}

show_daemon_log() {
  printf 'the end of %s:\n' "$daemon_log" >&2
  tail -n 25 "$daemon_log" | cut -c 1-300 | sed 's/^/     | /' >&2
}

await_ready() {
  local deadline=$((SECONDS + 60)) shown=$SECONDS
  until is_ready; do
    if ! kill -0 "$daemon_pid" 2>/dev/null; then
      show_daemon_log
      fail "oarlockd ended before it was ready"
    fi
    if ((SECONDS > deadline)); then
      show_daemon_log
      fail "oarlockd was not ready within 60 s: http://127.0.0.1:$probe_port/readyz"
    fi
    if ((SECONDS >= shown + 3)); then
      shown=$SECONDS
      note "waiting for /readyz of oarlockd (pid $daemon_pid)"
    fi
    sleep 0.1
  done
}

start_daemon() {
  local print
  (umask 077 && "$devcluster" kubeconfig --dir "$cluster" --user oarlock \
    >"$daemon_kubeconfig.new" 9>&-)
  mv "$daemon_kubeconfig.new" "$daemon_kubeconfig"
  print=$(fingerprint)
  if daemon_runs_this_build "$print"; then
    note "oarlockd runs already (pid $(state_of pid)) with these binaries"
  else
    stop_daemon
    choose_ports
    launch_daemon "$print"
    await_ready
    note "oarlockd is ready (pid $daemon_pid), log: ${daemon_log#"$root"/}"
  fi
  echo "http://127.0.0.1:$metrics_port/metrics" >"$demo/metrics-url"
}

# --- the steps of up ---

print_plan() {
  local packages built=no
  packages=$(tools/deps.sh --list)
  [[ ! -x $devcluster || ! -x build/bin/oarlockd ]] || built=yes
  cat <<PLAN
make demo will
  1. install Debian packages: ${packages:-none, all are there}
  2. build the daemon and its plugins (C++) and a Kubernetes (Go) into build/
  3. start a single-node Kubernetes of its own in build/demo/cluster, in namespaces of its own
  4. start oarlockd with: ${plugins[*]}
  5. apply a sample MyApp and follow it until it is Ready
It takes under a minute when all is built$([[ $built == yes ]] ||
    echo " (it is not: 10 to 15 minutes on two cores)").
Ctrl-C is safe at any time; run it again to go on. make demo-down takes everything down again.
PLAN
}

install_packages() {
  job_start packages "$logs/deps.log" tools/deps.sh
  jobs_wait 2400 || fail "packages could not be installed"
}

build_all() {
  job_start devcluster "$logs/build-devcluster.log" tools/build.sh --job devcluster
  job_start c++ "$logs/build-c++.log" tools/build.sh --job products
  jobs_wait 3600 || fail "the build failed"
}

start_cluster() {
  job_start cluster "$logs/cluster.log" "$devcluster" up --dir "$cluster" --level node \
    --kubeconfig "$kubeconfig"
  jobs_wait 300 || fail "the cluster did not start"
  note "node: $(kc get nodes --no-headers | tr -s ' ')"
}

# The sample program under the name that readers of its YAML have always used.
load_image() { # NAME
  local file=$demo/images/${1//[:\/]/-}.tar
  {
    "$devcluster" build-image --binary "$devcluster.d/myapp-sample" --name "$1" \
      --env "VERSION=${1#*:}" --out "$file" &&
      "$devcluster" load-image --dir "$cluster" "$file"
  } >>"$logs/images.log" 2>&1 9>&- || fail "the image $1 could not be loaded: see $logs/images.log"
}

apply_definitions() {
  local name folder
  kc apply -f deploy/rbac/oarlock.yaml
  for name in "${plugins[@]}"; do
    folder=build/plugins/$name
    kc apply -f "$folder/crds"
    kc wait --for=condition=Established --timeout=30s -f "$folder/crds"
    [[ ! -d $folder/rbac ]] || kc apply -f "$folder/rbac"
  done
}

# "generation|observed|Ready|phase|ready|wanted" of the sample.
sample_state() {
  local s=.status
  kc get myapp myapp-sample -o "jsonpath={.metadata.generation}|{$s.observedGeneration}|{$s\
.conditions[?(@.type==\"Ready\")].status}|{$s.phase}|{$s.readyReplicas}|{.spec.replicas}{\"\\n\"}"
}

follow_sample() {
  local deadline=$((SECONDS + 180)) shown=-9 last='' line
  local generation='' observed='' is_ready='' phase='' ready='' wanted=''
  note "$(kc apply -f plugins/myapp/samples/myapp.yaml)"
  while true; do
    IFS='|' read -r generation observed is_ready phase ready wanted < <(sample_state) || true
    line="${phase:-no status yet}, ${ready:-0} of ${wanted:-?} replicas ready"
    if [[ $line != "$last" ]] || ((SECONDS >= shown + 5)); then
      note "myapp-sample: $line"
      last=$line
      shown=$SECONDS
    fi
    [[ $is_ready != True || $observed != "$generation" ]] || break
    if ((SECONDS > deadline)); then
      kc describe myapp myapp-sample >&2 || true
      show_daemon_log
      fail "myapp-sample was not Ready within 180 s"
    fi
    sleep 0.5
  done
  note "myapp-sample is Ready"
}

print_next() {
  cat <<NEXT

== [$(clock_of $SECONDS)] The demo runs. Try next:

  export KUBECONFIG=\$PWD/build/demo/kubeconfig PATH=\$PWD/build/bin:\$PATH
  kubectl get myapp,deployments,pods
  kubectl scale myapp myapp-sample --replicas=5
  kubectl patch myapp myapp-sample --type=merge -p '{"spec":{"image":"myapp:v2"}}'
  kubectl delete deployment myapp-sample          # it comes back
  kubectl describe myapp myapp-sample             # conditions and events
  kubectl explain myapp.spec
  curl -s \$(cat build/demo/metrics-url) | grep 'plugin="myapp"'
  tail -f build/demo/oarlockd.log
  make demo-down                                  # stops all of it
NEXT
}

up() {
  take_lock 30
  jobs_trap
  print_plan
  need_root demo
  mkdir -p "$logs" "$demo/images"
  step "packages"
  install_packages
  step "build"
  build_all
  step "cluster"
  start_cluster
  load_image myapp:latest
  load_image myapp:v2
  note "images: myapp:latest, myapp:v2"
  apply_definitions >"$logs/apply.log"
  note "CRDs and RBAC of the daemon and of: ${plugins[*]}"
  step "daemon"
  start_daemon
  step "sample"
  follow_sample
  print_next
}

# --- down ---

stop_cluster() {
  [[ -e $cluster ]] || return 0
  [[ -x $devcluster ]] || fail "build/demo/cluster exists but build/bin/devcluster does not:
  it is needed to stop the cluster. Run make build, then make demo-down again."
  mkdir -p "$logs"
  job_start cluster "$logs/down.log" "$devcluster" down --dir "$cluster" --purge
  jobs_wait 180 || fail "the cluster could not be stopped completely: see $logs/down.log"
}

remove_files() { # FOLDER
  [[ -e $1 ]] || return 0
  if grep -qF " $1" /proc/self/mountinfo; then
    grep -F " $1" /proc/self/mountinfo >&2
    fail "the mounts above are still below $1; nothing was removed. Unmount them and try again."
  fi
  chmod -R u+w "$1" 2>/dev/null || true # Go keeps module files read-only
  rm -rf --one-file-system "$1"
}

down() {
  take_lock 120
  jobs_trap
  if [[ -e $cluster ]]; then need_root demo-down; fi
  stop_daemon
  stop_cluster
  remove_files "$demo"
  if [[ ${PURGE:-} == 1 ]]; then
    remove_files "$root/build"
    note "removed build/"
  fi
  say "The demo is down."
}

case ${1:-} in
  up) up ;;
  down) down ;;
  *) fail "expected 'up' or 'down', found '${1:-nothing}'" ;;
esac
