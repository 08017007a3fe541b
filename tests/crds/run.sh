#!/usr/bin/env bash
# Types of CustomResourceDefinitions of well-known projects: made by `oarlock generate types`,
# compiled without a warning, and the projects' own samples come back through them as equal JSON.
# The projects come as Go modules of pinned hashes (modules.json); nothing of them is in this tree.
#
#   tests/crds/run.sh OARLOCK short|long     OARLOCK: the tool to test
set -euo pipefail
oarlock=$(realpath "$1")
readonly oarlock which=$2
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
command -v go >/dev/null || {
  echo "no go in PATH (make deps)"
  exit 77
}
work=$(mktemp -d)
readonly work
trap 'rm -rf "$work"' EXIT
cxx=${CXX:-$(command -v clang++-19 || command -v c++)}
read -ra launcher <<<"$(command -v ccache || true)"
readonly flags=(-std=c++20 -O0 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
  -Wnon-virtual-dtor -Woverloaded-virtual -Werror -DRAPIDJSON_HAS_STDSTRING=1
  -Iplugin-api/sdk -Iplugin-api/include -I.)
readonly json_seconds=20
if [[ $which == long ]]; then
  # All checkouts together are 2 GB: one is there at a time. What the machine's own cache has is
  # taken from there.
  kept=file://$(go env GOMODCACHE)/cache/download
  proxies=$(go env GOPROXY)
  flags_of_go=$(go env GOFLAGS)
  export GOMODCACHE=$work/modules GOPROXY=$kept,$proxies GOFLAGS="$flags_of_go -modcacherw"
fi

# The module's folder; fails when the proxy gives something else than the pinned hash.
folder_of() { # MODULE VERSION HASH
  local answer hash
  answer=$(cd "$work" && go mod download -json "$1@$2")
  hash=$(sed -n 's/^[[:space:]]*"Sum": "\(.*\)",*$/\1/p' <<<"$answer")
  if [[ $hash != "$3" ]]; then
    echo "error: $1@$2: expected the hash $3, found '$hash'" >&2
    return 1
  fi
  sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$/\1/p' <<<"$answer"
}

# Every object of YAML files as a JSON file of its own. Templates and broken files, which some
# samples are on purpose, are left out.
samples() { # OUTDIR LEFT-OUT FOLDER...
  local out=$1 left_out=$2 file document number=0
  shift 2
  mkdir -p "$out/yaml"
  while IFS= read -r -d '' file; do
    [[ " $left_out " != *" ${file##*/} "* ]] || continue
    number=$((number + 1))
    awk -v out="$out/yaml/$number" 'BEGIN { n = 0 } /^---/ { n++; next }
      { print > (out "-" n ".yaml") }' "$file"
  done < <(find "$@" -name '*.yaml' -print0 2>/dev/null | sort -z)
  for document in "$out"/yaml/*.yaml; do
    grep -qE "$kinds" "$document" || continue
    timeout "$json_seconds" "$oarlock" plugin json "$document" \
      >"$out/$(basename "$document" .yaml).json" 2>/dev/null ||
      rm -f "$out/$(basename "$document" .yaml).json"
  done
  rm -rf "$out/yaml"
}

# The sources of a program that knows every kind whose header is below a folder: one for each kind,
# as those of some projects need gigabytes to compile together.
sources() { # TYPES OUTDIR
  local header space number=0
  mkdir -p "$2"
  while IFS= read -r header; do
    number=$((number + 1))
    space=$(sed -n 's/^namespace \(.*[^ ]\) {$/\1/p' "$header" | head -n 1)
    cat >"$2/$number.cpp" <<EOF
#include "tests/crds/round_trip.hpp"
#include "${header#"$1"/}"
namespace oarlock::crds {
kind kind_$number();
kind kind_$number() {
  return of<$space::$(basename "$header" .hpp)>();
}
}  // namespace oarlock::crds
EOF
  done < <(find "$1" -name '*.hpp' | sort)
  {
    printf '#include "tests/crds/round_trip.hpp"\nnamespace oarlock::crds {\n'
    seq -f 'kind kind_%.0f();' "$number"
    printf '}  // namespace oarlock::crds\nint main(int argc, char** argv) {\n'
    printf '  const oarlock::crds::kind kinds[] = {\n'
    seq -f '      oarlock::crds::kind_%.0f(),' "$number"
    printf '  };\n  return oarlock::crds::run(kinds, argc, argv);\n}\n'
  } >"$2/main.cpp"
}

check_module() { # MODULE VERSION HASH CRDS SAMPLES LEFT-OUT
  local folder here files=() patterns folders sample_folders=() pattern started=$SECONDS
  here=$work/$(basename "$1")
  folder=$(folder_of "$1" "$2" "$3")
  read -ra patterns <<<"$4" # not expanded yet: this tree has a deploy/crds, too
  for pattern in "${patterns[@]}"; do
    # shellcheck disable=SC2206  # the pattern is to be expanded
    files+=("$folder"/$pattern)
  done
  read -ra folders <<<"$5"
  for pattern in "${folders[@]}"; do sample_folders+=("$folder/$pattern"); done
  "$oarlock" generate types "${files[@]}" -o "$here/types" >/dev/null
  sources "$here/types" "$here/sources"
  kinds="^kind: *($(grep -rhoP '::string_view kind = "\K[A-Za-z0-9]+' "$here/types" | sort -u |
    paste -sd '|')) *\$"
  [[ $5 == - ]] || samples "$here/samples" "$6" "${sample_folders[@]}"
  printf '%s\0' "$here"/sources/*.cpp | xargs -0 -P "$(nproc)" -I '{}' "${launcher[@]}" "$cxx" \
    "${flags[@]}" "-I$here/types" -c '{}' -o '{}.o'
  "$cxx" "$here"/sources/*.o -o "$here/program"
  printf '%s %s, %d CRDs, %d lines of headers: ' "$1" "$2" "${#files[@]}" \
    "$(find "$here/types" -name '*.hpp' -exec cat {} + | wc -l)"
  if [[ $5 == - ]]; then "$here/program"; else "$here/program" "$here"/samples/*.json; fi
  echo "  $((SECONDS - started)) s"
  rm -rf "$here"
  [[ $which != long ]] || rm -rf "$GOMODCACHE"
}

while IFS="|" read -r -u 3 module version hash short long folders left_out; do
  case $which in
    short) crds=$short ;;
    long) crds=$long ;;
    *)
      echo "error: expected short or long, found '$which'" >&2
      exit 2
      ;;
  esac
  [[ $crds == - ]] || check_module "$module" "$version" "$hash" "$crds" "$folders" \
    "$left_out"
done 3< <(jq -r '.[] | [.module, .version, .sum, .crds_of_short_run // "-", .crds, .samples // "-",
  .refused_by_their_own_schema // "-"] | join("|")' tests/crds/modules.json)
