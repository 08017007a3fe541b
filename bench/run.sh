#!/usr/bin/env bash
# Builds the release preset and runs every benchmark, one after the other. JSON in build/bench.
#
#   CACHE_PEERS=oarlock,controller-runtime,kube-rs   who is in the cache benchmark
#   CACHE_PODS=100000                                how many Pods each of them caches
#   BENCH_ONLY=cache                                 the cache benchmark alone
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tools/build.sh devcluster release
mkdir -p build/bench

cache() {
  local peers=${CACHE_PEERS:-oarlock,controller-runtime,kube-rs} out=build/bench/peers core=0 own
  bench/peers/build.sh "$out" "$peers"
  own=$(sed -n 's/^project(oarlock VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
  [[ $(nproc) == 1 ]] || core=1
  set -- --peers "$peers" --pods "${CACHE_PODS:-100000}" --subject-core "$core" \
    --replay "$out/replay" --oarlock build/release/bench-peers/cache_subject \
    --versions "oarlock=$own,$(cat "$out/versions")" --skipped "$out/skipped"
  [[ ! -x $out/controller-runtime ]] || set -- "$@" --controller-runtime "$out/controller-runtime"
  [[ ! -x $out/kube-rs ]] || set -- "$@" --kube-rs "$out/kube-rs"
  timeout -k 20 1200 "$out/run" "$@"
}

for program in build/release/bench/*; do
  [[ ${BENCH_ONLY:-all} == all ]] || break
  [[ -f $program && -x $program ]] || continue
  name=$(basename "$program")
  echo "== $name"
  case $name in
    footprint) timeout -k 20 900 "$program" ;;
    *) timeout -k 20 300 "$program" --benchmark_out="build/bench/$name.json" ;;
  esac
done
echo "== cache"
cache
echo "results: build/bench"
