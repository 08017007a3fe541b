#!/usr/bin/env bash
# Fuzzes the targets one after the other and sums them up: executions per second, crashes.
#
#   tests/fuzz/run.sh [TARGET...]     all, or those; SECONDS=30 is the time for each
#
# What a run learns is kept in build/fuzz/corpus/<target>, inputs that break something in
# build/fuzz/crashes; the exit code is 0 only if there are none.
set -euo pipefail
seconds=$(printenv SECONDS || echo 30) # bash's own SECONDS counts
readonly seconds
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

readonly programs=build/fuzz/tests/fuzz crashes=build/fuzz/crashes logs=build/fuzz/logs
readonly input_bytes_max=4096 input_seconds_max=10 memory_mib_max=2048

fail() {
  echo "fuzz: $*" >&2
  exit 1
}

# A number at the end of libFuzzer's log.
stat_of() { # LOG NAME
  awk -v name="stat::$2:" '$1 == name { print $2 }' "$1"
}

fuzz() { # TARGET
  local target=$1 status=0 log=$logs/$1.log found=build/fuzz/corpus/$1
  mkdir -p "$found"
  timeout -k 10 $((seconds + 120)) nice -n 10 "$programs/${target}_fuzz" "$found" \
    "tests/fuzz/corpus/$target" "-max_total_time=$seconds" -print_final_stats=1 \
    "-max_len=$input_bytes_max" "-timeout=$input_seconds_max" \
    "-rss_limit_mb=$memory_mib_max" "-artifact_prefix=$crashes/$target-" >"$log" 2>&1 || status=$?
  printf '%-12s %8s executions/s %10s executions %6s new inputs  %s\n' "$target" \
    "$(stat_of "$log" average_exec_per_sec)" "$(stat_of "$log" number_of_executed_units)" \
    "$(stat_of "$log" new_units_added)" "$([[ $status == 0 ]] && echo sound || echo "FAILED: $log")"
  [[ $status == 0 ]] && return 0
  grep -E '^fuzz: |^SUMMARY|runtime error|Test unit written' "$log" | cut -c 1-300 || true
  return 1
}

main() {
  local source target failed=0
  [[ $seconds =~ ^[1-9][0-9]*$ ]] || fail "expected SECONDS to be a number, found '$seconds'"
  if [[ $# == 0 ]]; then
    for source in tests/fuzz/*_fuzz.cpp; do
      set -- "$@" "$(basename "$source" _fuzz.cpp)"
    done
  fi
  for target in "$@"; do
    [[ -f tests/fuzz/${target}_fuzz.cpp ]] ||
      fail "expected a target of tests/fuzz/*_fuzz.cpp, found '$target'"
  done
  cmake --preset fuzz >/dev/null
  cmake --build --preset fuzz --target "${@/%/_fuzz}"
  mkdir -p "$crashes" "$logs"
  export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
  export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
  for target in "$@"; do
    fuzz "$target" || failed=$((failed + 1))
  done
  [[ $failed == 0 ]] || fail "$failed of $# targets failed; inputs are in $crashes"
}

main "$@"
