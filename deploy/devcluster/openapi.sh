#!/bin/sh
# Copies OpenAPI v3 documents of the Kubernetes of go.mod into OUTDIR, as its source has them:
#   openapi.sh OUTDIR api__v1_openapi.json apis__apps__v1_openapi.json ...
# Needs Go; downloads the module when it is not there yet.
set -eu
[ $# -ge 2 ] || { echo "usage: $0 OUTDIR DOCUMENT..." >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
shift
cd "$(dirname "$0")"
command -v go >/dev/null || {
    echo "$0: expected go on PATH, found none; make deps installs it" >&2
    exit 1
}
module=$(go mod download -json k8s.io/kubernetes | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$/\1/p')
[ -n "$module" ] || { echo "$0: expected the module k8s.io/kubernetes, found none" >&2; exit 1; }
for document in "$@"; do
    cp "$module/api/openapi-spec/v3/$document" "$out/$document.new"
    chmod u+w "$out/$document.new"
    mv -f "$out/$document.new" "$out/$document"
done
