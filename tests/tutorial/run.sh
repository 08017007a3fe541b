#!/usr/bin/env bash
# Types docs/tutorial.md, in an empty folder, with nothing of this tree but the two Debian packages,
# unpacked into a folder of their own, and devcluster as the cluster. No root.
#
#   tests/tutorial/run.sh FOLDER     the folder of the packages (tools/package.sh)
#
# Then what the project's README says under Deploy, with a registry of this run.
#
# What a block of the tutorial means is in the line that opens it:
#   sh                  typed; has to succeed
#   sh fails            typed; has to fail
#   sh second terminal  started, and stopped at the end
#   sh as root          left out: the packages are unpacked instead
#   output              each line has to be part of what the block before has printed
#   diff                applied with patch -p1
set -euo pipefail
packages=$(cd "$1" && pwd -P)
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
work=$(mktemp -d)
readonly packages root work tree=$work/tree
readonly tutorial=$root/docs/tutorial.md
readonly devcluster=${OARLOCK_DEVCLUSTER:-$root/build/bin/devcluster}
readonly step_seconds=500 stop_seconds=60
terminal='' # the process group of the second terminal
registry='' # the process of docker-registry

fail() {
  echo "error: $*" >&2
  if [[ -s $work/terminal.log ]]; then
    echo "the second terminal:" >&2
    tail -n 30 "$work/terminal.log" >&2
  fi
  exit 1
}

# A daemon of this run that still lives, by the program that it runs.
daemons() {
  local path
  for path in /proc/[0-9]*; do
    [[ $(readlink "$path/exe" 2>/dev/null) != "$tree"/* ]] || echo "${path#/proc/}"
  done
}

# Ctrl-C in the second terminal: all of it ends, the daemon too.
stop_terminal() {
  local deadline=$((SECONDS + stop_seconds))
  [[ -n $terminal ]] || return 0
  kill -INT -- "-$terminal" 2>/dev/null || true
  while [[ -n $(daemons) ]]; do
    ((SECONDS < deadline)) || return 1
    sleep 0.2
  done
  wait "$terminal" 2>/dev/null || true
  terminal=''
}

cleanup() {
  stop_terminal || daemons | xargs -r kill -KILL || true
  [[ -z $registry ]] || kill "$registry" || true
  "$devcluster" down --dir "$work/cluster" --purge >"$work/down.log" 2>&1 || cat "$work/down.log"
  rm -rf "$work"
}

# Blocks as files NUMBER in $work/steps, what opens them in NUMBER.how.
split_tutorial() {
  mkdir "$work/steps"
  awk -v to="$work/steps/" '/^```/ && !inside { inside = 1; file = sprintf("%s%03d", to, ++n)
      print substr($0, 4) > (file ".how"); printf "" > file; next }
    /^```/ { inside = 0; next }
    inside { print > file }' "$tutorial"
  [[ $(cat "$work"/steps/*.how | grep -c '^sh') -gt 5 ]] || fail "found no tutorial in $tutorial"
}

# Becomes a shell for one block, in the folder where the one before ended. Only what a user has;
# Ctrl-C as well, which bash has its jobs in the background ignore.
become_shell() { # FILE [setsid]
  trap - EXIT
  cd "$(cat "$work/folder")"
  # shellcheck disable=SC2016  # the inner shell's own arguments
  exec "${@:2}" env -i --default-signal=INT HOME="$work/home" TERM=dumb LANG=C.UTF-8 \
    KUBECONFIG="$work/kubeconfig" CMAKE_PREFIX_PATH="$tree/usr" \
    PATH="$tree/usr/bin:$work/bin:/usr/local/bin:/usr/bin:/bin" \
    timeout -k 10 "$step_seconds" bash -euo pipefail -c 'source "$1"; pwd >"$2"' \
    shell "$1" "$work/folder" </dev/null
}

type_block() { # FILE fails|works
  local status=0
  sed 's/^/$ /' "$1"
  (become_shell "$1") >"$work/output" 2>&1 || status=$?
  cat "$work/output"
  case $2 in
    works) [[ $status == 0 ]] || fail "exit $status" ;;
    fails) [[ $status != 0 && $status -lt 124 ]] || fail "expected a failure, found exit $status" ;;
  esac
}

check_output() { # FILE
  local line
  while IFS= read -r line; do
    grep -qF -- "$line" "$work/output" || fail "expected in the output: $line"
  done <"$1"
}

start_terminal() { # FILE
  [[ -z $terminal ]] || fail "the tutorial has a third terminal"
  sed 's/^/2$ /' "$1"
  become_shell "$1" setsid >"$work/terminal.log" 2>&1 & # a session of its own, as a terminal has it
  terminal=$!
}

apply_diff() { # FILE
  (cd "$(cat "$work/folder")" && patch -p1 --fuzz=0 <"$1") || fail "the diff does not apply"
}

run_step() { # FILE
  local how
  how=$(cat "$1.how")
  case $how in
    sh) type_block "$1" works ;;
    'sh fails') type_block "$1" fails ;;
    'sh second terminal') start_terminal "$1" ;;
    'sh as root') ;;
    output) check_output "$1" ;;
    diff) apply_diff "$1" ;;
    *) fail "a block of the unknown kind '$how'" ;;
  esac
}

start_registry() {
  local deadline=$((SECONDS + stop_seconds))
  cat >"$work/registry.yaml" <<YAML
version: 0.1
log: {level: info}
storage: {filesystem: {rootdirectory: "$work/registry"}}
http: {addr: '127.0.0.1:0'}
YAML
  docker-registry serve "$work/registry.yaml" >"$work/registry.log" 2>&1 &
  registry=$!
  until address=$(grep -om 1 'listening on 127[.0-9:]*' "$work/registry.log"); do
    ((SECONDS < deadline)) || fail "docker-registry does not listen: $(cat "$work/registry.log")"
    sleep 0.2
  done
  address=${address##* }
}

# The project as an image that is signed, and an oarlockd that installs what kubectl asks for.
deploy_project() {
  local image
  start_registry
  image=$address/team/myapp:0.1.0
  echo secret >"$work/password"
  cat >"$work/policy.yaml" <<YAML
rules:
  - {name: team, match: "$address/team/**", mode: key, keyFiles: [team.pub]}
registry: {insecure: ["$address"]}
YAML
  cat >"$work/publish" <<SH
oarlock plugin keygen $work/team --password-file $work/password
make docker-build docker-push IMG=$image KEY=$work/team.key PASSWORD_FILE=$work/password \\
  REGISTRY_FLAGS=--plain-http
kubectl apply -f $root/deploy/crds
kubectl create namespace oarlock-system
SH
  cat >"$work/daemon" <<SH
exec oarlockd --plugin-objects --image-policy=$work/policy.yaml --plugin-store=$work/store \\
  --leader-elect=false --metrics-bind-address=127.0.0.1:0 --metrics-secure=false \\
  --health-probe-bind-address=127.0.0.1:0
SH
  cat >"$work/deploy" <<SH
make deploy IMG=$image REGISTRY_FLAGS=--plain-http
kubectl get plugins
kubectl apply -f samples/example.com_v1alpha1_myapp.yaml
kubectl wait --for=create deployment/myapp-sample --timeout=60s
make undeploy
if kubectl get plugin myapp || kubectl get crd myapps.example.com; then exit 1; fi
SH
  type_block "$work/publish" works
  start_terminal "$work/daemon"
  type_block "$work/deploy" works
  for line in 'SignatureVerified: rule team' 'True    Running' 'myapp-sample condition met'; do
    grep -qF -- "$line" "$work/output" || fail "expected in the output of make deploy: $line"
  done
  stop_terminal || fail "the daemon did not end within $stop_seconds s"
}

[[ -x $devcluster ]] || fail "expected $devcluster, found nothing: make build"
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
mkdir "$work/home" "$work/bin" "$work/empty"
for file in "$packages"/*.deb; do dpkg-deb -x "$file" "$tree"; done
ln -s "$devcluster" "$work/bin/kubectl"
echo "$work/empty" >"$work/folder"
"$devcluster" up --dir "$work/cluster" --level control-plane --with controller-manager \
  --kubeconfig "$work/kubeconfig"
split_tutorial
for step in "$work"/steps/[0-9][0-9][0-9]; do run_step "$step"; done
grep -q 'built anew: reloading it' "$work/terminal.log" || fail "nothing was reloaded"
stop_terminal || fail "the daemon did not end within $stop_seconds s after Ctrl-C"
echo "the tutorial took $SECONDS s"
if command -v docker-registry >/dev/null; then
  deploy_project
else
  echo "left out: make deploy, as there is no docker-registry (tools/deps.sh registry)"
fi
