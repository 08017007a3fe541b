#!/usr/bin/env bash
# The demo's Prometheus finds the daemon by itself, scrapes it over TLS with a token of its own, and
# knows by plugin what it does and what it costs. Needs the demo (make demo).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
readonly deadline_seconds=120
readonly proxy=/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1

fail() {
  printf 'error: %s\n' "$*" >&2
  ask targets | jq -c '.data.activeTargets[] | {scrapeUrl, health, lastError}' >&2 || true
  exit 1
}

kc() { build/bin/kubectl --kubeconfig build/demo/kubeconfig --request-timeout=20s "$@"; }
ask() { kc get --raw "$proxy/$1"; }

# The value of a query; nothing when there is none.
value() { # QUERY
  ask "query?query=$(jq -rn --arg q "$1" '$q | @uri')" | jq -r '.data.result[0].value[1] // empty'
}

# Waits until a query has an answer that a jq condition accepts.
expect() { # WHAT QUERY CONDITION
  local deadline=$((SECONDS + deadline_seconds)) found=''
  until found=$(value "$2" 2>/dev/null) && [[ -n $found ]] &&
    jq -en "$found | $3" >/dev/null; do
    ((SECONDS < deadline)) || fail "$1: $2: expected $3, found '${found:-nothing}'"
    sleep 0.5
  done
  printf '%s: %s\n' "$1" "$found"
}

replicas=$(kc get deployment oarlock -n oarlock-system -o 'jsonpath={.spec.replicas}')
expect "replicas that are scraped" 'sum(up{job="oarlock"})' ". == $replicas"
# Something to do meanwhile, so that a rate can be above zero.
touch_samples() {
  local sample
  for sample in myapp/myapp-sample mysqlcluster/mysql-sample trainingpipeline/breast-cancer; do
    kc annotate "$sample" "example.com/touched=$1" --overwrite >/dev/null
  done
}
readonly rate='rate(controller_runtime_reconcile_total[1m])'
for i in $(seq 1 40); do
  touch_samples "$i"
  [[ $(value "count(sum by (plugin) ($rate) > 0)") != 3 ]] || break
done
for plugin in myapp mysql-cluster ml-pipeline; do
  this="{plugin=\"$plugin\"}"
  expect "$plugin: reconciles a second" \
    "sum(rate(controller_runtime_reconcile_total${this}[1m]))" '. > 0'
  expect "$plugin: errors a second" \
    "sum(rate(controller_runtime_reconcile_errors_total${this}[1m]))" '. >= 0'
  expect "$plugin: waiting keys" "sum(workqueue_depth$this)" '. >= 0'
  expect "$plugin: bytes in the cache" "max(oarlock_plugin_cache_bytes$this)" '. > 0'
done
expect "members of MySQL that answer" \
  'max(mysql_cluster_members_answering{cluster="mysql-sample"})' '. == 3'
