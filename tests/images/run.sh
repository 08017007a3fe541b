#!/usr/bin/env bash
# The image of oarlockd, made of what is built here: the same bytes twice, small over its base, not
# root, without a shell, and every program in it starts.
#
#   tests/images/run.sh
#
# Needs root (buildah) and the Debian packages of `tools/deps.sh images`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
readonly image=localhost/oarlock-test
readonly over_base_bytes_max=$((40 * 1024 * 1024))
if [[ $(id -u) != 0 ]]; then
  echo "needs root: buildah makes images in file systems of their own"
  exit 77
fi
export CONTAINER_TOOL=buildah BUILDER=prebuilt
work=$(mktemp -d)
readonly work

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

buildah_here() {
  buildah --root build/images/storage --runroot build/images/run --storage-driver vfs "$@"
}

cleanup() {
  [[ -z ${container:-} ]] || buildah_here rm "$container" >/dev/null || true
  buildah_here rmi "$image:one" "$image:two" >/dev/null 2>&1 || true
  rm -rf "$work"
}

digest() { buildah_here inspect --type image --format '{{.FromImageDigest}}' "$1"; }

# Bytes of the last layer as a registry keeps it.
over_base() { # IMAGE
  local layer
  deploy/images/image.sh save "$1" "$work/image.tar"
  layer=$(tar -xOf "$work/image.tar" manifest.json | jq -r '.[0].Layers[-1]')
  tar -xOf "$work/image.tar" "$layer" | gzip -6 | wc -c
}

check_contents() {
  local folder program
  container=$(buildah_here from "$image:one")
  folder=$(buildah_here mount "$container")
  [[ $(buildah_here inspect --type image --format '{{.OCIv1.Config.User}}' "$image:one") == \
    65532:65532 ]] || fail "expected the user 65532:65532"
  [[ -z $(find "$folder/bin/" "$folder/sbin/" -name '*sh' 2>/dev/null) ]] ||
    fail "expected no shell in the image"
  [[ -z $(find "$folder" -xdev \( -perm -4000 -o -perm -2000 \) -type f) ]] ||
    fail "expected no setuid or setgid file in the image"
  [[ -z $(find "$folder" -xdev -name '*.so' -path '*plugin*') ]] ||
    fail "expected no plugin in the image"
  for program in 'bin/oarlockd --version' 'bin/oarlock --help' \
    'libexec/oarlock/oarlock-fetch help'; do
    # shellcheck disable=SC2086  # program and argument
    chroot --userspec=65532:65532 "$folder" /usr/$program >"$work/out" 2>&1 ||
      fail "$program: $(head -n 3 "$work/out")"
  done
  # It talks to the daemon that starts it and to nobody else: that it loads is what can be seen.
  chroot --userspec=65532:65532 "$folder" /lib64/ld-linux-x86-64.so.2 --verify \
    /usr/libexec/oarlock/oarlock-plugin-host || fail "oarlock-plugin-host: a library is missing"
  buildah_here umount "$container" >/dev/null
}

main() {
  local bytes
  trap cleanup EXIT
  trap 'exit 130' INT TERM HUP
  deploy/images/image.sh build "$image:one" >"$work/one.log" 2>&1 ||
    fail "no image: $(tail -n 5 "$work/one.log")"
  deploy/images/image.sh build "$image:two" >"$work/two.log" 2>&1 ||
    fail "no second image: $(tail -n 5 "$work/two.log")"
  [[ $(digest "$image:one") == "$(digest "$image:two")" ]] ||
    fail "two builds of one thing: $(digest "$image:one") and $(digest "$image:two")"
  check_contents
  bytes=$(over_base "$image:one")
  ((bytes < over_base_bytes_max)) ||
    fail "expected less than $over_base_bytes_max bytes over the base, found $bytes"
  echo "$image: $(digest "$image:one"), $bytes bytes compressed over its base"
}

main
