#!/usr/bin/env bash
# Sourced, not run: background jobs with a log each, one progress line for all of them, a deadline,
# and no job left behind when the script ends, however it ends.
#
#   jobs_trap                       once, at the top of a script
#   job_start NAME LOG COMMAND...   starts a job in a session of its own
#   jobs_wait SECONDS               waits for all started jobs; false if one failed
set -euo pipefail

declare -A job_pid=() job_log=() job_began=()
jobs_progress_last=0

say() { printf '%s\n' "$*"; }
note() { printf '   %s\n' "$*"; }
fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

clock_of() { printf '%d:%02d' $(($1 / 60)) $(($1 % 60)); }

jobs_trap() {
  trap 'jobs_stop' EXIT
  trap 'printf "\ninterrupted: stopping\n" >&2; exit 130' INT
  trap 'exit 143' TERM HUP
}

job_start() {
  local name=$1 log=$2
  shift 2
  mkdir -p "$(dirname "$log")"
  # setsid: Ctrl-C reaches only this script, which then stops the whole session of the job.
  # 9 is the lock of the script: no job may keep it.
  setsid "$@" >"$log" 2>&1 </dev/null 9>&- &
  job_pid[$name]=$!
  job_log[$name]=$log
  job_began[$name]=$SECONDS
}

# Ends every job that still runs: TERM, ten seconds, KILL, each to the job's own process group.
jobs_stop() {
  local name pid i
  for name in "${!job_pid[@]}"; do
    kill -TERM -- "-${job_pid[$name]}" 2>/dev/null || true
  done
  for name in "${!job_pid[@]}"; do
    pid=${job_pid[$name]}
    for ((i = 0; i < 100; i++)); do
      kill -0 -- "-$pid" 2>/dev/null || break
      sleep 0.1
    done
    kill -KILL -- "-$pid" 2>/dev/null || true
  done
  job_pid=()
}

last_line() {
  tail -c 400 "$1" 2>/dev/null | tr '\r' '\n' | tr -d '\033' | grep -v '^[[:space:]]*$' |
    tail -n 1 | cut -c "1-$2" || true
}

jobs_progress() {
  local name line='' each=$((70 / ${#job_pid[@]} - 14))
  if [[ -t 1 ]]; then
    ((SECONDS > jobs_progress_last)) || return 0
  else
    ((SECONDS >= jobs_progress_last + 5)) || return 0
  fi
  jobs_progress_last=$SECONDS
  for name in $(printf '%s\n' "${!job_pid[@]}" | sort); do
    line+=" | $name $(clock_of $((SECONDS - job_began[$name])))"
    line+=" $(last_line "${job_log[$name]}" "$each")"
  done
  if [[ -t 1 ]]; then
    printf '\r\033[K   %.95s' "${line# | }"
  else
    note "${line# | }"
  fi
}

# Reaps one finished job; false if it failed.
job_finish() {
  local name=$1 status=0 took
  wait "${job_pid[$name]}" || status=$?
  took=$(clock_of $((SECONDS - job_began[$name])))
  unset "job_pid[$name]"
  [[ ! -t 1 ]] || printf '\r\033[K'
  if [[ $status == 0 ]]; then
    note "$name: done in $took"
    return 0
  fi
  note "$name: FAILED after $took (exit $status); the end of ${job_log[$name]}:"
  tail -n 25 "${job_log[$name]}" | cut -c 1-300 | sed 's/^/     | /'
  return 1
}

jobs_wait() {
  local deadline=$((SECONDS + $1)) name failed=0
  jobs_progress_last=$SECONDS
  while [[ ${#job_pid[@]} -gt 0 ]]; do
    for name in "${!job_pid[@]}"; do
      kill -0 "${job_pid[$name]}" 2>/dev/null || job_finish "$name" || failed=1
    done
    [[ ${#job_pid[@]} -gt 0 ]] || break
    if ((SECONDS > deadline)); then
      note "not finished after $(clock_of "$1"): ${!job_pid[*]}; stopping"
      jobs_stop
      return 1
    fi
    jobs_progress
    sleep 0.2
  done
  return "$failed"
}
