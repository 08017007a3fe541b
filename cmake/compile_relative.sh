#!/usr/bin/env bash
# compile_relative.sh SOURCE_DIR UP CCACHE COMPILER ARGUMENT...
#
# Compiles with the source tree named as UP, the way to it from the build folder, so that ccache
# finds what another clone has compiled. Its own base_dir leaves some absolute paths as they are:
# the header that is precompiled (behind -Xclang), and -fsanitize-ignorelist.
set -euo pipefail
readonly source_dir=$1 up=$2
shift 2
arguments=()
for argument in "$@"; do
  case $argument in
    -D* | -fdebug-prefix-map=*) ;; # a value, not a path to open
    *"$source_dir") argument=${argument%"$source_dir"}$up ;;
    *) argument=${argument//"$source_dir/"/"$up/"} ;;
  esac
  arguments+=("$argument")
done
exec "${arguments[@]}"
