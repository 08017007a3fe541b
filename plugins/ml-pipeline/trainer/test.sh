#!/usr/bin/env bash
# Runs the trainer's tests with the packages that its image has: wheels pinned by hash, in a virtual
# environment in build/trainer. Ends with 77 where the Python at hand has no such wheels.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd -P)
readonly root trainer=$root/plugins/ml-pipeline/trainer venv=$root/build/trainer/venv

version=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
case $version in
  3.11 | 3.13) ;;
  *)
    echo "skipped: expected Python 3.11 or 3.13 (Debian 12 or 13), found $version"
    exit 77
    ;;
esac
if ! cmp -s "$trainer/requirements.txt" "$venv/requirements.txt"; then
  rm -rf "$venv"
  mkdir -p "$(dirname "$venv")"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --no-deps --require-hashes --only-binary :all: \
    -r "$trainer/requirements.txt"
  cp "$trainer/requirements.txt" "$venv/requirements.txt"
fi
cd "$trainer"
PYTHONDONTWRITEBYTECODE=1 exec "$venv/bin/python" -m unittest "${@:-tests.test_trainer}"
