#!/usr/bin/env bash
# Formats the C and C++ of the tree (make format); --check only lists what it would change.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

formatter=$(command -v clang-format-19 || command -v clang-format || true)
if [[ -z $formatter ]]; then
  echo "error: expected clang-format-19 in PATH, found none. Install it: make deps" >&2
  exit 1
fi

sources() {
  find . \( -path ./.git -o -path ./build \) -prune -o \
    \( -name '*.cpp' -o -name '*.hpp' -o -name '*.c' -o -name '*.h' \) -type f -print0
}

if [[ ${1:-} != --check ]]; then
  sources | xargs -0 -r -n 20 -P 2 "$formatter" --style=file -i
  exit 0
fi
wrong=$(sources | xargs -0 -r "$formatter" --style=file --dry-run 2>&1 |
  sed -nE 's/^([^ :]+):([0-9]+):[0-9]+: (warning|error):.*/\1:\2/p' | sort -u -t : -k 1,1)
if [[ -n $wrong ]]; then
  # shellcheck disable=SC2086  # one line per file is meant
  printf '%s: found another format; expected that of .clang-format (make format)\n' $wrong >&2
  exit 1
fi
