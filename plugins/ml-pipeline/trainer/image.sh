#!/usr/bin/env bash
# Makes the trainer's image from Debian packages and wheels of PyPI pinned by hash.
#
#   plugins/ml-pipeline/trainer/image.sh OUT.tar [NAME]
#
# OUT.tar is a docker archive, for `devcluster load-image`. NAME: oarlock-ml-trainer:0.1.0, which is
# what the plugin asks for. Needs mmdebstrap and buildah (tools/deps.sh images python). What is
# there already is not made again.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd -P)
readonly root here=$root/plugins/ml-pipeline/trainer work=$root/build/trainer
readonly out=${1:?expected OUT.tar} name=${2:-oarlock-ml-trainer:0.1.0}
readonly suite=bookworm python=3.11 # requirements.txt has wheels for it

# Wheels are unpacked for the image's Python, whatever this machine has.
unpack_wheels() { # FOLDER
  rm -rf "$1.new"
  python3 -m venv "$1.new/venv"
  "$1.new/venv/bin/pip" install --quiet --no-deps --no-compile --require-hashes \
    --only-binary :all: --python-version "$python" --platform manylinux_2_28_x86_64 \
    --platform manylinux2014_x86_64 --platform manylinux_2_17_x86_64 \
    --target "$1.new/site" -r "$here/requirements.txt"
  # Tests and headers are for those who build on them.
  find "$1.new/site" -depth -type d \( -name tests -o -name include \) -exec rm -rf {} +
  rm -rf "$1.new/venv" "$1.new/site/bin" "$1"
  mv "$1.new" "$1"
}

# Debian's Python, the wheels and the trainer's programs.
make_root() { # OUT.tar
  # shellcheck disable=SC2016  # $1 is the hook's own
  "$root/deploy/images/base.sh" --suite "$suite" --include python3,libgomp1,libstdc++6 --hook "
    packages=\$1/usr/lib/python3/dist-packages
    mkdir -p \$packages
    cp -r '$work/wheels/site/.' \$packages/
    cp -r '$here/oarlock_trainer' \$packages/
    find \$packages -name __pycache__ -exec rm -rf {} +
    printf '%s\n' '#!/usr/bin/python3' 'import sys' 'from oarlock_trainer.__main__ import main' \
      'sys.exit(main(sys.argv[1:]))' >\$1/usr/bin/oarlock-trainer
    chmod 755 \$1/usr/bin/oarlock-trainer" "$1"
}

buildah_here() { buildah --root "$work/storage" --runroot "$work/run" --storage-driver vfs "$@"; }

make_archive() { # ROOT.tar OUT.tar
  local container epoch
  epoch=$(cat "$root/deploy/images/epoch")
  container=$(buildah_here from scratch)
  buildah_here add --quiet "$container" "$1" / >/dev/null
  buildah_here config --user 65532:65532 --entrypoint '["/usr/bin/oarlock-trainer"]' "$container"
  buildah_here commit --quiet --rm --timestamp "$epoch" "$container" "$name" >/dev/null
  rm -f "$2"
  buildah_here push --quiet --format v2s2 "$name" "docker-archive:$2:$name"
  buildah_here rmi "$name" >/dev/null
}

main() {
  local wheels programs
  mkdir -p "$work" "$(dirname "$out")"
  wheels=$(cat "$here/requirements.txt" "$here/image.sh" | sha256sum)
  if [[ $(cat "$work/wheels/made" 2>/dev/null) != "$wheels" ]]; then
    unpack_wheels "$work/wheels"
    echo "$wheels" >"$work/wheels/made"
  fi
  programs=$(find "$here/oarlock_trainer" -name '*.py' -print0 | sort -z |
    xargs -0 cat "$work/wheels/made" "$root/deploy/images/base.sh" | sha256sum)
  if [[ $(cat "$work/image.made" 2>/dev/null) != "$programs" || ! -e $work/image.tar ]]; then
    make_root "$work/root.tar"
    make_archive "$work/root.tar" "$work/image.tar"
    rm -f "$work/root.tar"
    echo "$programs" >"$work/image.made"
  fi
  [[ $out -ef $work/image.tar ]] || ln -f "$work/image.tar" "$out" 2>/dev/null ||
    cp "$work/image.tar" "$out"
}

main
