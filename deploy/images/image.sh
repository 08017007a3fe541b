#!/usr/bin/env bash
# Builds and pushes the image of oarlockd (make docker-build, make docker-push).
#
#   deploy/images/image.sh build IMG
#   deploy/images/image.sh size IMG      prints what a node downloads
#   deploy/images/image.sh push IMG
#   deploy/images/image.sh save IMG FILE.tar     a docker archive, for `devcluster load-image`
#   deploy/images/image.sh root IMG PROGRAM BASE.SH-OPTION...
#                                        an image of Debian packages alone, which runs PROGRAM
#
# Environment:
#   BUILDER=compile|prebuilt   in the image build from the sources, or with what is built here
#   BASE, BUILD_BASE           images to build on; by default made here from Debian packages
#   CONTAINER_TOOL             docker or buildah; by default docker if its engine answers
#   PLAIN_HTTP=1               push over plain HTTP, or to a certificate nobody knows (buildah)
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
readonly root
cd "$root"

readonly work=$root/build/images
readonly here=deploy/images
readonly engine_seconds=5

fail() {
  printf 'image.sh: error: %s\n' "$*" >&2
  exit 1
}

choose_tool() {
  tool=${CONTAINER_TOOL:-}
  if [[ -z $tool ]] && timeout "$engine_seconds" docker info >/dev/null 2>&1; then tool=docker; fi
  [[ -n $tool ]] || tool=buildah
  [[ $tool =~ ^(docker|buildah)$ ]] ||
    fail "CONTAINER_TOOL: expected docker or buildah, found $tool"
  command -v "$tool" >/dev/null || fail "expected docker with an engine that answers, or buildah;
  found neither. Debian's buildah needs no engine: tools/deps.sh images"
}

# Images and layers stay below build/, so that make demo-down PURGE=1 removes them.
tool_run() {
  if [[ $tool == docker ]]; then
    docker "$@"
  else
    buildah --root "$work/storage" --runroot "$work/run" --storage-driver vfs "$@"
  fi
}

# NAME as an image in the local store, from a root file system. Made again only when what makes it
# has changed.
base_image() { # NAME PROGRAM base.sh-OPTION...
  local name=$1 program=$2 file=$work/${1##*/} container print
  shift 2
  file=${file/:/-}
  print=$(printf '%s\n' "$@" | cat - "$here/base.sh" "$here/epoch" | sha256sum)
  if [[ $(cat "$file.made" 2>/dev/null) != "$print" || ! -e $file.tar ]]; then
    echo "making $name from Debian packages"
    "$here/base.sh" "$@" "$file.tar"
    echo "$print" >"$file.made"
    rm -f "$file.loaded"
  fi
  [[ $(cat "$file.loaded" 2>/dev/null) != "$tool" ]] || return 0
  if [[ $tool == docker ]]; then
    docker import ${program:+--change 'USER 65532:65532' --change "ENTRYPOINT [\"$program\"]"} \
      "$file.tar" "$name" >/dev/null
  else
    container=$(tool_run from scratch)
    tool_run add --quiet "$container" "$file.tar" / >/dev/null
    [[ -z $program ]] ||
      tool_run config --user 65532:65532 --entrypoint "[\"$program\"]" "$container"
    tool_run commit --quiet --rm --timestamp "$epoch" "$container" "$name" >/dev/null
  fi
  echo "$tool" >"$file.loaded"
}

# The packages of base.list as they are called in this machine's Debian.
base_packages() {
  local pattern found
  while read -r pattern; do
    [[ -n $pattern && $pattern != '#'* ]] || continue
    found=$(dpkg-query -W -f '${Package}\n' | grep -xE "$pattern" | sort -V | tail -n 1) || true
    [[ -n $found ]] || fail "expected an installed package that matches '$pattern',
  as $here/base.list asks, found none: tools/deps.sh build"
    echo "$found"
  done <"$here/base.list" | paste -sd ,
}

prepare_bases() {
  if [[ -z ${BASE:-} ]]; then
    BASE=localhost/oarlock-base:latest
    base_image "$BASE" '' --include "$(base_packages)"
  fi
  if [[ $BUILDER == compile && -z ${BUILD_BASE:-} ]]; then
    BUILD_BASE=localhost/oarlock-build-base:latest
    base_image "$BUILD_BASE" '' --apt --include bash,ca-certificates,curl,git,jq
  fi
}

build() { # IMG
  local options=(--file "$here/Dockerfile" --build-arg "BASE=$BASE" --build-arg "BUILDER=$BUILDER")
  [[ -z ${BUILD_BASE:-} ]] || options+=(--build-arg "BUILD_BASE=$BUILD_BASE")
  if [[ $tool == docker ]]; then
    SOURCE_DATE_EPOCH=$epoch DOCKER_BUILDKIT=1 docker build "${options[@]}" --tag "$1" .
  else
    tool_run build --isolation chroot --format oci --timestamp "$epoch" --layers=false \
      --ignorefile "$here/Dockerfile.dockerignore" "${options[@]}" --tag "$1" .
  fi
}

save() { # IMG FILE
  rm -f "$2"
  mkdir -p "$(dirname "$2")"
  if [[ $tool == docker ]]; then
    docker save --output "$2" "$1"
  else
    tool_run push --quiet --format v2s2 "$1" "docker-archive:$2:$1"
  fi
}

# What a node downloads: each layer as registries keep it.
print_size() { # IMG
  local file=$work/size.tar layer bytes all=0 last=0
  save "$1" "$file"
  while read -r layer; do
    bytes=$(tar -xOf "$file" "$layer" | { gzip -dcf 2>/dev/null || true; } | gzip -6 | wc -c)
    all=$((all + bytes))
    last=$bytes
  done < <(tar -xOf "$file" manifest.json | jq -r '.[0].Layers[]')
  rm -f "$file"
  printf '%s: %d.%d MiB compressed, %d.%d MiB of it over its base\n' "$1" \
    $((all / 1048576)) $((all % 1048576 * 10 / 1048576)) \
    $((last / 1048576)) $((last % 1048576 * 10 / 1048576))
}

push() { # IMG
  local options=()
  if [[ $tool == docker ]]; then
    docker push "$1"
  else
    [[ ${PLAIN_HTTP:-} != 1 ]] || options+=(--tls-verify=false)
    tool_run push "${options[@]}" "$1" "docker://$1"
  fi
}

main() {
  local command=${1:-} image=${2:-}
  [[ $command =~ ^(build|size|push|save|root)$ && -n $image ]] ||
    fail "expected 'build IMG', 'size IMG', 'push IMG', 'save IMG FILE' or 'root IMG PROGRAM
  OPTION...', found '$*'; with make:
  make docker-build docker-push IMG=registry.example.com/team/oarlock:v1"
  [[ $command != save || -n ${3:-} ]] || fail "save: expected FILE.tar, found nothing"
  BUILDER=${BUILDER:-compile}
  [[ $BUILDER =~ ^(compile|prebuilt)$ ]] ||
    fail "BUILDER: expected compile or prebuilt, found '$BUILDER'"
  epoch=${SOURCE_DATE_EPOCH:-$(cat "$here/epoch")}
  choose_tool
  mkdir -p "$work"
  case $command in
    build)
      prepare_bases
      [[ $BUILDER != prebuilt ]] || "$here/stage.sh" "$work/root"
      mkdir -p "$work/root" # the context names it in any case
      build "$image"
      ;;
    size) print_size "$image" ;;
    push) push "$image" ;;
    root) base_image "$image" "${3:-}" "${@:4}" ;;
    save) save "$image" "$3" ;;
  esac
}

main "$@"
