#!/usr/bin/env bash
# Proves that the tests see bugs: builds the preset `mutants` once, then turns on one planted bug
# after the other (mutants.tsv) and expects its named test to fail. Without a bug it must pass.
#
#   tests/mutants/run.sh [NAME...]    all, or those
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

readonly table=tests/mutants/mutants.tsv build=build/mutants logs=build/mutants/logs
readonly test_seconds=60

fail() {
  echo "mutants: $*" >&2
  exit 1
}

# Each point of the sources is in the table, and each line of the table is in the sources.
check_table() {
  local difference
  difference=$(diff <(grep -rhoP 'OARLOCK_MUTANT\("\K[a-z_]+' core --include='*.?pp' | sort -u) \
    <(cut -f 1 "$table" | sort) | grep '^[<>]' || true)
  [[ -z $difference ]] || fail "points (<) and $table (>) differ:"$'\n'"$difference"
}

# Exit code of the named test with the bug, or without one.
try() { # BUG PROGRAM FILTER LOG
  local status=0
  OARLOCK_MUTANT=$1 timeout -k 5 "$test_seconds" "$build/tests/$2" "--gtest_filter=$3" \
    --gtest_fail_fast >"$4" 2>&1 </dev/null || status=$?
  grep -q '^\[ RUN ' "$4" || fail "$3 is no test of $2, see $4"
  return "$status"
}

main() {
  local name program filter what caught=0 all=0 missed=()
  check_table
  cmake --preset mutants >/dev/null
  # shellcheck disable=SC2046  # one argument per program is meant
  cmake --build --preset mutants --target $(cut -f 2 "$table" | sort -u)
  mkdir -p "$logs"
  while IFS=$'\t' read -r name program filter what; do
    [[ $# == 0 || " $* " == *" $name "* ]] || continue
    all=$((all + 1))
    try '' "$program" "$filter" "$logs/$name.sound.log" ||
      fail "$program $filter fails without a planted bug, see $logs/$name.sound.log"
    if try "$name" "$program" "$filter" "$logs/$name.log"; then
      missed+=("$name")
      printf 'MISSED  %-32s %s: %s stays green\n' "$name" "$what" "$filter"
    else
      caught=$((caught + 1))
      printf 'caught  %-32s by %s\n' "$name" "$filter"
    fi
  done <"$table"
  [[ $all != 0 ]] || fail "no such planted bug: $*"
  printf '%d of %d planted bugs turned their test red\n' "$caught" "$all"
  [[ ${#missed[@]} == 0 ]]
}

main "$@"
