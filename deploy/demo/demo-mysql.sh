#!/usr/bin/env bash
# MySQL from `kubectl apply` to a restored backup (make demo-mysql): a cluster of three takes rows,
# its primary is killed, another one has them all; a backup is taken of a replica and a second
# cluster begins with it; the checksums of both are compared.
#
#   deploy/demo/demo-mysql.sh [PRESET]     release (default): build/bin and build/plugins
#
# It starts a Kubernetes of its own in build/demo-mysql and takes it down at its end, whatever ends
# it (story.sh). Needs root. KEEP=1 leaves the cluster running; make demo-down takes it down.
set -euo pipefail
readonly rows=1000
story=mysql shown=mysqlclusters,mysqlbackups
# shellcheck source=deploy/demo/story.sh
source "$(dirname "${BASH_SOURCE[0]}")/story.sh"

print_plan() {
  cat <<PLAN
make demo-mysql will
  1. make the image of MySQL from Debian packages (the first time: a download of some minutes)
  2. start a single-node Kubernetes of its own in build/demo-mysql, and oarlockd beside it
  3. apply a MySQLCluster of three members and write $rows rows into it
  4. kill the primary, and count the rows in the new one
  5. take a backup of a replica, begin a second cluster with it, and compare checksums
It takes about four minutes when all is built, and 3 GiB of memory. Ctrl-C is safe at any time: all
of it is taken down then, as at its end.
PLAN
}

start_cluster() {
  step "a Kubernetes with one node, and the image of MySQL in it"
  plugins/mysql-cluster/image/build.sh mysql "$demo/mysql.tar"
  start_node
  "$devcluster" load-image --dir "$demo/cluster" "$demo/mysql.tar"
  kc apply -f plugins/mysql-cluster/crds -f plugins/mysql-cluster/rbac -f deploy/rbac
  kc wait --for=condition=Established crd/mysqlclusters.mysql.oarlock.dev \
    crd/mysqlbackups.mysql.oarlock.dev --timeout=25s
}

# In the node's network, because the plugin talks to the servers by the addresses of their pods.
start_daemon() {
  step "oarlockd with the plugin mysql-cluster"
  local kubelet
  kubelet=$("$devcluster" status --dir "$demo/cluster" -o json |
    jq '.components[] | select(.name == "kubelet") | .pid')
  run_daemon mysql-cluster -- nsenter --net="/proc/$kubelet/ns/net"
}

has_other_primary() { # OLD
  local now
  now=$(field mysqlcluster shop .primary)
  [[ $now != "$1" && $(kc get pod "$now" -o \
    'jsonpath={.metadata.labels.mysql\.oarlock\.dev/role}' 2>/dev/null) == primary ]]
}
backup_has_ended() { [[ $(field mysqlbackup "$1" .phase) =~ ^(Succeeded|Failed)$ ]]; }

count_rows() { sql "$1" <<<'SELECT COUNT(*) FROM orders'; }
checksum() { sql "$1" <<<'CHECKSUM TABLE orders'; }

write_rows() {
  local i
  echo 'CREATE TABLE orders (id INT PRIMARY KEY, what VARCHAR(64), at TIMESTAMP(6) DEFAULT NOW(6));'
  for ((i = 1; i <= rows; i++)); do
    echo "INSERT INTO orders (id, what) VALUES ($i, SHA2($i, 256));"
  done
}

new_cluster() { # NAME REPLICAS MORE-SPEC
  kc apply -f - <<YAML
apiVersion: mysql.oarlock.dev/v1alpha1
kind: MySQLCluster
metadata: {name: $1}
spec:
  image: oarlock.local/mysql:9
  replicas: $2
  storage: {size: 1Gi}
  failover: {delaySeconds: 0, unacknowledged: Discard}
  config: {innodb_redo_log_capacity: "16777216"}
  ${3:-}
YAML
}

new_backup() {
  kc apply -f - <<'YAML'
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: backups}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: mysql.oarlock.dev/v1alpha1
kind: MySQLBackup
metadata: {name: first}
spec: {clusterName: shop, storage: {claimName: backups}}
YAML
}

lose_primary() {
  local old killed
  old=$(field mysqlcluster shop .primary)
  step "the primary, $old, is killed with its pod"
  killed=$SECONDS
  kc delete pod "$old" --grace-period=0 --force 2>/dev/null
  follow mysqlcluster shop 90 has_other_primary "$old"
  echo "$(field mysqlcluster shop .primary) is the primary now, $((SECONDS - killed)) s later"
  [[ $(count_rows shop) == "$rows" ]] || fail "expected $rows rows, found $(count_rows shop)"
  echo "rows: $rows, all that were written"
  follow mysqlcluster shop 180 is_ready mysqlcluster shop
}

restore() {
  step "a second cluster begins with the backup"
  new_cluster copy 1 'bootstrap: {backupName: first, claimName: backups}'
  follow mysqlcluster copy 180 is_ready mysqlcluster copy
  step "both are compared"
  local one two
  one=$(checksum shop) two=$(checksum copy)
  printf 'shop: %s\ncopy: %s, %s rows\n' "$one" "$two" "$(count_rows copy)"
  [[ $one == "$two" ]] || fail "expected the same checksums"
}

main() {
  print_plan
  begin mysql
  start_cluster
  start_daemon
  step "kubectl apply: a MySQLCluster of three members"
  new_cluster shop 3
  follow mysqlcluster shop 300 is_ready mysqlcluster shop
  step "$rows rows are written"
  write_rows | sql shop
  echo "rows: $(count_rows shop)"
  lose_primary
  step "kubectl apply: a MySQLBackup"
  new_backup
  follow mysqlbackup first 180 backup_has_ended first
  [[ $(field mysqlbackup first .phase) == Succeeded ]] || fail "$(field mysqlbackup first .message)"
  kc get mysqlbackups -o wide
  restore
  kc get mysqlclusters,mysqlbackups
  step "done"
}

main
