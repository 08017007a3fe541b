#!/usr/bin/env bash
# Builds parts of the tree, in parallel where they do not fight for the same compiler.
#
#   tools/build.sh [--logs DIR] TARGET...
#
#   devcluster          build/bin/devcluster, the Kubernetes for tests and demo (Go)
#   fetch               build/bin/oarlock-fetch, the helper that pulls plugin images (Go)
#   helm                build/tools/{helm,kubeconform}, for demo, make deploy and tests (Go)
#   cosign              build/tools/cosign, which the tests of that helper compare with (Go)
#   signkeyless         build/tools/signkeyless, a Sigstore for tests of the daemon (Go)
#   mysql               build/mysql/root, a root file system with MySQL servers for tests
#   products            build/bin and build/plugins: what users run (preset release, no tests)
#   dev release asan tsan   everything of that preset, tests included
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tools/jobs.sh
source tools/jobs.sh

readonly deadline_seconds=3600

build_preset() { # PRESET [BUILD-ARGUMENTS...]
  local preset=$1
  shift
  cmake --preset "$preset"
  cmake --build --preset "$preset" "$@"
}

# The part that runs as a job: one target, output to its log.
build_one() {
  case $1 in
    devcluster) deploy/devcluster/build.sh build/bin ;;
    fetch) core/package/helper/build.sh build/bin ;;
    helm) tools/helm/build.sh build/tools ;;
    cosign) core/package/helper/e2e/cosign/build.sh build/tools ;;
    signkeyless) core/package/helper/build.sh build/tools signkeyless ;;
    mysql) plugins/mysql-cluster/image/build.sh root build/mysql/root ;;
    products) build_preset release --target oarlockd oarlock oarlock-plugin-host \
      install_files plugins/all ;;
    *) build_preset "$1" ;;
  esac
}

check_target() {
  [[ $1 =~ ^(devcluster|fetch|helm|cosign|signkeyless|mysql|products|dev|release|asan|tsan)$ ]] ||
    fail "unknown target '$1'; expected devcluster, fetch, helm, cosign, signkeyless," \
      "mysql, products, dev, release, asan or tsan"
}

main() {
  local logs=build/logs target cpp=()
  if [[ ${1:-} == --job ]]; then
    build_one "$2"
    return
  fi
  if [[ ${1:-} == --logs ]]; then
    logs=$2
    shift 2
  fi
  [[ $# -gt 0 ]] || set -- devcluster fetch products
  jobs_trap
  for target in "$@"; do
    check_target "$target"
    if [[ $target =~ ^(devcluster|fetch|helm|cosign|signkeyless|mysql)$ ]]; then
      job_start "$target" "$logs/build-$target.log" tools/build.sh --job "$target"
    else
      cpp+=("$target")
    fi
  done
  # Presets one after the other: each fills all cores by itself.
  if [[ ${#cpp[@]} -gt 0 ]]; then
    # shellcheck disable=SC2016  # the inner shell's own variables
    job_start c++ "$logs/build-c++.log" bash -euc \
      'for target in "$@"; do echo "== $target"; tools/build.sh --job "$target"; done' \
      build "${cpp[@]}"
  fi
  jobs_wait "$deadline_seconds"
}

main "$@"
