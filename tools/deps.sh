#!/usr/bin/env bash
# Installs what the project needs from Debian, and nothing when it is all there.
#
#   tools/deps.sh [--list] [GROUP...]      groups: build go node (the default) rust registry
#                                          mysql images python packages
#
#   --list  only prints the names of the packages that are missing
#
#   build   C++ toolchain and libraries, and the tools of the test scripts
#   go      a Go that can fetch the toolchain a go.mod asks for; only if PATH has none
#   rust    a Rust compiler for the plugins of the tests; only if PATH has none
#   node    what a Kubernetes node needs on this machine: containerd, CNI plugins, iptables
#   registry   a container registry for the tests of plugin images
#   mysql   what makes a root file system with MySQL, and runs servers in it
#   images     what makes container images without an engine or a public registry
#   python  Python with virtual environments, for the trainer of ml-pipeline
#   packages   what judges our own Debian packages
#
# On Debian 12 two suites are added beside the ones the machine already uses, from the same mirror:
# bookworm-backports, and trixie pinned so low that a package comes from it only when named here.
# OARLOCK_SKIP_DEPS=1 turns the script into a no-op, for other distributions.
set -euo pipefail

readonly deadline_seconds=1800
readonly sources_file=/etc/apt/sources.list.d/oarlock.sources
readonly pin_file=/etc/apt/preferences.d/oarlock
readonly policy_file=/usr/sbin/policy-rc.d
readonly policy_mark='# written by oarlock tools/deps.sh, removed when it ends'
readonly apt_options=(-y -q -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3
  -o APT::Color=0 -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold)

say() { printf 'deps: %s\n' "$*"; }
die() {
  printf 'deps: error: %s\n' "$*" >&2
  exit 1
}

# One line per package: NAME [MINIMUM-VERSION [SUITE]]. SUITE: where Debian 12 has to take it from.
packages_build() {
  cat <<'LIST'
abigail-tools
make
cmake 3.25
ninja-build
ccache
g++
clang-19
lld-19
llvm-19
libclang-rt-19-dev
clang-format-19
libboost1.83-dev 1.83 bookworm-backports
rapidjson-dev 1.1.0+dfsg2-7.4 trixie
prometheus-cpp-dev
libspdlog-dev
libfmt-dev
libcli11-dev
libyaml-cpp-dev
libgtest-dev
libgmock-dev
libbenchmark-dev
libzstd-dev
libseccomp-dev
libssl-dev
zlib1g-dev
ca-certificates
curl
dpkg-dev
file
git
jq
procps
promtool 2.53 trixie
python3
shellcheck
util-linux
LIST
}

packages_go() {
  have_go || printf '%s 2:1.21~ bookworm-backports\n' golang-go golang-src
}

packages_rust() {
  have_rust || printf '%s 1.63\n' rustc
}

packages_registry() { echo docker-registry; }

packages_mysql() { printf '%s\n' bubblewrap mmdebstrap; }

packages_images() { printf '%s\n' buildah mmdebstrap; }

packages_python() { printf '%s\n' python3 python3-venv; }

packages_packages() { echo lintian; }

packages_node() {
  cat <<'LIST'
containerd
containernetworking-plugins
iproute2
iptables
mount
runc
LIST
}

# True if PATH has a Go >= 1.21: from there on Go fetches a newer toolchain by itself.
have_go() {
  local version minor
  version=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null) || return 1
  version=${version#go}
  minor=${version#*.}
  minor=${minor%%[!0-9]*}
  [[ ${version%%.*} -gt 1 || ${minor:-0} -ge 21 ]]
}

have_rust() {
  local version minor
  version=$(rustc --version 2>/dev/null) || return 1
  minor=${version#rustc 1.}
  minor=${minor%%[!0-9]*}
  [[ ${minor:-0} -ge 63 ]]
}

wanted_packages() {
  local group
  for group in "$@"; do
    "packages_$group"
  done | sort -u
}

# Reads wanted lines, prints those that are not installed or too old. Two processes, whatever the
# number of packages: the usual answer "all there" must be instant.
missing_packages() {
  local -A installed=()
  local name minimum suite version status
  while read -r name version status; do
    [[ $status != installed ]] || installed[$name]=$version
  done < <(dpkg-query -W -f '${Package} ${Version} ${db:Status-Status}\n' 2>/dev/null)
  while read -r name minimum suite; do
    version=${installed[$name]:-}
    if [[ -n $version ]] &&
      { [[ -z $minimum ]] || dpkg --compare-versions "$version" ge "$minimum"; }; then
      continue
    fi
    echo "$name ${minimum:--} ${suite:--}"
  done
}

debian_release() {
  local id='' version=''
  if [[ -r /etc/os-release ]]; then
    # shellcheck source=/dev/null
    id=$(. /etc/os-release && echo "${ID:-}")
    # shellcheck source=/dev/null
    version=$(. /etc/os-release && echo "${VERSION_ID:-}")
  fi
  case "$id $version" in
    'debian 12') echo bookworm ;;
    'debian 13') echo trixie ;;
    *) echo "other:${id:-unknown} ${version}" ;;
  esac
}

# Suites apt is configured with, as "suite uri signed-by", whatever file format they are written in.
configured_suites() {
  # shellcheck disable=SC2016  # apt's own placeholders
  apt-get indextargets --no-release-info 'Created-By: Packages' \
    --format '$(RELEASE) $(REPO_URI) $(SIGNED_BY) $(COMPONENT)' |
    awk '$NF == "main" { print $1, $2, $3 }' | sort -u
}

# Adds the two suites Debian 12 lacks, from the mirror that serves its own suite.
add_bookworm_suites() {
  local suites mirror suite signed_by missing=()
  suites=$(configured_suites)
  read -r mirror signed_by < <(awk '$1 == "bookworm" || $1 == "oldstable" { print $2, $3; exit }' \
    <<<"$suites") || true
  [[ -n ${mirror:-} ]] || die "no apt source for bookworm main found; expected one in
  /etc/apt/sources.list or /etc/apt/sources.list.d. Add your Debian mirror there and run again."
  for suite in bookworm-backports trixie; do
    grep -q "^$suite " <<<"$suites" || missing+=("$suite")
  done
  [[ ${#missing[@]} -gt 0 ]] || return 0
  [[ $signed_by == /* ]] || signed_by=/usr/share/keyrings/debian-archive-keyring.gpg
  say "adding ${missing[*]} from $mirror ($sources_file; trixie pinned low in $pin_file)"
  if [[ " ${missing[*]} " == *' trixie '* ]]; then
    printf '%s\n' '# Only packages that are asked for by suite come from trixie.' \
      'Package: *' 'Pin: release n=trixie' 'Pin-Priority: 50' >"$pin_file"
  fi
  printf '%s\n' 'Types: deb' "URIs: $mirror" "Suites: ${missing[*]}" 'Components: main' \
    "Signed-By: $signed_by" >"$sources_file.new"
  mv "$sources_file.new" "$sources_file"
}

apt_update() {
  local try
  for try in 1 2 3; do
    timeout -k 20 600 apt-get "${apt_options[@]}" update && return 0
    say "apt-get update failed (try $try of 3)"
    sleep $((try * 5))
  done
  die "apt-get update failed three times; is the mirror reachable? Its messages are above."
}

# While packages are installed no service may be started: containerd and docker-registry are wanted
# as programs that a cluster or a test starts for itself, not as daemons of this machine.
guard_services() {
  if [[ -e $policy_file ]] && ! grep -qsF "$policy_mark" "$policy_file"; then
    return 0 # the machine has its own policy
  fi
  trap 'rm -f "$policy_file"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  # shellcheck disable=SC2016  # the policy's own $1
  printf '%s\n' '#!/bin/sh' "$policy_mark" \
    'case "$1" in containerd* | docker-registry*) exit 101 ;; esac' 'exit 0' >"$policy_file"
  chmod 755 "$policy_file"
}

stop_new_service() { # NAME
  [[ -d /run/systemd/system ]] || return 0
  say "$1's own service is not needed: disabling it"
  systemctl disable --now "$1.service" >/dev/null 2>&1 || true
}

repair_interrupted_dpkg() {
  [[ -z $(dpkg --audit) ]] || {
    say "finishing an interrupted installation first (dpkg --configure -a)"
    DEBIAN_FRONTEND=noninteractive timeout -k 20 600 dpkg --force-confold --configure -a
  }
}

install_packages() { # lines "name minimum suite" on stdin
  local release=$1 name minimum suite arguments=() service new_services=()
  while read -r name minimum suite; do
    if [[ $suite != - && $release == bookworm ]]; then
      arguments+=("$name/$suite")
    else
      arguments+=("$name")
    fi
  done
  for service in containerd docker-registry; do
    [[ " ${arguments[*]} " != *" $service "* ]] || command -v "$service" >/dev/null ||
      new_services+=("$service")
  done
  guard_services
  repair_interrupted_dpkg
  [[ $release != bookworm ]] || add_bookworm_suites
  apt_update
  DEBIAN_FRONTEND=noninteractive timeout -k 60 "$deadline_seconds" \
    apt-get "${apt_options[@]}" install --no-install-recommends "${arguments[@]}" ||
    die "apt-get install failed (its messages are above). Running this again is safe."
  for service in "${new_services[@]}"; do stop_new_service "$service"; done
}

check_result() {
  local left
  left=$(wanted_packages "$@" | missing_packages)
  [[ -z $left ]] || die "still missing or too old after the installation: $(awk '{
    printf "%s%s%s", sep, $1, ($2 == "-" ? "" : " (>= " $2 ")"); sep = ", " }' <<<"$left")"
}

# An old Go of the user's own may stand in PATH before the packaged one.
check_go() {
  [[ " $* " != *' go '* ]] || have_go || die "expected Go >= 1.21, found $(command -v go ||
    echo none): $(go version 2>&1 || true). Put a newer one first in PATH (Debian's: /usr/bin/go)."
}

main() {
  local group missing release names list=no
  if [[ ${1:-} == --list ]]; then
    list=yes
    shift
  fi
  [[ $# -gt 0 ]] || set -- build go node
  for group in "$@"; do
    [[ $group =~ ^(build|go|node|rust|registry|mysql|images|python|packages)$ ]] ||
      die "unknown group '$group'; expected: build, go, node, rust, registry, mysql,
  images, python, packages"
  done
  if [[ $list == yes ]]; then
    wanted_packages "$@" | missing_packages | awk '{print $1}' | xargs
    return 0
  fi
  if [[ ${OARLOCK_SKIP_DEPS:-} == 1 ]]; then
    say "skipped (OARLOCK_SKIP_DEPS=1)"
    return 0
  fi
  release=$(debian_release)
  if [[ $release == other:* ]]; then
    names=$(wanted_packages "$@" | awk '{print $1}' | xargs)
    die "expected Debian 12 or 13, found ${release#other:}. Install the equivalents of these
  packages by hand, then set OARLOCK_SKIP_DEPS=1: $names"
  fi
  missing=$(wanted_packages "$@" | missing_packages)
  if [[ -z $missing ]]; then
    check_go "$@"
    say "all packages of: $* are there"
    return 0
  fi
  names=$(awk '{print $1}' <<<"$missing" | xargs)
  if [[ $(id -u) != 0 ]]; then
    die "missing packages: $names
  Installing them needs root. Run as root: tools/deps.sh $*"
  fi
  say "installing: $names"
  exec 9>/run/oarlock-deps.lock
  flock -w "$deadline_seconds" 9 || die "another tools/deps.sh has been running for 30 minutes"
  install_packages "$release" <<<"$missing"
  check_result "$@"
  check_go "$@"
  say "done"
}

main "$@"
