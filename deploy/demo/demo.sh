#!/usr/bin/env bash
# The demo: a real Kubernetes on this machine, Oarlock in it with its plugins, a sample of each
# followed until it is what it is to become.
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
readonly devcluster=$root/build/bin/devcluster
readonly plugins=(myapp mysql-cluster ml-pipeline)
readonly package_groups=(build go node images mysql python)

# Nothing here may go through a proxy or write into the user's home.
export NO_PROXY="${NO_PROXY:+$NO_PROXY,}127.0.0.1,localhost,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16"
export no_proxy=$NO_PROXY
export KUBECACHEDIR=$demo/kubectl-cache

step() { printf '\n== [%s] %s\n' "$(clock_of $SECONDS)" "$*"; }
kc() { "$root/build/bin/kubectl" --kubeconfig "$kubeconfig" --request-timeout=20s "$@" 9>&-; }
# shellcheck source=deploy/demo/oarlock.sh
source deploy/demo/oarlock.sh
# shellcheck source=deploy/demo/samples.sh
source deploy/demo/samples.sh

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

# --- a daemon of an older checkout ---

# Before Oarlock ran in the cluster, a process of this machine was the demo's daemon. One that still
# runs is known by its command line, which names this demo's kubeconfig.
stop_host_daemon() {
  local path pid arguments i
  for path in /proc/[0-9]*; do
    arguments=()
    { mapfile -d '' -t arguments <"$path/cmdline"; } 2>/dev/null || continue
    [[ ${arguments[0]:-} == */oarlockd ]] || continue
    [[ " ${arguments[*]} " == *" $demo"?(-mysql)"/oarlock.kubeconfig "* ]] || continue
    pid=${path#/proc/}
    note "stopping the oarlockd of an earlier demo (pid $pid)"
    kill -TERM "$pid" 2>/dev/null || true
    for ((i = 0; i < 300; i++)); do
      [[ -e $path ]] || break
      sleep 0.1
    done
  done
}

# --- the steps of up ---

print_plan() {
  local packages built=no
  packages=$(tools/deps.sh --list "${package_groups[@]}")
  [[ ! -x $devcluster || ! -x build/bin/oarlockd ]] || built=yes
  cat <<PLAN
make demo will
  1. install Debian packages: ${packages:-none, all are there}
  2. build the daemon and its plugins (C++) and a Kubernetes (Go) into build/, and make images of
     Debian's MySQL and Prometheus and of the programs that train models
  3. start a single-node Kubernetes of its own in build/demo/cluster, in namespaces of its own
  4. make the image of oarlockd and signed images of its plugins, and install them there:
     ${plugins[*]}; a Prometheus scrapes the daemon
  5. apply a sample of each and follow it: an app, a training run whose model is asked for a
     prediction, MySQL with three members
It takes two minutes when all is built$([[ $built == yes ]] ||
    echo " (it is not: 10 to 15 minutes on two cores)"), and 4 GiB of memory.
Ctrl-C is safe at any time; run it again to go on. make demo-down takes everything down again.
PLAN
}

install_packages() {
  job_start packages "$logs/deps.log" tools/deps.sh "${package_groups[@]}"
  jobs_wait 2400 || fail "packages could not be installed"
}

build_all() {
  # shellcheck disable=SC2016  # the inner shell's own variable
  job_start go "$logs/build-go.log" bash -euc \
    'for target in fetch devcluster helm; do tools/build.sh --job "$target"; done'
  job_start c++ "$logs/build-c++.log" tools/build.sh --job products
  job_start images "$logs/make_sample_images.log" deploy/demo/demo.sh step make_sample_images
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

# Parts of installing Oarlock, functions of oarlock.sh, side by side, as jobs with a log each and a
# deadline. Each is a process of its own, in which the first command that fails ends it.
install_steps() { # SECONDS FUNCTION...
  local limit=$1 name
  shift
  for name in "$@"; do job_start "$name" "$logs/$name.log" deploy/demo/demo.sh step "$name"; done
  jobs_wait "$limit"
}

show_trouble() { # KIND NAME
  kc describe "$1" "$2"
  kc get pods -o wide
  show_daemon_log
}

follow_app() {
  step "MyApp myapp-sample"
  kc apply -f plugins/myapp/samples | sed 's/^/   /'
  follow myapp myapp-sample 180 is_ready myapp myapp-sample
}

follow_samples() {
  step "two samples with larger images"
  kc apply -f plugins/ml-pipeline/samples -f plugins/mysql-cluster/samples/mysqlcluster.yaml |
    sed 's/^/   /'
  step "TrainingPipeline breast-cancer: six models, the best one is published, served and asked"
  follow_run breast-cancer 900 Succeeded
  check_prediction
  step "MySQLCluster mysql-sample: a primary and two replicas"
  follow mysqlcluster mysql-sample 600 is_ready mysqlcluster mysql-sample
  sql mysql-sample <<<"SELECT CONCAT('MySQL ', VERSION(), ' answers ', CURRENT_USER())"
}

print_next() {
  cat <<NEXT

== [$(clock_of $SECONDS)] The demo runs. Try next:

  export KUBECONFIG=\$PWD/build/demo/kubeconfig PATH=\$PWD/build/bin:\$PATH
  kubectl get plugins,myapps,mysqlclusters,trainingpipelines,models,pods
  kubectl scale myapp myapp-sample --replicas=5
  kubectl patch myapp myapp-sample --type=merge -p '{"spec":{"image":"myapp:v2"}}'
  kubectl delete deployment myapp-sample          # it comes back
  kubectl describe myapp myapp-sample             # conditions and events
  kubectl explain myapp.spec
  plugins/ml-pipeline/results.sh breast-cancer    # curves, confusion matrix, logs of the run
  kubectl patch tp breast-cancer --type=merge -p '{"spec":{"rerun":"again"}}'; kubectl get tp -w
  kubectl delete pod mysql-sample-0               # another member takes over
  kubectl apply -f plugins/mysql-cluster/samples/mysqlbackup.yaml; kubectl get mysqlbackups -w
  kubectl describe mysqlcluster mysql-sample
  curl -s --cacert build/demo/metrics-ca --oauth2-bearer \$(cat build/demo/metrics-token) \\
    \$(cat build/demo/metrics-url) | grep 'plugin="myapp"'
  kubectl -n oarlock-system logs deployment/oarlock
  make demo-down                                  # stops all of it
NEXT
}

up() {
  take_lock 30
  jobs_trap
  print_plan
  need_root demo
  stop_host_daemon
  mkdir -p "$logs" "$demo/images"
  (umask 077 && mkdir -p "$pki")
  step "packages"
  install_packages
  step "build"
  build_all
  step "cluster"
  start_cluster
  load_image myapp:latest
  load_image myapp:v2
  note "images: myapp:latest, myapp:v2"
  step "oarlock"
  install_steps 1200 make_oarlock_image || fail "the image could not be made"
  install_steps 300 publish_images || fail "the images could not be published"
  if ! install_steps 300 install_oarlock; then
    kc get pods --namespace "$system" >&2 || true
    show_daemon_log
    fail "Oarlock could not be installed"
  fi
  write_metrics_access
  note "in the namespace $system: $(kc get pods --namespace "$system" -o name | xargs)"
  follow_app
  install_steps 300 load_sample_images || fail "images of the samples could not be loaded"
  follow_samples
  print_next
}

# --- down ---

stop_cluster() { # FOLDER
  [[ -e $1 ]] || return 0
  [[ -x $devcluster ]] || fail "$1 exists but build/bin/devcluster does not:
  it is needed to stop the cluster. Run make build, then make demo-down again."
  mkdir -p "$logs"
  job_start cluster "$logs/down.log" "$devcluster" down --dir "$1" --purge
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
  local folder
  for folder in "$demo" "$demo-mysql" "$demo-ml"; do
    if [[ -e $folder/cluster ]]; then need_root demo-down; fi
  done
  stop_host_daemon
  for folder in "$demo-mysql" "$demo-ml" "$demo"; do
    rm -rf "$folder/images" # says what lies in the registry of the cluster
    stop_cluster "$folder/cluster"
    remove_files "$folder"
  done
  if [[ ${PURGE:-} == 1 ]]; then
    remove_files "$root/build"
    note "removed build/"
  fi
  say "The demo is down."
}

case ${1:-} in
  up) up ;;
  down) down ;;
  step) # one of the jobs of up, a function of oarlock.sh
    declare -F "${2:-none}" >/dev/null || fail "no step '${2:-}'"
    "$2"
    ;;
  *) fail "expected 'up' or 'down', found '${1:-nothing}'" ;;
esac
