#!/bin/sh
# Builds OUTDIR/devcluster, the link OUTDIR/kubectl and the programs of the images in
# OUTDIR/devcluster.d. Needs nothing but Go; does nothing when all is up to date. With a version
# (vX.Y.Z) it holds that Kubernetes instead of the one of go.mod, and neither CoreDNS nor the
# provisioner, which are of one Kubernetes; kubectl is then of that version too.
set -eu
[ $# -eq 1 ] || [ $# -eq 2 ] || { echo "usage: $0 OUTDIR [vX.Y.Z]" >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
cd "$(dirname "$0")"
command -v go >/dev/null || {
    echo "$0: expected go on PATH, found none; on Debian 12 install golang-go of" \
        "bookworm-backports" >&2
    exit 1
}

# The Kubernetes version has one place: the line `k8s.io/kubernetes vX.Y.Z` of go.mod.
version=$(sed -n 's|^[[:space:]]*k8s.io/kubernetes \(v[0-9.]*\)$|\1|p' go.mod)
modfile=go.mod tags=
if [ -n "${2:-}" ]; then
    mkdir -p "$out/devcluster.d"
    version=$2 modfile=$out/devcluster.d/go.mod tags=noaddons
fi
major=${version#v}; major=${major%%.*}
minor=${version#v*.}; minor=${minor%%.*}

# go build takes some seconds to see that nothing changed; the time stamps take none.
stamp=$out/devcluster.d/.stamp
if [ -x "$out/devcluster" ] && [ -x "$out/devcluster.d/pause" ] && [ -L "$out/kubectl" ] &&
    [ -x "$out/devcluster.d/myapp-sample" ] && [ -f "$stamp" ] &&
    [ -z "$(find . -type f \( -name '*.go' -o -name 'go.*' -o -name '*.sh' \) \
        -newer "$stamp" -print -quit)" ]; then
    exit 0
fi

echo "devcluster: building Kubernetes $version into one binary (about 5 minutes the first time" \
    "on 2 cores, seconds later)" >&2
flags="-s -w"
for package in k8s.io/client-go/pkg/version k8s.io/component-base/version; do
    flags="$flags -X $package.gitVersion=$version -X $package.gitTreeState=clean"
    flags="$flags -X $package.gitMajor=$major -X $package.gitMinor=$minor"
done
export CGO_ENABLED=0 GOTOOLCHAIN="${GOTOOLCHAIN:-auto}"
mkdir -p "$out/devcluster.d"
[ "$modfile" = go.mod ] || ./modfile.sh "$version" "$modfile"
touch "$stamp.new" # older than any change during the build
build() {
    target=$1; shift
    go build -trimpath -buildvcs=false -modfile="$modfile" -tags "$tags" -o "$target.new" "$@"
    mv -f "$target.new" "$target" # also while the old one runs
}
build "$out/devcluster.d/pause" -ldflags "-s -w" ./cmd/pause
build "$out/devcluster.d/myapp-sample" -ldflags "-s -w" ./cmd/myapp-sample
build "$out/devcluster" -ldflags "$flags" .
ln -sf devcluster "$out/kubectl"
mv -f "$stamp.new" "$stamp"
