#!/usr/bin/env bash
# Builds what the benchmarks compare: OUTDIR/replay and OUTDIR/run always (Go alone),
# OUTDIR/controller-runtime and OUTDIR/kube-rs (caches), OUTDIR/*-operator and OUTDIR/*-fleet where
# their modules and a compiler can be had. Writes OUTDIR/versions, NAME=VERSION joined by commas, of
# those that were built, and OUTDIR/skipped, a line NAME: REASON for each that could not be built;
# the exit code is still 0.
set -euo pipefail
[[ $# == 2 ]] || { echo "usage: $0 OUTDIR NAME,..." >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
peers=,$2,
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly kube_rs=5.0.0 rust_needed=1.89
built=()

skipped() {
  printf 'SKIPPED %s: %s (log: %s)\n' "$1" "$2" "$out/$1.log" >&2
  printf '%s: %s\n' "$1" "$2" >>"$out/skipped"
}

command -v go >/dev/null || {
  echo "error: expected go in PATH, found none: make deps" >&2
  exit 1
}
export CGO_ENABLED=0 GOTOOLCHAIN="${GOTOOLCHAIN:-auto}"
rm -f "$out"/{controller-runtime,kube-rs}{,-operator,-fleet}
: >"$out/skipped"
for program in replay run; do
  (cd go && nice -n 10 go build -p 1 -trimpath -buildvcs=false -o "$out/$program" "./cmd/$program")
done

if [[ $peers == *,controller-runtime,* ]]; then
  if (cd go && for one in subject:controller-runtime operator:controller-runtime-operator \
    fleet:controller-runtime-fleet; do
    nice -n 10 go build -p 1 -trimpath -buildvcs=false -o "$out/${one#*:}" "./cmd/${one%:*}" ||
      exit 1
  done) >"$out/controller-runtime.log" 2>&1; then
    version=$(cd go && go list -m -f '{{.Version}}' sigs.k8s.io/controller-runtime)
    built+=("controller-runtime=${version#v}")
  else
    skipped controller-runtime "go could not get or build its modules"
  fi
fi

if [[ $peers == *,kube-rs,* ]]; then
  found=$(cargo --version 2>/dev/null | awk '{ print $2 }') || found=
  if [[ -z $found || $(printf '%s\n' "$rust_needed" "$found" | sort -V | head -n 1) != \
    "$rust_needed" ]]; then
    # Debian 13 has 1.85; a compiler from unstable would pull in its libc, so none is installed.
    echo "expected cargo $rust_needed or newer in PATH, found ${found:-none}" >"$out/kube-rs.log"
    skipped kube-rs "kube $kube_rs needs Rust $rust_needed, found ${found:-none}"
  elif (cd kube-rs && nice -n 10 cargo build --release --locked -j1 --target-dir "$out/rust") \
    >"$out/kube-rs.log" 2>&1; then
    cp "$out/rust/release/cache-subject" "$out/kube-rs"
    cp "$out/rust/release/operator" "$out/kube-rs-operator"
    built+=("kube-rs=$kube_rs")
  else
    skipped kube-rs "cargo could not get or build its crates"
  fi
fi
(
  IFS=,
  echo "${built[*]}" >"$out/versions"
)
