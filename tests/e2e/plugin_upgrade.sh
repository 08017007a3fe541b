#!/usr/bin/env bash
# A new version of myapp in the demo cluster, as its developer brings it there: built, signed,
# pushed and applied by kubectl, while 100 MyApps exist and one is edited each 100 ms. No change is
# missed, none is written twice, no pod of another plugin's objects and none of the daemon starts
# anew. Then a broken version: READY stays True on the one before, REASON names the fault.
#
# Needs the demo (make demo). Leaves the demo as it was.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
readonly root
cd "$root"
readonly apps=plugin-upgrade # namespace of the objects made here
readonly objects=100
readonly edits=15 # before, between and after the changes; those during them come on top
readonly next=0.2.0 broken=0.3.0
work=$(mktemp -d)
readonly work
# shellcheck source=tests/e2e/lib/demo_cluster.sh
source tests/e2e/lib/demo_cluster.sh
first=$(jq -r .spec.version build/plugins/myapp/plugin.json)
repository=$(cut -d @ -f 1 "$demo/images/myapp.image")
readonly first repository

cleanup() {
  rm -f "$work/editing-$apps"
  wait
  install_myapp "$system" oarlock >/dev/null 2>&1 || true
  kc delete namespace "$apps" --ignore-not-found --wait=false >/dev/null 2>&1 || true
  rm -rf "$work"
}

# myapp as it was built, but for the version that manifest and library say it is.
publish_version() { # MANIFEST-SAYS LIBRARY-SAYS
  cp -r build/plugins/myapp "$work/$1"
  rm "$work/$1/plugin.yaml"
  jq -c --arg version "$1" '.spec.version = $version' build/plugins/myapp/plugin.json \
    >"$work/$1/plugin.json"
  LC_ALL=C sed -i "s/${first//./[.]}/$2/g" "$work/$1/libmyapp.so"
  publish_plugin "$work/$1" "$repository:$1"
}

apply_version() { # VERSION
  kc apply -f - >/dev/null 2>&1 <<YAML
apiVersion: oarlock.dev/v1alpha1
kind: Plugin
metadata: {name: myapp}
spec: {image: "$repository:$1"}
YAML
}

# The version that runs, readiness and reason, of the generation that is asked for.
plugin_is() {
  kc get plugin myapp -o json | jq -r '. as $p | .status.conditions[] | select(.type == "Ready")
    | "\($p.status.running.version) \(.status) \(.reason)"
    + if $p.metadata.generation == $p.status.observedGeneration then "" else " (before)" end'
}

check_what_kubectl_shows() {
  local row said
  row=$(kc get plugin myapp --no-headers)
  [[ $row =~ ' True '.*' NotLoaded ' ]] || fail "expected READY True, REASON NotLoaded: $row"
  said=$(kc get plugin myapp -o 'jsonpath={.status.conditions[?(@.type=="Ready")].message}')
  [[ $said == "version $next runs; but"*"\"$next\" in the library"* ]] ||
    fail "expected Ready to name the fault: $said"
}

# Pods that run in the namespaces of the samples and of the daemon, and which containers they have.
pods() {
  kc get pods -A -o json | jq -r '.items[]
    | select(.metadata.namespace | IN("default", "oarlock-system"))
    | select(.status.phase == "Running" and .metadata.deletionTimestamp == null)
    | "\(.metadata.name) \(.metadata.uid) "
      + ([.status.containerStatuses[] | "\(.containerID) \(.restartCount)"] | join(" "))' | sort
}

check_pods() { # BEFORE
  local now plugin
  for plugin in mysql-sample- breast-cancer-serving- oarlock-; do
    grep -q "^$plugin" <<<"$1" || fail "expected a pod $plugin... to watch, found: $1"
  done
  now=$(pods)
  [[ $now == "$1" ]] || fail "expected the same pods: $(diff <(echo "$1") <(echo "$now"))"
}

# MyApps whose last change is not in their status.
unobserved() {
  kc get myapps -n "$apps" -o json |
    jq '[.items[] | select(.status.observedGeneration != .metadata.generation)] | length'
}

# A stale plan that undoes a change is a generation of its own, and so is what puts it right.
check_no_more_writes_than_changes() {
  local more
  more=$(join "$work/writes-$apps" <(writes_in "$apps" myapps) | awk '$2 > $3')
  [[ -z $more ]] || fail "expected as many writes as changes, found (writes, changes): $more"
  [[ $(wc -l <"$work/writes-$apps") == "$objects" ]] || fail "expected writes of $objects apps"
}

main() {
  local before
  trap cleanup EXIT
  trap 'exit 130' INT TERM HUP
  api_access
  publish_version "$next" "$next"
  publish_version "$broken" "$next"
  before=$(pods)
  await 60 "$first True Running" "the plugin at the beginning" plugin_is
  begin_edits "$apps"
  more_edits "$apps" "$edits"
  apply_version "$next"
  await 60 "$next True Running" "the next version" plugin_is
  more_edits "$apps" "$edits"
  apply_version "$broken"
  await 60 "$next True NotLoaded" "the broken version" plugin_is
  check_what_kubectl_shows
  more_edits "$apps" "$edits"
  end_edits "$apps" "an upgrade and a broken one"
  check_no_more_writes_than_changes
  await 60 0 "MyApps whose status is behind" unobserved
  install_myapp "$system" oarlock >/dev/null
  await 60 "$first True Running" "the plugin at the end" plugin_is
  check_pods "$before"
}

main
