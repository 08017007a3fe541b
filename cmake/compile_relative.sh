#!/usr/bin/env bash
# compile_relative.sh SOURCE_DIR UP CCACHE COMPILER ARGUMENT...
#
# Compiles with the source tree named as UP, the way to it from the build folder, so that ccache
# finds what another clone has compiled. Its own base_dir leaves some absolute paths as they are:
# the header that is precompiled (behind -Xclang), and -fsanitize-ignorelist.
#
# A precompiled header is of one folder only: it names it, so ccache has no part in it. What is
# compiled with it is known by what went into it, FILE.pch.sum (ccache's pch_external_checksum).
set -euo pipefail
readonly source_dir=$1 up=$2
shift 2
arguments=() inputs=() is_pch=no output='' dependencies='' before=''
for argument in "$@"; do
  case $argument in
    -D* | -f*-prefix-map=*) ;; # a value, not a path to open
    *"$source_dir") argument=${argument%"$source_dir"}$up ;;
    *) argument=${argument//"$source_dir/"/"$up/"} ;;
  esac
  arguments+=("$argument")
  [[ $argument == -f*-prefix-map=* ]] || inputs+=("$argument")
  case $before in
    -o) output=$argument ;;
    -MF) dependencies=$argument ;;
  esac
  [[ $argument != -emit-pch ]] || is_pch=yes
  before=$argument
done
[[ $is_pch == yes ]] || exec "${arguments[@]}"

"${arguments[@]:1}"
{
  printf '%s\n' "${inputs[@]}"
  sed -e 's/^[^ ]*: //' -e 's/\\$//' "$dependencies" | xargs cat
} | sha256sum >"$output.sum"
