#!/bin/sh
# Builds OUTDIR/oarlock-fetch, or with the word OUTDIR/signkeyless, which tests of the daemon need.
# Needs nothing but Go; does nothing when all is up to date.
set -eu
case "$#-${2:-}" in
    1-) name=oarlock-fetch package=. ;;
    2-signkeyless) name=signkeyless package=./e2e/signkeyless ;;
    *) echo "usage: $0 OUTDIR [signkeyless]" >&2; exit 2 ;;
esac
mkdir -p "$1"
out=$(cd "$1" && pwd)/$name
cd "$(dirname "$0")"
command -v go >/dev/null || {
    echo "$0: expected go on PATH, found none; on Debian 12 install golang-go of" \
        "bookworm-backports" >&2
    exit 1
}
# go build takes a second to see that nothing changed; the time stamps take none.
if [ -x "$out" ] && [ -z "$(find . -type f \( -name '*.go' -o -name 'go.*' -o -name '*.sh' \) \
    -newer "$out" -print -quit)" ]; then
    exit 0
fi
echo "$name: building (about a minute the first time on 2 cores, seconds later)" >&2
export CGO_ENABLED=0 GOTOOLCHAIN="${GOTOOLCHAIN:-auto}"
touch "$out.stamp" # older than any change during the build
go build -trimpath -buildvcs=false -ldflags "-s -w" -o "$out.new" "$package"
touch -r "$out.stamp" "$out.new"
rm "$out.stamp"
mv -f "$out.new" "$out" # also while the old one runs
