#!/bin/sh
# Builds OUTDIR/helm and OUTDIR/kubeconform from the Go module proxy: minutes the first time,
# nothing later. Their versions are in go.mod, which has nothing else; its k8s.io modules are those
# of deploy/devcluster, so that what is compiled there is not compiled again.
set -eu
[ $# -eq 1 ] || { echo "usage: $0 OUTDIR" >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
cd "$(dirname "$0")"
command -v go >/dev/null || {
    echo "$0: expected go on PATH, found none; make deps installs it" >&2
    exit 1
}
export CGO_ENABLED=0 GOTOOLCHAIN="${GOTOOLCHAIN:-auto}"
# What helm checks a chart's kubeVersion against when it renders without a cluster.
minor=$(sed -n 's|^[[:space:]]*k8s.io/client-go v0\.\([0-9]*\)\..*|\1|p' go.mod)
flags="-s -w"
for package in chartutil lint/rules; do
    flags="$flags -X helm.sh/helm/v3/pkg/$package.k8sVersionMajor=1"
    flags="$flags -X helm.sh/helm/v3/pkg/$package.k8sVersionMinor=$minor"
done
version=$(sed -n 's|^[[:space:]]*helm.sh/helm/v3 \(v[0-9.]*\).*|\1|p' go.mod)
build() { # NAME PACKAGE
    if [ -x "$out/$1" ] && [ -z "$(find . -type f -newer "$out/$1" -print -quit)" ]; then return; fi
    echo "$1: building" >&2
    go build -trimpath -buildvcs=false -o "$out/$1.new" \
        -ldflags "$flags -X helm.sh/helm/v3/internal/version.version=$version" "$2"
    touch "$out/$1.new"
    mv -f "$out/$1.new" "$out/$1"
}
build helm helm.sh/helm/v3/cmd/helm
build kubeconform github.com/yannh/kubeconform/cmd/kubeconform
