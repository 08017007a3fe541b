#!/usr/bin/env bash
# The chart against a real API server, without a node (no root): everything it renders passes a
# strict server-side dry run without a warning of the pod-security level `restricted`, and its RBAC
# gives the daemon, and a plugin, what they need and nothing else (SubjectAccessReviews). `make
# install`, `undeploy` and `uninstall` do what they say.
#
#   tests/chart/cluster.sh HELM DEVCLUSTER OARLOCK PLUGIN-FOLDER
set -euo pipefail
helm=$(realpath "$1")
devcluster=$(realpath "$2")
oarlock=$(realpath "$3")
plugin=$(realpath "$4")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/chart/crds.sh
source tests/chart/crds.sh
work=$(mktemp -d)
readonly work ns=oarlock-system deadline_seconds=240
readonly daemon=system:serviceaccount:$ns:oarlock
readonly plugin_user=system:serviceaccount:$ns:oarlock-plugin-myapp

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

cleanup() {
  "$devcluster" down --dir "$work/cluster" --purge >"$work/down.log" 2>&1 ||
    cat "$work/down.log" >&2
  rm -rf "$work"
}

kc() { "$devcluster" kubectl --dir "$work/cluster" -- "$@"; }

dry_run() { # NAME CHART-OPTION...
  local name=$1
  shift
  "$helm" template oarlock deploy/chart --namespace "$ns" "$@" >"$work/$name.yaml"
  kc apply --server-side --dry-run=server --validate=strict -f "$work/$name.yaml" \
    >"$work/$name.log" 2>&1 || fail "$name: $(cat "$work/$name.log")"
  ! grep -i warning "$work/$name.log" || fail "$name: the API server warns, see above"
  echo "$name: $(wc -l <"$work/$name.log") objects pass a dry run"
}

prepare() {
  timeout 180 "$devcluster" up --dir "$work/cluster" >"$work/up.log" 2>&1 ||
    fail "no cluster: $(tail -n 5 "$work/up.log")"
  kc create namespace "$ns" >/dev/null
  kc label namespace "$ns" pod-security.kubernetes.io/enforce=restricted \
    pod-security.kubernetes.io/warn=restricted >/dev/null
  kc apply --server-side -f "$(service_monitor_crd)" >/dev/null
  # kubectl wait takes a CRD that has no conditions yet for an error.
  until kc wait --for=condition=Established --timeout=30s \
    crd/servicemonitors.monitoring.coreos.com >"$work/wait.log" 2>&1; do
    ((SECONDS < deadline_seconds)) || fail "the CRD ServiceMonitor: $(cat "$work/wait.log")"
    sleep 0.2
  done
}

# The API server's warnings are what `dry_run` looks for: a pod that is not restricted must show.
check_that_warnings_show() {
  local said
  # Read whole: a grep that has enough ends kubectl with an error.
  said=$(kc create deployment bad --image=x --dry-run=server -n "$ns" 2>&1)
  grep -qi 'warning.*restricted' <<<"$said" ||
    fail "the API server did not warn of a pod that is not restricted: a blind test"
}

names_in() { kc create --dry-run=client -f "$work/$1.yaml" -o name | sort; }

# What `make deploy` applies is the chart's, with the image it was given.
check_static_manifests() {
  IMG=registry.example.com:5000/team/oarlock:v7 NAMESPACE=$ns PATH="$(dirname "$helm"):$PATH" \
    deploy/deploy.sh render >"$work/static.yaml"
  grep -q 'image: registry.example.com:5000/team/oarlock:v7$' "$work/static.yaml" ||
    fail "make deploy: expected the image of IMG"
  kc apply --server-side --dry-run=server --validate=strict -f "$work/static.yaml" >/dev/null ||
    fail "make deploy: the API server refuses the manifests"
  # Without the hooks: `helm test` and `helm uninstall` know them.
  names_in defaults | grep -vE '^(pod|job[.]batch)/' >"$work/without-hooks"
  [[ $(names_in static | grep -v '^namespace/') == "$(cat "$work/without-hooks")" ]] ||
    fail "make deploy: expected the objects of the chart and a namespace"
}

by_make() { # TARGET
  KUBECONFIG=$work/cluster/kubeconfig NAMESPACE=$ns PATH="$(dirname "$helm"):$PATH" \
    make --silent "$1" >"$work/make.log" 2>&1 || fail "make $1: $(cat "$work/make.log")"
}

# Without a node there is no pod that `make deploy` could wait for: what it applies is applied here.
check_make() {
  local left
  by_make install
  kc get crd plugins.oarlock.dev >/dev/null || fail "make install: expected the CRD of Plugin"
  kc apply --server-side -f "$work/static.yaml" >/dev/null
  kc get deployment oarlock -n "$ns" >/dev/null
  by_make undeploy
  left=$(kc get all,configmaps,roles,rolebindings,clusterroles,clusterrolebindings,pdb -A -o name |
    grep oarlock || true)
  [[ -z $left ]] || fail "make undeploy: expected nothing of it, found $left"
  kc get namespace "$ns" >/dev/null || fail "make undeploy: expected the namespace to stay"
  kc get crd plugins.oarlock.dev >/dev/null || fail "make undeploy: expected the CRD to stay"
  by_make uninstall
  ! kc get crd plugins.oarlock.dev >"$work/crd.log" 2>&1 || fail "make uninstall: the CRD is there"
  grep -q NotFound "$work/crd.log" || fail "make uninstall: $(cat "$work/crd.log")"
}

# Lines "VERB GROUP/RESOURCE[/SUBRESOURCE] NAMESPACE [NAME]" on stdin (core: no group; *: every
# namespace; -: none), or "VERB /PATH"; all must be answered with $2. One request each, one kubectl.
expect_all() { # USER yes|no
  local answers wrong
  answers=$(grep -v '^$' | jq -R --arg user "$1" 'split(" ") as $w | ($w[1] | split("/")) as $r
    | {apiVersion: "authorization.k8s.io/v1", kind: "SubjectAccessReview",
       metadata: {}, spec: ({user: $user,
        groups: (["system:authenticated"] + if $user | startswith("system:serviceaccount:")
          then ["system:serviceaccounts"] else [] end)}
      + if $r[0] == "" then {nonResourceAttributes: {verb: $w[0], path: $w[1]}} else
        {resourceAttributes: {verb: $w[0], group: (if $r[0] == "core" then "" else $r[0] end),
          resource: $r[1], subresource: ($r[2] // ""), name: ($w[3] // ""),
          namespace: (if $w[2] == "-" or $w[2] == "*" then "" else $w[2] end)}} end)}' |
    kc create -f - -o json | jq -c '{spec: .spec, allowed: .status.allowed}') ||
    fail "$1: the reviews could not be made"
  wrong=$(jq -c --argjson wanted "$([[ $2 == yes ]] && echo true || echo false)" \
    'select(.allowed != $wanted) | .spec' <<<"$answers")
  [[ -n $answers ]] || fail "$1: no review was made"
  [[ -z $wrong ]] || fail "$1: expected $2 for: $wrong"
  echo "$1: $(wc -l <<<"$answers") times $2"
}

check_daemon() {
  expect_all "$daemon" yes <<'TABLE'
create coordination.k8s.io/leases oarlock-system
get coordination.k8s.io/leases oarlock-system oarlock
watch coordination.k8s.io/leases oarlock-system oarlock
update coordination.k8s.io/leases oarlock-system oarlock
create authentication.k8s.io/tokenreviews -
create authorization.k8s.io/subjectaccessreviews -
get apiextensions.k8s.io/customresourcedefinitions -
list apiextensions.k8s.io/customresourcedefinitions -
patch oarlock.dev/plugins -
patch oarlock.dev/plugins/status -
create events.k8s.io/events default
watch oarlock.dev/plugins -
watch apiextensions.k8s.io/customresourcedefinitions -
TABLE
  expect_all "$daemon" no <<'TABLE'
get coordination.k8s.io/leases oarlock-system other
update coordination.k8s.io/leases oarlock-system other
delete coordination.k8s.io/leases oarlock-system oarlock
create coordination.k8s.io/leases default
list coordination.k8s.io/leases oarlock-system
create oarlock.dev/plugins -
update oarlock.dev/plugins -
delete oarlock.dev/plugins -
create events.k8s.io/events oarlock-system
create apiextensions.k8s.io/customresourcedefinitions -
update apiextensions.k8s.io/customresourcedefinitions -
delete apiextensions.k8s.io/customresourcedefinitions -
get core/secrets oarlock-system
list core/secrets *
watch core/secrets *
get core/configmaps oarlock-system
create core/pods oarlock-system
create core/pods/exec oarlock-system
list core/pods *
create apps/deployments *
create core/serviceaccounts oarlock-system
create core/serviceaccounts/token oarlock-system
create rbac.authorization.k8s.io/roles oarlock-system
bind rbac.authorization.k8s.io/roles oarlock-system
escalate rbac.authorization.k8s.io/roles oarlock-system
create rbac.authorization.k8s.io/clusterroles -
create rbac.authorization.k8s.io/clusterrolebindings -
bind rbac.authorization.k8s.io/clusterroles -
escalate rbac.authorization.k8s.io/clusterroles -
impersonate core/users -
impersonate core/groups -
impersonate core/serviceaccounts *
create admissionregistration.k8s.io/validatingwebhookconfigurations -
create certificates.k8s.io/certificatesigningrequests -
approve certificates.k8s.io/signers -
get core/nodes -
get core/nodes/proxy -
get /metrics
TABLE
}

# The same daemon when a plugin is installed: reads for the shared cache, and that one account's
# token; the writes are the plugin's own.
check_plugin() {
  "$oarlock" plugin manifest "$plugin" --namespace "$ns" >"$work/plugin.yaml"
  kc apply -f "$work/plugin.yaml" >/dev/null
  expect_all "$daemon" yes <<'TABLE'
create core/serviceaccounts/token oarlock-system oarlock-plugin-myapp
list example.com/myapps *
watch apps/deployments *
TABLE
  expect_all "$daemon" no <<'TABLE'
create core/serviceaccounts/token oarlock-system oarlock
create core/serviceaccounts/token oarlock-system default
create apps/deployments *
patch apps/deployments *
delete apps/deployments *
list core/secrets *
TABLE
  expect_all "$plugin_user" yes <<'TABLE'
create apps/deployments *
patch apps/deployments *
delete apps/deployments *
patch example.com/myapps/status *
TABLE
  expect_all "$plugin_user" no <<'TABLE'
create example.com/myapps *
delete example.com/myapps *
create core/pods *
list core/secrets *
update coordination.k8s.io/leases oarlock-system oarlock
create core/serviceaccounts/token oarlock-system oarlock-plugin-myapp
create apiextensions.k8s.io/customresourcedefinitions -
create rbac.authorization.k8s.io/roles *
impersonate core/users -
TABLE
}

# Requests of pods: the one Secret, by name, and nothing beside it.
check_inbound() {
  kc apply --server-side -f "$work/inbound.yaml" >/dev/null
  expect_all "$daemon" yes <<'TABLE'
get core/secrets oarlock-system oarlock-inbound
update core/secrets oarlock-system oarlock-inbound
TABLE
  expect_all "$daemon" no <<'TABLE'
get core/secrets oarlock-system other
update core/secrets oarlock-system other
create core/secrets oarlock-system
delete core/secrets oarlock-system oarlock-inbound
list core/secrets oarlock-system
get core/secrets default oarlock-inbound
TABLE
}

# Metrics: with the chart's role, and only so.
check_reader() {
  local reader=system:serviceaccount:default:reader
  expect_all "$reader" no <<<'get /metrics'
  kc create clusterrolebinding reader --clusterrole="$ns-oarlock-metrics-reader" \
    --serviceaccount=default:reader >/dev/null
  expect_all "$reader" yes <<<'get /metrics'
  expect_all "$reader" no <<<'get /debug/pprof'
}

main() {
  trap cleanup EXIT
  trap 'exit 130' INT TERM HUP
  prepare
  check_that_warnings_show
  dry_run defaults
  dry_run secret --values tests/chart/values/secret.yaml
  dry_run least --values tests/chart/values/least.yaml
  dry_run inbound --values tests/chart/values/inbound.yaml
  # Certificates are of cert-manager, which is not here; the rest of everything is.
  dry_run everything --values tests/chart/values/everything.yaml \
    --set metrics.tls.certManager.enabled=false,namespace.create=false
  check_static_manifests
  check_make
  kc apply --server-side -f "$work/defaults.yaml" >/dev/null
  check_daemon
  check_inbound
  check_reader
  check_plugin
}

main
