#!/usr/bin/env bash
# Sourced, not run: the CRDs of other projects that the chart makes objects of. They come as Go
# modules whose hashes tests/crds/modules.json pins.
set -euo pipefail

module_folder() { # MODULE
  local version sum answer
  read -r version sum < <(jq -r --arg name "$1" \
    '.[] | select(.module == $name) | "\(.version) \(.sum)"' tests/crds/modules.json)
  answer=$(cd "${TMPDIR:-/tmp}" && go mod download -json "$1@$version")
  [[ $(jq -r .Sum <<<"$answer") == "$sum" ]] || {
    echo "error: $1@$version: expected the hash $sum, found $(jq -r .Sum <<<"$answer")" >&2
    return 1
  }
  jq -r .Dir <<<"$answer"
}

service_monitor_crd() {
  local folder
  folder=$(module_folder github.com/prometheus-operator/prometheus-operator)
  echo "$folder/example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml"
}

certificate_crd() {
  local folder
  folder=$(module_folder github.com/cert-manager/cert-manager)
  echo "$folder/deploy/crds/crd-certificates.yaml"
}
