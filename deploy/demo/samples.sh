#!/usr/bin/env bash
# Sourced by demo.sh and story.sh, which have `kc` and `fail`: what the samples say, progress lines
# until they say what is waited for, and what an application would ask of them.
set -euo pipefail
readonly progress_seconds=15 # at least one line in so many

# What a sourcing script may replace. Called while waiting, and before giving up.
check_daemon() { :; }
show_trouble() { :; } # KIND NAME

field() { kc get "$1" "$2" -o "jsonpath={.status$3}"; } # KIND NAME PATH

# Ready, and that of the spec as it is now.
is_ready() { # KIND NAME
  local generation='' observed='' ready=''
  read -r generation observed ready < <(kc get "$1" "$2" -o "jsonpath={.metadata.generation} \
{.status.observedGeneration} {.status.conditions[?(@.type==\"Ready\")].status}") || true
  [[ $ready == True && $observed == "$generation" ]]
}

row() { kc get "$1" "$2" | tail -n 1; } # KIND NAME; as wide as its header is

# Asks until a command succeeds, and tells meanwhile how the object changes, its age apart.
follow() { # KIND NAME SECONDS COMMAND...
  local kind=$1 name=$2 limit=$3 end=$((SECONDS + $3)) told_at=-$progress_seconds last='' line now
  shift 3
  kc get "$kind" "$name" | sed '2d; s/^/        /'
  until "$@"; do
    check_daemon
    if ((SECONDS >= end)); then
      show_trouble "$kind" "$name" >&2 || true
      fail "$name took longer than $limit s: $(field "$kind" "$name" \
        '.conditions[?(@.type=="Ready")].message')"
    fi
    line=$(row "$kind" "$name") || line="$name: the API server does not answer"
    now=$(sed -E 's/ [0-9]+[smhd]([0-9]+[smh])?( |$)/ /g; s/ +/ /g' <<<"$line")
    if [[ $now != "$last" ]] || ((SECONDS >= told_at + progress_seconds)); then
      printf '%4d s  %s\n' "$SECONDS" "$line"
      last=$now
      told_at=$SECONDS
    fi
    sleep 1
  done
  printf '%4d s  %s\n' "$SECONDS" "$(row "$kind" "$name")"
}

# --- ml-pipeline ---

run_has_ended() { [[ $(field trainingpipeline "$1" .phase) =~ ^(Succeeded|Failed|Rejected)$ ]]; }

# Follows a run to its end, and tells what came of it.
follow_run() { # NAME SECONDS PHASE
  follow trainingpipeline "$1" "$2" run_has_ended "$1"
  local phase
  phase=$(field trainingpipeline "$1" .phase)
  echo "$phase: $(field trainingpipeline "$1" .message)"
  [[ $phase == "$3" ]] || fail "$1: expected $3"
}

# What the served model says of two malignant and two benign tumours.
ask_model() {
  local services=/api/v1/namespaces/default/services
  kc create --raw "$services/breast-cancer-serving:http/proxy/predict" \
    -f deploy/demo/breast-cancer-rows.json
}

check_prediction() {
  local answer
  answer=$(ask_model) || fail "the model does not answer"
  echo "$answer"
  [[ $(jq -c .predictions <<<"$answer") == '["malignant","malignant","benign","benign"]' ]] ||
    fail "expected malignant, malignant, benign, benign"
}

# --- mysql-cluster ---

# As an application does: through the Service, over TLS, with the account of the Secret.
# shellcheck disable=SC2016  # expanded in the pod
sql() { # CLUSTER; statements on standard input
  {
    kc get secret "$1-app" -o 'jsonpath={.data.password}' | base64 -d
    echo
    cat
  } | kc exec -i "$(field mysqlcluster "$1" .primary)" -c mysqld -- sh -c '
    read -r MYSQL_PWD
    export MYSQL_PWD
    exec mysql --host="$0" --user=app --ssl-mode=VERIFY_IDENTITY \
      --ssl-ca=/etc/oarlock-mysql/tls/ca.crt --batch --raw --skip-column-names app' "$1-rw"
}
