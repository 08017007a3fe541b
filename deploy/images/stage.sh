#!/usr/bin/env bash
# Builds what the image holds (preset release) and installs it below OUTDIR, with fixed time stamps.
#
#   deploy/images/stage.sh OUTDIR
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
[[ $# == 1 && -n $1 && $1 != / ]] || {
  echo "usage: $0 OUTDIR" >&2
  exit 2
}
tools/build.sh fetch products
rm -rf "$1"
mkdir -p "$1"
DESTDIR=$(cd "$1" && pwd) cmake --install build/release --prefix /usr --component runtime --strip \
  >/dev/null
# People read these on their machines, not in an image.
rm -rf "$1/usr/share/man" "$1/usr/share/lintian"
find "$1" -exec touch -h -d "@${SOURCE_DATE_EPOCH:-$(cat deploy/images/epoch)}" {} +
