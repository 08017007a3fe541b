#!/usr/bin/env bash
# The Debian packages: what is in them, what they need, and that a project outside of the tree
# builds a plugin against them, with GCC 12 where it is there. Nothing is installed on the machine:
# they are unpacked into a folder of their own.
#
#   tests/outside/packages.sh FOLDER     the folder of the packages (tools/package.sh)
set -euo pipefail
packages=$(cd "$1" && pwd -P)
readonly packages
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
work=$(mktemp -d)
readonly work tree=$work/tree
trap 'rm -rf "$work"' EXIT

fail() {
  echo "error: $*" >&2
  exit 1
}

for package in oarlock oarlock-dev; do
  files=("$packages/${package}"_*.deb)
  [[ ${#files[@]} == 1 && -f ${files[0]} ]] ||
    fail "expected one package $package in $packages, found: ${files[*]}"
  dpkg-deb -x "${files[0]}" "$tree"
done

echo "== every library that a program links is a dependency"
depends=$(dpkg-deb -f "$packages"/oarlock_*.deb Depends)
for library in libc6 libstdc++6 libssl3 libseccomp2 libyaml-cpp; do
  [[ $depends == *"$library"* ]] || fail "expected $library in Depends, found: $depends"
done
# What apt would install with them; fails when a dependency cannot be had.
apt-get -s -o Debug::NoLocking=1 install --no-install-recommends "$packages"/*.deb \
  >"$work/apt.log" 2>&1 || {
  cat "$work/apt.log" >&2
  fail "apt cannot satisfy the dependencies"
}

echo "== the build leaves no path of itself"
if grep -rlF "$PWD" "$tree"; then fail "expected no path of the build in these files"; fi

echo "== manual pages say what --help says"
for program in oarlock oarlockd; do
  zcat "$tree/usr/share/man/man1/$program.1.gz" | sed 's/\\-/-/g' >"$work/page"
  grep -qF -- '-h,--help' "$work/page" || fail "no options in the page of $program"
done

echo "== lintian"
if command -v lintian >/dev/null; then
  lintian --allow-root --fail-on error,warning "$packages"/*.deb
else
  echo "left out: no lintian in PATH (tools/deps.sh packages)"
fi

echo "== a plugin of somebody else's"
cp -r plugins/myapp "$work/project"
cp tests/outside/plugin/CMakeLists.txt "$work/project/"
env CXX="$(command -v g++-12 || command -v g++)" CC="$(command -v gcc-12 || command -v gcc)" \
  PATH="$tree/usr/bin:$PATH" cmake -S "$work/project" -B "$work/build" -G Ninja \
  -DCMAKE_PREFIX_PATH="$tree/usr" -DCMAKE_CXX_FLAGS="-Wall -Wextra -Werror"
cmake --build "$work/build"
"$tree/usr/bin/oarlock" plugin inspect "$work/build/libmyapp.so"

echo "== an image of it, by the packaged helper"
"$tree/usr/bin/oarlock" plugin build "$work/build" -o "$work/myapp.tar" >"$work/image.log" || {
  cat "$work/image.log" >&2
  fail "oarlock plugin build failed"
}
"$tree/usr/bin/oarlock" plugin inspect "$work/myapp.tar" | grep -F libmyapp.so ||
  fail "expected libmyapp.so in the image"

echo "== a scaffolded project, with two kinds"
mkdir "$work/cat-operator"
(
  cd "$work/cat-operator"
  export PATH=$tree/usr/bin:$PATH CMAKE_PREFIX_PATH=$tree/usr CXXFLAGS=-Werror
  oarlock init --domain example.com --repo github.com/example/cat-operator
  oarlock create api --group example --version v1alpha1 --kind Cat --resource --controller
  oarlock create api --group class --version v1 --kind Class --plural classes
  make test
  oarlock plugin inspect build
  oarlock plugin manifest build >/dev/null

  echo "== the library has no symbols; they are beside it"
  if readelf -SW build/libcat.so | grep -E '\.(symtab|debug_info)'; then
    fail "expected no symbols in build/libcat.so"
  fi
  entry=$(nm -D --defined-only build/libcat.so | sed -n 's/ . oarlock_plugin_entry.*//p')
  addr2line -e build/.debug/libcat.so.debug "0x$entry" | grep -F src/plugin.cpp ||
    fail "expected the source of the entry at 0x$entry in build/.debug"

  echo "== its image, which has nothing else"
  make docker-build
  oarlock plugin inspect build/cat.tar | tee "$work/image.log"
  if grep -F .debug "$work/image.log"; then fail "expected no symbols in the image"; fi

  echo "== cases are rewritten, and the difference is shown"
  sed -i 's/container.name = "app"/container.name = "main"/' src/cat/plan.cpp
  if make test >"$work/test.log" 2>&1; then fail "expected the cases to fail"; fi
  make update-cases | tee "$work/update.log"
  for line in 'gets exactly this Deployment: updated' '^-  *- {name: app' '^+ .*name: main'; do
    grep -q -- "$line" "$work/update.log" || fail "expected in the output of update-cases: $line"
  done
  make test

  echo "== a changed CRD reaches all that is compiled against it, in the same build"
  mkdir other
  echo 'add_library(other OBJECT ../src/cat/plan.cpp)
    target_link_libraries(other PRIVATE plugin_cat_types Oarlock::plugin_sdk)' >other/CMakeLists.txt
  echo 'add_subdirectory(other)' >>CMakeLists.txt
  make build
  sed -i 's/How many pods shall run/How many cats shall run/' crds/example.com_cats.yaml
  make build
  header=build/plugin_cat-types/example.com/v1alpha1/cat.hpp
  grep -q 'How many cats' "$header" || fail "expected $header to follow its CRD"
  while IFS= read -r object; do
    [[ $object -nt $header ]] || fail "$object is older than $header"
  done < <(find build -name plan.cpp.o -path '*cat/*')

  echo "== a new manifest comes with its library, not before"
  sed -i 's/version: 0.1.0/version: 0.1.1/' plugin.yaml
  echo '#error not yet' >>src/cat/plan.cpp
  if make build >"$work/broken.log" 2>&1; then fail "expected the build to fail"; fi
  grep -q 'version: 0.1.0' build/plugin.yaml || fail "the manifest was copied before the link"
  sed -i '$d' src/cat/plan.cpp
  make build
  grep -q 'version: 0.1.1' build/plugin.yaml || fail "the manifest was not copied"
)

for file in plugin.yaml plugin.json crds/example.com_myapps.json samples/myapp.yaml; do
  [[ -s $work/build/$file ]] || fail "expected $file beside the library, found none"
done
