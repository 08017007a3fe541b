#!/usr/bin/env bash
# A project that `oarlock init` has scaffolded, against the demo cluster as its user would have it:
# `make docker-build docker-push IMG=...`, `make deploy IMG=...`, an object that is reconciled, the
# image that buildah makes of the project's Dockerfile in its place, `make undeploy`.
#
# Needs the demo (make demo) and root. Leaves the demo as it was.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
readonly root
cd "$root"
readonly demo=$root/build/demo
readonly namespace=scaffolded # of the object that is made here
work=$(mktemp -d)
readonly work project=$work/harbour-operator
registry=$(build/bin/devcluster status --dir "$demo/cluster" -o json |
  jq -r '.registry | sub("^http://"; "")')
# The demo trusts what its own key has signed below this name.
readonly image=$registry/oarlock/harbour

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

kc() { build/bin/kubectl --kubeconfig "$demo/kubeconfig" --request-timeout=30s "$@"; }

buildah_here() {
  buildah --root "$work/storage" --runroot "$work/run" --storage-driver vfs "$@"
}

cleanup() {
  kc delete namespace "$namespace" --ignore-not-found --wait=false >/dev/null 2>&1 || true
  in_project make undeploy >/dev/null 2>&1 || true
  rm -rf "$work"
}

# With what a user has: the installed programs, a kubeconfig, and nothing of this tree.
in_project() { # COMMAND...
  mkdir -p "$project" "$work/home"
  (cd "$project" && env -i HOME="$work/home" LANG=C.UTF-8 KUBECONFIG="$demo/kubeconfig" \
    CMAKE_PREFIX_PATH="$work/usr" PATH="$work/usr/bin:$work/bin:/usr/local/bin:/usr/bin:/bin" \
    timeout -k 10 300 "$@")
}

install_oarlock() {
  local component
  mkdir "$work/bin"
  ln -s "$root/build/bin/devcluster" "$work/bin/kubectl"
  for component in runtime development; do
    cmake --install build/release --prefix "$work/usr" --component "$component" >/dev/null
  done
}

scaffold() {
  in_project oarlock init --domain example.org --repo github.com/example/harbour-operator
  in_project oarlock create api --group fleet --version v1alpha1 --kind Ship --resource --controller
}

deploy() { in_project make deploy IMG="$1" REGISTRY_FLAGS=--plain-http; }

# Digest that runs, readiness and reason, of the generation that is asked for.
plugin_is() {
  kc get plugin harbour -o json | jq -r '. as $p | .status.conditions[] | select(.type == "Ready")
    | ($p.status.running.image | sub(".*@"; "")) + " \(.status) \(.reason)"
    + if $p.metadata.generation == $p.status.observedGeneration then "" else " (before)" end'
}

expect_plugin() { # DIGEST
  local deadline=$((SECONDS + 60)) found=''
  until found=$(plugin_is) && [[ $found == "$1 True Running" ]]; do
    ((SECONDS < deadline)) || fail "expected the plugin '$1 True Running', found '$found'"
    sleep 0.2
  done
}

check_object() {
  kc create namespace "$namespace" >/dev/null
  in_project kubectl apply -n "$namespace" -f samples/
  kc wait -n "$namespace" --for=create deployment/ship-sample --timeout=60s
}

# The same files as an image tool packs them, which the project's Dockerfile tells it to.
check_dockerfile() {
  local digest
  buildah_here build --isolation chroot --quiet --tag "$image:docker" "$project" >/dev/null
  buildah_here push --quiet --tls-verify=false --digestfile "$work/digest" "$image:docker" \
    "docker://$image:docker"
  digest=$(cat "$work/digest")
  in_project oarlock plugin sign "$image@$digest" --key "$demo/pki/plugins.key" \
    --password-file "$demo/pki/plugins.password" --plain-http
  deploy "$image:docker"
  expect_plugin "$digest"
}

main() {
  local left digest
  trap cleanup EXIT
  trap 'exit 130' INT TERM HUP
  install_oarlock
  scaffold
  in_project make docker-build docker-push IMG="$image:0.1.0" KEY="$demo/pki/plugins.key" \
    PASSWORD_FILE="$demo/pki/plugins.password" REGISTRY_FLAGS=--plain-http | tee "$work/pushed"
  digest=$(grep -om 1 'sha256:[0-9a-f]*' "$work/pushed")
  deploy "$image:0.1.0"
  expect_plugin "$digest"
  check_object
  check_dockerfile
  in_project make undeploy
  left=$(kc get plugins,crds,clusterroles,clusterrolebindings,serviceaccounts -A -o name |
    grep -E 'harbour|fleet[.]example' || true)
  [[ -z $left ]] || fail "make undeploy left behind: $left"
}

main
