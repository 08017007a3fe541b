#!/usr/bin/env bash
# Installs Oarlock into the cluster of your current kubeconfig context, as static manifests that are
# rendered from the chart (deploy/chart). For releases that Helm manages, use helm itself.
#
#   deploy/deploy.sh deploy      (make deploy IMG=...)    everything, in the namespace NAMESPACE
#   deploy/deploy.sh undeploy    (make undeploy)          the same, removed; CRDs stay
#   deploy/deploy.sh install     (make install)           only the CRDs
#   deploy/deploy.sh uninstall   (make uninstall)         the CRDs, with all objects of their kinds
#   deploy/deploy.sh render      prints what deploy would apply
#
# Environment: IMG, NAMESPACE (default oarlock-system), VALUES (a values file for the chart).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly namespace=${NAMESPACE:-oarlock-system}
readonly ready_seconds=180

fail() {
  printf 'deploy.sh: error: %s\n' "$*" >&2
  exit 1
}

find_tools() {
  helm=$(command -v helm || true)
  if [[ -z $helm ]]; then
    helm=build/tools/helm
    tools/helm/build.sh build/tools
  fi
  kubectl=$(command -v kubectl || echo build/bin/kubectl)
  command -v "$kubectl" >/dev/null ||
    fail "expected kubectl in PATH or in build/bin, found none: make build"
}

# "registry:5000/team/oarlock:v1" and "...@sha256:..." as values of the chart.
image_values() { # IMG
  if [[ $1 == *@sha256:* ]]; then
    printf '%s\n' "image.repository=${1%@*}" "image.digest=${1##*@}"
  elif [[ ${1##*/} == *:* ]]; then
    printf '%s\n' "image.repository=${1%:*}" "image.tag=${1##*:}"
  else
    printf '%s\n' "image.repository=$1" image.tag=latest
  fi
}

render() { # CHART-OPTION...
  local options=("$@") value
  while read -r value; do options+=(--set-string "$value"); done < <(image_values "$IMG")
  [[ -z ${VALUES:-} ]] || options+=(--values "$VALUES")
  "$helm" template oarlock deploy/chart --namespace "$namespace" --no-hooks --skip-tests \
    "${options[@]}"
}

crds() { find deploy/crds -name '*.yaml' 2>/dev/null | sort; }

say_where() {
  printf 'cluster: %s (context %s)\n' \
    "$("$kubectl" config view --minify -o 'jsonpath={.clusters[0].cluster.server}')" \
    "$("$kubectl" config current-context)"
}

main() {
  local command=${1:-} file
  [[ $command =~ ^(deploy|undeploy|install|uninstall|render)$ ]] ||
    fail "expected deploy, undeploy, install, uninstall or render, found '$command'"
  find_tools
  case $command in
    deploy | render)
      [[ -n ${IMG:-} ]] || fail "expected an image, found none:
  make deploy IMG=registry.example.com/team/oarlock:v1"
      ;;
    undeploy) IMG=${IMG:-none:none} ;;
  esac
  case $command in
    render) render --set namespace.create=true ;;
    deploy)
      say_where
      render --set namespace.create=true |
        "$kubectl" apply --server-side --field-manager=oarlock-deploy -f -
      "$kubectl" --namespace "$namespace" rollout status deployment/oarlock \
        --timeout="${ready_seconds}s"
      ;;
    undeploy)
      say_where
      # The namespace stays: what others have put into it (plugins' accounts) is theirs to remove.
      render --set crds.install=false | "$kubectl" delete --ignore-not-found --wait -f -
      ;;
    install | uninstall)
      say_where
      [[ -n $(crds) ]] || echo "this version has no CRDs of its own"
      while read -r file; do
        if [[ $command == install ]]; then
          "$kubectl" apply --server-side --field-manager=oarlock-deploy -f "$file"
        else
          "$kubectl" delete --ignore-not-found -f "$file"
        fi
      done < <(crds)
      ;;
  esac
}

main "$@"
