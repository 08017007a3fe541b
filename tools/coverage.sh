#!/usr/bin/env bash
# Which lines of core/ the unit tests run: a table per folder, and build/coverage/coverage.lcov.
#
#   tools/coverage.sh [FOLDER...]     FOLDER: also lists the longest uncovered places of core/FOLDER
#
# COVERAGE_API=1 runs the integration tests too, if build/bin/devcluster is there. A test that fails
# is reported and still counted. Fails when one of the folders below is under its floor.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly build=build/coverage profiles=build/coverage/profiles llvm=/usr/lib/llvm-19/bin
readonly lcov=$build/coverage.lcov test_seconds=600 places_max=10
readonly floor_percent=90 floor_folders="kube cache controller election"

fail() {
  echo "coverage: $*" >&2
  exit 1
}

run_tests() { # FOLDER
  local program name
  for program in "$1"/*_test; do
    [[ -x $program ]] || continue
    name=$(basename "$program")
    LLVM_PROFILE_FILE=$PWD/$profiles/$name-%p.profraw timeout -k 10 "$test_seconds" "$program" \
      >"$profiles/$name.log" 2>&1 </dev/null || echo "coverage: $name failed: $profiles/$name.log"
  done
}

# The programs and libraries whose counters are in the profiles.
objects() {
  find "$build/tests" "$build/bin" "$build/plugins" -type f \( -perm -u+x -o -name '*.so' \) \
    ! -name '*.stamp' -exec sh -c 'file=$1; head -c 4 "$file" | grep -q ELF' _ {} \; -print |
    sed 's/^/-object=/'
}

# lcov records: SF:<path>, DA:<line>,<count>.
table() {
  awk -F '[:,]' '
    /^SF:/ { n = split($2, part, "/"); folder = "core/" part[n - 1] }
    /^DA:/ { all[folder]++; if ($3 > 0) hit[folder]++; lines++; if ($3 > 0) hits++ }
    END {
      for (f in all) printf "%-20s %6d lines %6.1f %%\n", f, all[f], 100 * hit[f] / all[f] | "sort"
      close("sort")
      if (lines) printf "%-20s %6d lines %6.1f %%\n", "core", lines, 100 * hits / lines
    }' "$lcov"
}

# The folders that run too few of their lines, or none.
below_floor() {
  awk -F '[:,]' -v floor="$floor_percent" -v folders="$floor_folders" '
    /^SF:/ { n = split($2, part, "/"); folder = part[n - 1] }
    /^DA:/ { all[folder]++; if ($3 > 0) hit[folder]++ }
    END {
      n = split(folders, wanted, " ")
      for (i = 1; i <= n; i++) {
        f = wanted[i]
        if (100 * hit[f] <= floor * all[f]) printf "core/%s ", f
      }
    }' "$lcov"
}

places() { # FOLDER
  awk -F '[:,]' -v folder="/core/$1/" -v root="$PWD/" '
    function flush() { if (from) printf "%4d  %s:%d-%d\n", count, file, from, last; from = 0 }
    /^SF:/ { flush(); file = index($2, folder) ? substr($2, length(root) + 1) : "" }
    /^DA:/ && file != "" {
      if ($3 > 0) flush()
      else { if (!from) { from = $2; count = 0 } last = $2; count++ }
    }
    END { flush() }' "$lcov" | sort -k 1,1nr | head -n "$places_max"
}

main() {
  local folder low arguments=()
  [[ -x $llvm/llvm-profdata && -x $llvm/llvm-cov ]] ||
    fail "expected llvm-profdata and llvm-cov in $llvm; install llvm-19 (make deps)"
  cmake --preset coverage >/dev/null
  cmake --build --preset coverage
  rm -rf "$profiles"
  mkdir -p "$profiles"
  run_tests "$build/tests"
  if [[ ${COVERAGE_API:-} == 1 ]]; then
    [[ -x build/bin/devcluster ]] || fail "expected build/bin/devcluster; build it: make build"
    run_tests "$build/tests/integration"
  fi
  find "$profiles" -name '*.profraw' >"$profiles/list"
  "$llvm/llvm-profdata" merge -sparse -f "$profiles/list" -o "$build/coverage.profdata"
  mapfile -t arguments < <(objects)
  "$llvm/llvm-cov" export -format=lcov -instr-profile="$build/coverage.profdata" \
    -ignore-filename-regex='_test\.[ch]pp$|/(tests|bench|plugins|plugin-api)/|^/usr/' \
    "${arguments[@]}" -sources core >"$lcov" 2>"$profiles/export.log"
  table
  for folder in "$@"; do
    printf '\nlongest uncovered places of core/%s (lines that never ran):\n' "$folder"
    places "$folder"
  done
  echo "written: $lcov"
  low=$(below_floor)
  [[ -z $low ]] || fail "expected more than $floor_percent % of the lines of each of:" \
    "$floor_folders; found less in: $low"
}

main "$@"
