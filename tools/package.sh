#!/usr/bin/env bash
# Builds the Debian packages oarlock and oarlock-dev (make package).
#
#   tools/package.sh [PRESET]     release by default; the packages are in build/PRESET/packages
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly preset=${1:-release}
core/package/helper/build.sh build/bin
mkdir -p build/tools
core/package/helper/licenses.sh | gzip -9n >build/tools/oarlock-fetch.licenses.gz
cmake --preset "$preset" >/dev/null
cmake --build --preset "$preset" --target oarlockd oarlock oarlock-plugin-host install_files
rm -rf "build/$preset/packages"
(cd "build/$preset" && cpack -G DEB)
# cpack leaves the unpacked trees behind.
rm -rf "build/$preset/packages/_CPack_Packages"
ls -l "build/$preset/packages"
