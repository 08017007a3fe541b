#!/usr/bin/env bash
# Finds what the demo left on the machine: processes of this build, mounts, network namespaces,
# interfaces, addresses, routes, packet filter rules, control groups.
#
#   leftovers.sh snapshot FILE   writes the present picture
#   leftovers.sh compare FILE    fails and prints what is there now and was not then
#
# Containers or clusters that somebody else starts meanwhile show up as well.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
readonly root

processes() {
  local path program
  for path in /proc/[0-9]*; do
    program=$(readlink "$path/exe" 2>/dev/null) || continue
    case $program in
      "$root"/build/* | */containerd | */containerd-shim-runc-v2 | */runc)
        echo "process ${path#/proc/} $program"
        ;;
    esac
  done
}

network() {
  ip netns list | sed 's/^/netns /'
  find /run/netns /var/run/netns -mindepth 1 2>/dev/null | sed 's/^/netns /' || true
  ip -o link show | awk -F ': ' '{ print "link", $2 }'
  # IPv4 only: IPv6 addresses and routes of a machine come and go by themselves.
  ip -4 -o address show | awk '{ print "address", $2, $3, $4 }'
  ip -4 route show table all | sed 's/^/route /'
}

rules() {
  local tool
  for tool in iptables-save ip6tables-save; do
    command -v "$tool" >/dev/null || continue
    "$tool" 2>/dev/null | grep -v '^#' | sed -E 's/\[[0-9]+:[0-9]+\]//; s/^/'"$tool"' /' || true
  done
}

picture() {
  {
    processes
    awk -v at="$root/" 'index($5, at) == 1 { print "mount", $5 }' /proc/self/mountinfo
    awk '$5 ~ /^\/(run|var\/lib)\/(containerd|kubelet|cni|netns)/ { print "mount", $5 }' \
      /proc/self/mountinfo
    network
    rules
    find /sys/fs/cgroup -type d \( -name '*kubepods*' -o -name '*oarlock*' -o -name '*devcluster*' \
      \) -printf 'cgroup %p\n' 2>/dev/null || true
  } | sort -u
}

compare() {
  local deadline=$((SECONDS + 20)) added
  # The kernel takes a namespace apart after its last process is gone: give it a moment.
  while added=$(picture | comm -13 "$1" -) && [[ -n $added ]]; do
    if ((SECONDS >= deadline)); then
      echo "left behind:"
      printf '  %s\n' "${added//$'\n'/$'\n'  }"
      return 1
    fi
    sleep 1
  done
  echo "nothing was left behind"
}

case ${1:-} in
  snapshot) picture >"$2" ;;
  compare) compare "$2" ;;
  *)
    echo "error: expected 'snapshot FILE' or 'compare FILE', found '$*'" >&2
    exit 2
    ;;
esac
