#!/usr/bin/env bash
# The demo never touches a cluster that it did not start. A second cluster stands by; KUBECONFIG and
# the kubeconfig in the home folder both name it; the demo is taken down and started again; the
# audit log of the second cluster must show no request by anybody but its own components.
#
# Needs root (the demo does). Leaves the demo running.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
readonly root
readonly devcluster=$root/build/bin/devcluster
readonly kubectl=$root/build/bin/kubectl
work=$(mktemp -d)
readonly work
readonly bystander=$work/bystander
readonly visitor_config=$work/visitor.kubeconfig # reads of an administrator are not logged

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

cleanup() {
  "$devcluster" down --dir "$bystander" --purge >"$work/down.log" 2>&1 || cat "$work/down.log" >&2
  rm -rf "$work"
}

# Requests by anybody who is not a component of the cluster itself.
foreign_requests() {
  jq -r 'select(.user.username | test("^(system|devcluster):") | not)
    | "\(.verb) \(.requestURI) by \(.user.username) (\(.userAgent))"' "$audit_log"
}

start_bystander() {
  timeout 180 "$devcluster" up --dir "$bystander" --level control-plane
  audit_log=$("$devcluster" status --dir "$bystander" -o json | jq -r .auditLog)
  (umask 077 && "$devcluster" kubeconfig --dir "$bystander" --user visitor >"$visitor_config")
}

# The log must be able to catch a visitor at all.
check_that_visits_show() {
  local before deadline=$((SECONDS + 10))
  before=$(foreign_requests | wc -l)
  "$kubectl" --kubeconfig "$visitor_config" --cache-dir "$work/cache" get namespaces \
    >/dev/null 2>&1 || true # forbidden, but a request
  until [[ $(foreign_requests | wc -l) -gt $before ]]; do
    ((SECONDS < deadline)) || fail "the audit log does not show a visitor's request: a blind test"
    sleep 0.2
  done
}

# A home whose kubeconfig names the bystander, with the caches of the real one, so that nothing is
# built again.
fake_home() {
  mkdir -p "$work/home/.kube"
  cp "$visitor_config" "$work/home/.kube/config"
  GOCACHE=$(go env GOCACHE)
  GOMODCACHE=$(go env GOMODCACHE)
  GOPATH=$(go env GOPATH)
  CCACHE_DIR=${CCACHE_DIR:-$(ccache -k cache_dir 2>/dev/null || true)}
  GOENV=$(go env GOENV)
  export GOCACHE GOMODCACHE GOPATH GOENV CCACHE_DIR
  [[ -n $CCACHE_DIR ]] || unset CCACHE_DIR
  export HOME=$work/home
}

main() {
  local before after
  trap cleanup EXIT
  trap 'exit 130' INT TERM HUP
  start_bystander
  check_that_visits_show
  before=$(foreign_requests | wc -l)

  fake_home
  export KUBECONFIG=$visitor_config
  timeout 300 "$root/deploy/demo/demo.sh" down
  timeout 1200 "$root/deploy/demo/demo.sh" up
  sleep 1 # the log is written a moment after the answer

  after=$(foreign_requests | wc -l)
  if [[ $after != "$before" ]]; then
    foreign_requests | tail -n "$((after - before))" >&2
    fail "the demo sent the requests above to a cluster that it did not start"
  fi
  cmp "$visitor_config" "$work/home/.kube/config" || fail "the demo changed ~/.kube/config"
  echo "no request reached the cluster standing by"
}

main
