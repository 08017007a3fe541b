#!/usr/bin/env bash
# Makes the images of the mysql-cluster plugin from Debian packages; no registry, no root needed.
#
#   build.sh mysql OUT.tar [NAME]      the server; NAME is oarlock.local/mysql:9 unless given
#   build.sh exporter OUT.tar [NAME]   the Prometheus exporter, oarlock.local/mysqld-exporter:1
#   build.sh root DIR                  the server's root file system, for tests without a cluster
#   build.sh versions                  what is in it
#
# OUT.tar is a docker archive: `devcluster load-image --dir D OUT.tar` takes it. Packages are
# fetched once, into build/mysql; REFRESH=1 fetches them anew. MYSQL_SERIES is what is accepted.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd -P)
readonly root
readonly here=$root/plugins/mysql-cluster/image
readonly work=$root/build/mysql
readonly series=${MYSQL_SERIES:-9}
readonly mysql_user=999
readonly programs=("$here/oarlock-mysql" "$here/oarlock-mysql-backup")
# An image is of one time, whenever it is made.
epoch=${SOURCE_DATE_EPOCH:-$(cat "$root/deploy/images/epoch")}
readonly epoch
temporary=''

fail() {
  printf 'build.sh: error: %s\n' "$*" >&2
  exit 1
}

# Only programs that somebody calls stay: mysqld's package also brings perl and 20 old tools.
# shellcheck disable=SC2016  # expanded by the shell that mmdebstrap starts
readonly trim_mysql='
  set -eu
  cd "$1"
  for tool in usr/bin/myisam* usr/bin/mysql* usr/bin/ibd2sdi usr/bin/innochecksum usr/bin/perror \
    usr/bin/my_print_defaults; do
    case ${tool##*/} in mysql | mysqladmin | mysqlbinlog | mysqldump) ;; *) rm -f "$tool" ;; esac
  done
  rm -rf usr/bin/perl* usr/share/perl* usr/lib/*-linux-gnu/perl* \
    var/lib/dpkg/status.d/perl* var/lib/dpkg/status.d/libperl* usr/src usr/share/dict \
    usr/lib/mysql/plugin/group_replication.so usr/lib/mysql/plugin/libpluginmecab.so \
    usr/lib/*-linux-gnu/libperl.so* usr/lib/*-linux-gnu/gconv usr/share/mysql/mysql-log-rotate
  printf "%s\n" "mysql:x:999:999:MySQL:/nonexistent:/sbin/nologin" >>etc/passwd
  printf "%s\n" "mysql:x:999:" >>etc/group
  mkdir -p var/lib/mysql run/mysqld etc/oarlock-mysql'

# The packages as one archive, fetched when what is asked for has changed.
packages() { # NAME base.sh-OPTION...
  local name=$1 print made
  shift
  archive=$work/$name.tar
  made=$(cat "$archive.made" 2>/dev/null) || true
  print=$(printf '%s\n' "$@" | cat - "$root/deploy/images/base.sh" | sha256sum)
  if [[ ${REFRESH:-} == 1 || ! -e $archive || $made != "$print" ]]; then
    echo "build.sh: fetching Debian packages for $name" >&2
    mkdir -p "$work"
    rm -f "$archive.made"
    SOURCE_DATE_EPOCH=$epoch "$root/deploy/images/base.sh" "$@" "$archive"
    echo "$print" >"$archive.made"
  fi
}

version_of() { # PACKAGE
  tar -xOf "$archive" "./var/lib/dpkg/status.d/$1" | sed -n 's/^Version: //p'
}

# MySQL of Debian's unstable: stable suites have none. A series that nobody has tested is refused.
mysql_packages() {
  packages mysql --suite sid --hook "$trim_mysql" \
    --include mysql-server-core,mysql-client-core,dash,coreutils,sed,zstd
  version=$(version_of mysql-server-core)
  [[ $version == "$series".* ]] ||
    fail "expected MySQL $series.x as mysql-server-core of Debian sid, found $version. Nothing was
  tested with it: read its release notes, run the tests with MYSQL_SERIES=${version%%.*}, then
  change the default here"
  details="mysql-server-core=$version mysql-client-core=$(version_of mysql-client-core)"
}

exporter_packages() {
  packages exporter --suite trixie --include prometheus-mysqld-exporter
  version=$(version_of prometheus-mysqld-exporter)
  details="prometheus-mysqld-exporter=$version"
}

tar_alike() { # OUT FOLDER
  tar -cf "$1" -C "$2" --sort=name --mtime="@$epoch" --owner=0 --group=0 --numeric-owner .
}

# A docker archive of two layers: the packages, and what is ours. What is there is not made again.
save() { # OUT NAME CONFIG-JSON
  local out=$1 image=$2 layers ids config print
  print=$(printf '%s\n' "$image" "$3" | cat - "$archive.made" "$here/build.sh" "${programs[@]}" |
    sha256sum)
  if [[ -e $out && $(cat "$out.made" 2>/dev/null) == "$print" ]]; then
    printf '%s: %s\n' "$image" "$details"
    return
  fi
  mkdir -p "$(dirname "$out")" "$temporary/image" "$temporary/ours"
  tar_alike "$temporary/image/ours.tar" "$temporary/ours"
  ln "$archive" "$temporary/image/packages.tar" 2>/dev/null ||
    cp "$archive" "$temporary/image/packages.tar"
  layers='["packages.tar", "ours.tar"]'
  ids=$(cd "$temporary/image" && sha256sum packages.tar ours.tar |
    jq -R -s 'split("\n") | map(select(. != "") | "sha256:" + .[:64])')
  jq -n --argjson ids "$ids" --argjson config "$3" --arg version "${version%%-*}" \
    --arg details "$details" --arg arch "$(dpkg --print-architecture)" \
    --arg created "$(date -u -d "@$epoch" +%Y-%m-%dT%H:%M:%SZ)" \
    '{architecture: $arch, os: "linux", created: $created,
      config: ($config + {Labels: {"org.opencontainers.image.version": $version,
        "dev.oarlock.mysql.packages": $details}}),
      rootfs: {type: "layers", diff_ids: $ids}}' >"$temporary/config.json"
  config=$(sha256sum "$temporary/config.json" | cut -c 1-64).json
  mv "$temporary/config.json" "$temporary/image/$config"
  jq -n --arg config "$config" --arg image "$image" --argjson layers "$layers" \
    '[{Config: $config, RepoTags: [$image], Layers: $layers}]' >"$temporary/image/manifest.json"
  tar_alike "$out.new" "$temporary/image"
  rm -f "$out.made"
  mv -f "$out.new" "$out"
  echo "$print" >"$out.made"
  printf '%s: %s (%s)\n' "$image" "$details" "$(du -h --apparent-size "$out" | cut -f 1)"
}

save_mysql() { # OUT NAME
  mysql_packages
  install -D -m 755 -t "$temporary/ours/usr/local/bin" "${programs[@]}"
  save "$1" "$2" "$(jq -n --arg user "$mysql_user:$mysql_user" '{User: $user,
    Entrypoint: ["/usr/local/bin/oarlock-mysql"], Cmd: ["run"], WorkingDir: "/tmp",
    Env: ["PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
    ExposedPorts: {"3306/tcp": {}, "33062/tcp": {}}, Volumes: {"/var/lib/mysql": {}}}')"
}

save_exporter() { # OUT NAME
  exporter_packages
  save "$1" "$2" "$(jq -n --arg user "$mysql_user:$mysql_user" '{User: $user, WorkingDir: "/",
    Entrypoint: ["/usr/bin/prometheus-mysqld-exporter"], ExposedPorts: {"9104/tcp": {}}}')"
}

# Unpacked beside its place and moved there whole; again when the packages or the program changed.
unpack_root() { # DIR
  local print
  mysql_packages
  print=$(cat "$archive.made" "${programs[@]}" | sha256sum)
  [[ $(cat "$1.made" 2>/dev/null) != "$print" || ! -d $1 ]] || return 0
  rm -rf "$1" "$1.new" "$1.made"
  mkdir -p "$1.new"
  tar -xf "$archive" -C "$1.new" --no-same-owner --exclude './dev/*'
  mkdir -p "$1.new"/{dev,proc,tmp,backup,run/mysqld,var/lib/mysql} \
    "$1.new"/etc/oarlock-mysql/{config,accounts,tls}
  install -D -m 755 -t "$1.new/usr/local/bin" "${programs[@]}"
  mv "$1.new" "$1"
  echo "$print" >"$1.made"
}

main() {
  local command=${1:-} target=${2:-} name=${3:-}
  [[ $command == versions || ($command =~ ^(mysql|exporter|root)$ && -n $target) ]] ||
    fail "expected 'mysql OUT.tar', 'exporter OUT.tar', 'root DIR' or 'versions', found '$*'"
  command -v jq >/dev/null || fail "expected jq in PATH, found none: tools/deps.sh build"
  trap 'rm -rf "$temporary"' EXIT
  mkdir -p "$work"
  temporary=$(mktemp -d "$work/tmp.XXXXXX")
  case $command in
    mysql) save_mysql "$target" "${name:-oarlock.local/mysql:$series}" ;;
    exporter) save_exporter "$target" "${name:-oarlock.local/mysqld-exporter:1}" ;;
    root) unpack_root "$target" ;;
    versions)
      mysql_packages
      echo "$details"
      ;;
  esac
}

main "$@"
