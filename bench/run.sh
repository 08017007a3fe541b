#!/usr/bin/env bash
# Builds the release preset and runs every benchmark, one after the other. JSON in build/bench.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tools/build.sh devcluster release
mkdir -p build/bench
for program in build/release/bench/*; do
  [[ -f $program && -x $program ]] || continue
  name=$(basename "$program")
  echo "== $name"
  case $name in
    footprint) timeout -k 20 900 "$program" ;;
    *) timeout -k 20 300 "$program" --benchmark_out="build/bench/$name.json" ;;
  esac
done
echo "results: build/bench"
