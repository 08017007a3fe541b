#!/usr/bin/env bash
# Makes a minimal Debian root file system, from the Debian mirror that this machine's apt already
# uses; no container registry is needed. Debian packages mmdebstrap (tools/deps.sh images).
#
#   deploy/images/base.sh [OPTION...] OUT.tar
#
#   --suite NAME      Debian suite (default: this machine's, else bookworm)
#   --include A,B     packages, with what they depend on; nothing else is there but libc, the CA
#                     certificates and the files of base-files: no shell, no package manager
#   --alone A,B       packages without what they depend on, where that is only for their scripts
#   --apt             a system with shell, dpkg and apt instead, for build stages
#   --hook COMMAND    shell command that runs before the archive is made; $1 is the root folder
#                     (repeatable)
#   --mirror URL      of the Debian archive (default: what apt has)
#
# No script of a package runs without --apt. Users: root, and nonroot (65532). What each package is
# stands in /var/lib/dpkg/status.d, where scanners look; licences stay in /usr/share/doc. The same
# packages give the same bytes: no time stamp is later than SOURCE_DATE_EPOCH.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
readonly root

fail() {
  printf 'base.sh: error: %s\n' "$*" >&2
  exit 1
}

host_suite() {
  local id='' codename=''
  if [[ -r /etc/os-release ]]; then
    # shellcheck source=/dev/null
    id=$(. /etc/os-release && echo "${ID:-}")
    # shellcheck source=/dev/null
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  fi
  if [[ $id == debian && -n $codename ]]; then echo "$codename"; else echo bookworm; fi
}

# "suite uri" of everything that apt reads here.
configured_suites() {
  # shellcheck disable=SC2016  # apt's own placeholders
  apt-get indextargets --no-release-info 'Created-By: Packages' \
    --format '$(RELEASE) $(REPO_URI) $(COMPONENT)' | awk '$3 == "main" { print $1, $2 }' | sort -u
}

# The archive of `suite`: the one apt has for it, or for any other suite of Debian.
mirror_of() { # SUITE
  configured_suites | awk -v suite="$1" '
    $1 == suite { found = $2; exit }
    $1 ~ /^(bookworm|trixie|forky|sid|stable|oldstable|testing)$/ && other == "" { other = $2 }
    END { print found == "" ? other : found }'
}

# apt lines: the suite, and its security updates where apt here has them.
sources() { # SUITE
  local mirror=$mirror security
  [[ -n $mirror ]] || mirror=$(mirror_of "$1")
  [[ -n $mirror ]] || fail "expected a Debian mirror in apt's sources, found none; name one with
  --mirror URL"
  printf 'deb %s %s main\n' "$mirror" "$1"
  security=$(configured_suites | awk -v suite="$1-security" '$1 == suite { print $2; exit }')
  [[ -z $security ]] || printf 'deb %s %s-security main\n' "$security" "$1"
}

# shellcheck disable=SC2016  # expanded by the shell that mmdebstrap starts
# Runs with the root folder as $1 and without any program of the new system. The scripts of
# ca-certificates need debconf and openssl, its files nothing.
readonly finish='
  set -eu
  cd "$1"
  mkdir -p var/tmp/alone
  (cd var/tmp/alone && APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get -q \
    -o APT::Sandbox::User=root download $alone)
  for deb in var/tmp/alone/*.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar --extract --keep-directory-symlink
  done
  mkdir -p etc/ssl/certs var/lib/dpkg/status.d
  find usr/share/ca-certificates/mozilla -name "*.crt" | LC_ALL=C sort | xargs cat \
    >etc/ssl/certs/ca-certificates.crt
  for deb in var/tmp/alone/*.deb var/cache/apt/archives/*.deb; do
    [ -e "$deb" ] || continue
    dpkg-deb --field "$deb" >"var/lib/dpkg/status.d/$(dpkg-deb --field "$deb" Package)"
  done
  rm -rf var/tmp/alone
  printf "%s\n" "root:x:0:0:root:/root:/sbin/nologin" \
    "nonroot:x:65532:65532:nonroot:/:/sbin/nologin" >etc/passwd
  printf "%s\n" "root:x:0:" "nonroot:x:65532:" >etc/group
  find usr/share/doc -type f ! -name copyright -delete
  find usr/share/doc -type l -delete
  find usr/share/doc -type d -empty -delete
  rm -rf usr/share/man usr/share/locale usr/share/info usr/share/lintian usr/share/bug var/log/* \
    usr/share/gcc usr/games usr/include'

main() {
  local suite='' include=base-files alone=ca-certificates variant=extract out=''
  local hook hooks=() arguments=()
  mirror=''
  while [[ $# -gt 0 ]]; do
    case $1 in
      --suite | --include | --alone | --hook | --mirror)
        [[ $# -ge 2 ]] || fail "$1: expected a value, found nothing"
        case $1 in
          --suite) suite=$2 ;;
          --include) include+=,$2 ;;
          --alone) alone+=" ${2//,/ }" ;;
          --hook) hooks+=("$2") ;;
          --mirror) mirror=$2 ;;
        esac
        shift 2
        ;;
      --apt)
        variant=apt
        shift
        ;;
      -*) fail "unknown option '$1'; the first lines of $0 list them" ;;
      *)
        [[ -z $out ]] || fail "expected one OUT.tar, found '$out' and '$1'"
        out=$1
        shift
        ;;
    esac
  done
  [[ -n $out ]] || fail "expected OUT.tar, found nothing; the first lines of $0 say more"
  command -v mmdebstrap >/dev/null || fail "expected mmdebstrap in PATH, found none; install it:
  tools/deps.sh images"
  [[ -n $suite ]] || suite=$(host_suite)
  if [[ $variant == extract ]]; then
    # The last hook of this variant; the packages still lie there.
    arguments+=(--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr --skip=output/dev
      --extract-hook="alone='$alone'$finish")
  fi
  for hook in "${hooks[@]}"; do
    if [[ $variant == extract ]]; then
      arguments+=(--extract-hook="$hook")
    else
      arguments+=(--customize-hook="$hook")
    fi
  done
  # The Release file of sid is past its date on mirrors that stand still.
  [[ $suite != sid ]] || arguments+=("--aptopt=Acquire::Check-Valid-Until \"false\"")
  mkdir -p "$(dirname "$out")"
  export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(cat "$root/deploy/images/epoch")}
  sources "$suite" | mmdebstrap --quiet --variant="$variant" --format=tar --include="$include" \
    --aptopt='Acquire::Retries "3"' "${arguments[@]}" "$suite" "$out.new" -
  mv -f "$out.new" "$out"
}

main "$@"
