#!/usr/bin/env bash
# Builds the release preset and runs every benchmark, one after the other. JSON in build/bench.
#
#   BENCH_PEERS=oarlock,controller-runtime,kube-rs   who is compared
#   CACHE_PODS=100000                                how many Pods each of them caches
#   KUBE_RS_FORM=partial|typed                       spec and status as JSON values, or its types
#   SHARED_OBJECTS=20000                             how many three controllers share
#   BENCH_ONLY=cache|operators|fleet                 this one alone
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tools/build.sh devcluster release
tools/build.sh mysql || true # the programs that need it say so
mkdir -p build/bench

readonly peers=${BENCH_PEERS:-oarlock,controller-runtime,kube-rs} out=build/bench/peers

# Runs build/bench/peers/run with what all comparisons take. A peer is known by its program.
compare() { # SUFFIX SECONDS ARGUMENT...
  local suffix=$1 seconds=$2 name versions
  shift 2
  versions=oarlock=$(sed -n 's/^project(oarlock VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
  set -- "$@" --peers "$peers" --versions "$versions,$(cat "$out/versions")" \
    --skipped "$out/skipped"
  for name in controller-runtime kube-rs; do
    [[ ! -x $out/$name$suffix ]] || set -- "$@" "--$name" "$out/$name$suffix"
  done
  timeout -k 20 "$seconds" "$out/run" "$@"
}

cache() {
  local core=0
  [[ $(nproc) == 1 ]] || core=1
  compare '' 1200 --pods "${CACHE_PODS:-100000}" --subject-core "$core" --replay "$out/replay" \
    --oarlock build/release/bench-peers/cache_subject \
    --neighbour build/release/bench-peers/neighbour_subject --devcluster build/bin/devcluster \
    --kube-rs-form "${KUBE_RS_FORM:-partial}"
}

operators() { compare -operator 900 operators; }

fleet() {
  local core=0
  [[ $(nproc) == 1 ]] || core=1
  compare -fleet 900 fleet --objects "${SHARED_OBJECTS:-20000}" --subject-core "$core" \
    --replay "$out/replay" --plugins build/release/bench-plugins
}

for program in build/release/bench/*; do
  [[ ${BENCH_ONLY:-all} == all ]] || break
  [[ -f $program && -x $program ]] || continue
  name=$(basename "$program")
  echo "== $name"
  case $name in
    crashes | footprint | ml_runs | turns) timeout -k 20 900 "$program" ;;
    mysql_*) timeout -k 20 1800 "$program" ;;
    *) timeout -k 20 300 "$program" --benchmark_out="build/bench/$name.json" ;;
  esac
done
[[ ${BENCH_ONLY:-all} != all ]] || bench/lines.sh
bench/peers/build.sh "$out" "$peers"
for name in cache operators fleet; do
  [[ ${BENCH_ONLY:-all} =~ ^(all|$name)$ ]] || continue
  echo "== $name"
  "$name"
done
echo "results: build/bench"
