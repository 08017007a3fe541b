#!/usr/bin/env bash
# The chart without a cluster: lint, rendering with every values file of `values/`, kubeconform
# against the schemas of our Kubernetes and of the CRDs that the chart makes objects of, values that
# must be refused, and the rule that no role has a wildcard or hands out rights.
#
#   tests/chart/run.sh HELM KUBECONFORM OARLOCK
set -euo pipefail
helm=$(realpath "$1")
kubeconform=$(realpath "$2")
oarlock=$(realpath "$3")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/chart/crds.sh
source tests/chart/crds.sh
work=$(mktemp -d)
readonly work
trap 'rm -rf "$work"' EXIT
readonly chart=deploy/chart

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

render() { "$helm" template oarlock "$chart" --namespace oarlock-system "$@"; }

# A file per kind, as kubeconform looks for them; what a schema does not name is not allowed.
kubernetes_schemas() { # OUTDIR
  local document kind
  deploy/devcluster/openapi.sh "$work/openapi" api__v1_openapi.json apis__apps__v1_openapi.json \
    apis__policy__v1_openapi.json apis__batch__v1_openapi.json \
    apis__networking.k8s.io__v1_openapi.json apis__rbac.authorization.k8s.io__v1_openapi.json \
    apis__apiextensions.k8s.io__v1_openapi.json
  for document in "$work"/openapi/*.json; do
    jq -c '.components.schemas |= map_values(if .properties then .additionalProperties = false
      else . end) | .components as $components | .components.schemas | to_entries[]
      | select(.value["x-kubernetes-group-version-kind"])
      | {file: (.value["x-kubernetes-group-version-kind"][0].kind | ascii_downcase),
         schema: {"$ref": ("#/components/schemas/" + .key), components: $components}}
      | select(.file | test("^(namespace|serviceaccount|configmap|secret|service|deployment|job|"
          + "pod|role|rolebinding|clusterrole|clusterrolebinding|poddisruptionbudget|networkpolicy|"
          + "customresourcedefinition)$"))' \
      "$document" | while IFS= read -r line; do
      kind=$(jq -r .file <<<"$line")
      jq .schema <<<"$line" >"$1/$kind.json"
    done
  done
}

crd_schema() { # CRD.yaml OUT.json
  "$oarlock" plugin json "$1" | jq '.spec.versions[] | select(.storage) | .schema.openAPIV3Schema
    | walk(if type == "object" and (.properties | type) == "object" then
        .additionalProperties = false else . end)' >"$2"
}

check_kinds() { # RENDERED.yaml NAME
  "$kubeconform" -strict -summary -schema-location "$work/schemas/{{ .ResourceKind }}.json" "$1" ||
    fail "$2: kubeconform refuses what the chart renders"
}

# Rules of all roles of a rendered chart, one JSON per line.
check_roles() { # RENDERED.yaml NAME
  local rules
  rules=$(grep -nE '^ *(- )?(verbs|resources|apiGroups|nonResourceURLs): .*[*]' "$1" || true)
  [[ -z $rules ]] || fail "$2: a wildcard in a role: $rules"
  rules=$(grep -nE 'verbs: .*(escalate|bind|impersonate)' "$1" || true)
  [[ -z $rules ]] || fail "$2: a role hands out rights: $rules"
}

check_refused() {
  local arguments says output count=0
  while IFS='|' read -r arguments says; do
    [[ $arguments != '#'* && -n $arguments ]] || continue
    says=${says# }
    # shellcheck disable=SC2086  # several words are meant
    if output=$(render $arguments 2>&1 >/dev/null); then
      fail "expected a refusal of '$arguments', found none"
    fi
    [[ $output == *"$says"* ]] || fail "$arguments: expected '$says' in: $output"
    count=$((count + 1))
  done <tests/chart/refused.txt
  echo "$count wrong values are refused"
}

# The daemon's rights have one wording for a ServiceAccount (chart) and one for a user (demo).
check_same_rules() {
  local chart_rules static_rules
  # "group resource verb" of each rule; the chart also narrows the lease to one name.
  rules() {
    awk '/^ *(- )?apiGroups:/ { group = $NF } /^ *resources:/ { resource = $NF }
      /^ *verbs:/ { gsub(/.*\[|\]|,/, ""); for (i = 1; i <= NF; i++) print group, resource, $i }' \
      "$1" | sort
  }
  render --set metrics.enabled=false >"$work/rules.yaml"
  chart_rules=$(rules "$work/rules.yaml")
  static_rules=$(rules deploy/rbac/oarlock.yaml)
  [[ -n $chart_rules && $chart_rules == "$static_rules" ]] ||
    fail "the rules of the chart and of deploy/rbac/oarlock.yaml differ:
$(diff <(echo "$chart_rules") <(echo "$static_rules"))"
  render --set metrics.enabled=false,inbound.enabled=true >"$work/rules.yaml"
  chart_rules=$(rules "$work/rules.yaml")
  static_rules=$({ echo "$static_rules" && rules deploy/inbound.yaml; } | sort)
  [[ $chart_rules == "$static_rules" ]] || fail "inbound.enabled: expected the rules of
deploy/inbound.yaml beside the others:
$(diff <(echo "$chart_rules") <(echo "$static_rules"))"
}

main() {
  local file name crd
  mkdir -p "$work/schemas"
  kubernetes_schemas "$work/schemas"
  crd=$(service_monitor_crd)
  crd_schema "$crd" "$work/schemas/servicemonitor.json"
  crd=$(certificate_crd)
  crd_schema "$crd" "$work/schemas/certificate.json"
  "$helm" lint --strict "$chart" || fail "helm lint"
  for file in tests/chart/values/*.yaml; do
    name=$(basename "$file" .yaml)
    "$helm" lint --strict --quiet "$chart" --values "$file" || fail "helm lint with $name"
    render --values "$file" >"$work/$name.yaml"
    check_kinds "$work/$name.yaml" "$name"
    check_roles "$work/$name.yaml" "$name"
    cmp <(render --values "$file") "$work/$name.yaml" ||
      fail "$name: the same values give other manifests"
  done
  check_refused
  check_same_rules
}

main
