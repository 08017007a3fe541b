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

# The value of a query for one plugin; nothing when there is none.
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
for i in $(seq 1 40); do
  kc annotate myapp myapp-sample "example.com/touched=$i" --overwrite >/dev/null
  [[ -z $(value 'rate(controller_runtime_reconcile_total{plugin="myapp"}[1m]) > 0') ]] || break
done
expect "reconciles a second" \
  'sum by (plugin) (rate(controller_runtime_reconcile_total{plugin="myapp"}[1m]))' '. > 0'
expect "errors a second" \
  'sum by (plugin) (rate(controller_runtime_reconcile_errors_total{plugin="myapp"}[1m]))' '. >= 0'
expect "waiting keys" 'sum by (plugin) (workqueue_depth{plugin="myapp"})' '. >= 0'
expect "bytes in the cache" 'max by (plugin) (oarlock_plugin_cache_bytes{plugin="myapp"})' '. > 0'
