#!/bin/sh
# Writes MODFILE (and its .sum), a go.mod for `go build -modfile`: this module's own, but with
# another Kubernetes. What Kubernetes asks for at v0.0.0 comes from its own repository, at the
# version that belongs to it; everything indirect is resolved anew.
set -eu
[ $# -eq 2 ] || { echo "usage: $0 vX.Y.Z MODFILE" >&2; exit 2; }
version=$1 modfile=$2
staging=v0.${version#v*.}
source=$(go mod download -json "k8s.io/kubernetes@$version" |
    sed -n 's|^[[:space:]]*"GoMod": "\(.*\)",$|\1|p')
[ -n "$source" ] || { echo "$0: Kubernetes $version is not to be had" >&2; exit 1; }
{
    sed -e '/\/\/ indirect$/d' -e '/^replace/,$d' \
        -e "s|^\([[:space:]]*k8s.io/kubernetes\) .*|\1 $version|" \
        -e "s|^\([[:space:]]*k8s.io/[a-z-]*\) v0[.].*|\1 $staging|" go.mod
    sed -n "s|^[[:space:]]*\(k8s.io/[a-z-]*\) v0.0.0\$|replace \1 => \1 $staging|p" "$source"
} >"$modfile.new"
if cmp -s "$modfile.new" "$modfile.from"; then
    rm "$modfile.new"
    exit 0
fi
cp "$modfile.new" "$modfile"
: >"${modfile%.mod}.sum"
go mod tidy -modfile="$modfile" -e >&2
mv "$modfile.new" "$modfile.from"
