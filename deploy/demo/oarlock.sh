#!/usr/bin/env bash
# Sourced by demo.sh: Oarlock in the demo cluster, as a user would install it. Its image and the
# images of its plugins go to the cluster's own registry, the plugins signed by a key made here; the
# chart installs the daemon, `oarlock plugin install` each plugin.
# shellcheck disable=SC2154  # demo, root, cluster, kubeconfig, devcluster, plugins are demo.sh's
set -euo pipefail

readonly system=oarlock-system
readonly pki=$demo/pki
readonly helm=$root/build/tools/helm
readonly metrics_node_port=30443
readonly certificate_days=3650
readonly prometheus=localhost/prometheus:debian
readonly archives=$root/build/images/archives # outlive make demo-down, not PURGE=1

helm_run() {
  HELM_CACHE_HOME=$demo/helm/cache HELM_CONFIG_HOME=$demo/helm/config \
    HELM_DATA_HOME=$demo/helm/data \
    "$helm" --kubeconfig "$kubeconfig" --namespace "$system" "$@" 9>&-
}

registry_host() {
  "$devcluster" status --dir "$cluster" -o json 9>&- | jq -r '.registry | sub("^http://"; "")'
}

# What the image is made of, so that a new one is only made when something in it changed.
oarlock_tag() {
  {
    cat deploy/images/{Dockerfile,base.sh,base.list,epoch}
    (cd build/images/root && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum)
  } | sha256sum | cut -c 1-12
}

# The image of what is built, as an archive; its tag is left in build/demo/images.
make_oarlock_image() {
  local tag file
  mkdir -p "$archives"
  deploy/images/stage.sh build/images/root
  tag=$(oarlock_tag)
  file=$archives/oarlock-$tag.tar
  if [[ ! -e $file ]]; then
    rm -f "$archives"/oarlock-*.tar
    export CONTAINER_TOOL=buildah BUILDER=prebuilt
    deploy/images/image.sh build "localhost/oarlock:$tag"
    deploy/images/image.sh save "localhost/oarlock:$tag" "$file.new"
    mv "$file.new" "$file"
  fi
  echo "$tag" >"$demo/images/oarlock.tag"
}

# Those in which nothing is that is built here: beside the build.
make_sample_images() {
  mkdir -p "$archives"
  plugins/mysql-cluster/image/build.sh mysql "$archives/mysql.tar"
  plugins/ml-pipeline/trainer/image.sh "$archives/trainer.tar"
  prometheus_image
}

# Debian's Prometheus; the plain binary, without what its web pages and promtool need.
prometheus_image() {
  local file=$archives/prometheus.tar
  [[ ! -e $file ]] || return 0
  export CONTAINER_TOOL=buildah
  # shellcheck disable=SC2016  # expanded where the root folder is known
  deploy/images/image.sh root "$prometheus" /usr/bin/prometheus --include libc6 \
    --alone prometheus --hook 'rm -rf "$1/usr/bin/promtool" "$1/usr/share/prometheus/web"'
  deploy/images/image.sh save "$prometheus" "$file.new"
  mv "$file.new" "$file"
}

# Into the cluster's registry, unless this very file is there: they are large.
load_once() { # ARCHIVE
  local loaded=$demo/images/$1.loaded
  [[ ! $loaded -nt $archives/$1.tar ]] || return 0
  "$devcluster" load-image --dir "$cluster" "$archives/$1.tar" 9>&-
  touch "$loaded"
}
load_sample_images() {
  load_once mysql
  load_once trainer
}

signing_key() {
  [[ ! -e $pki/plugins.key ]] || return 0
  head -c 24 /dev/urandom | base64 >"$pki/plugins.password"
  build/bin/oarlock plugin keygen "$pki/plugins" --password-file "$pki/plugins.password"
}

# Builds, pushes and signs one plugin; its image by digest is then in build/demo/images/NAME.image.
publish_plugin() { # NAME REGISTRY
  local image
  build/bin/oarlock plugin build "build/plugins/$1" -o "$demo/images/$1.tar"
  image=$(build/bin/oarlock plugin push "$demo/images/$1.tar" "$2/oarlock/$1:demo" --plain-http)
  [[ $(cat "$demo/images/$1.image" 2>/dev/null) != "$image" ]] || return 0
  build/bin/oarlock plugin sign "$image" --key "$pki/plugins.key" \
    --password-file "$pki/plugins.password" --plain-http
  echo "$image" >"$demo/images/$1.image"
}

# A certificate for the metrics port, by an authority of the demo, for its name in the cluster and
# for the node's address, where the host asks.
metrics_certificate() { # NODE-ADDRESS
  local names="DNS:oarlock-metrics.$system.svc,DNS:oarlock-metrics.$system.svc.cluster.local,IP:$1"
  [[ $(cat "$pki/metrics.names" 2>/dev/null) != "$names" ]] || return 0
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days "$certificate_days" \
    -subj '/CN=oarlock demo' -keyout "$pki/ca.key" -out "$pki/ca.crt" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=oarlock metrics' \
    -keyout "$pki/metrics.key" -out "$pki/metrics.csr" -addext "subjectAltName=$names"
  openssl x509 -req -in "$pki/metrics.csr" -CA "$pki/ca.crt" -CAkey "$pki/ca.key" \
    -CAcreateserial -days "$certificate_days" -copy_extensions copy -out "$pki/metrics.crt"
  echo "$names" >"$pki/metrics.names"
}

apply_system() {
  kc apply -f - <<YAML
apiVersion: v1
kind: Namespace
metadata:
  name: $system
  labels:
    pod-security.kubernetes.io/enforce: restricted
    pod-security.kubernetes.io/warn: restricted
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: metrics-reader, namespace: $system}
YAML
  kc create secret generic oarlock-metrics-tls --namespace "$system" --type kubernetes.io/tls \
    --from-file=tls.crt="$pki/metrics.crt" --from-file=tls.key="$pki/metrics.key" \
    --from-file=ca.crt="$pki/ca.crt" --dry-run=client -o yaml | kc apply -f -
}

write_values() { # REGISTRY
  cat <<YAML
# One replica, so that the metrics' address answers from the leader; helm upgrade --set replicas=2
# adds one that stands by.
replicas: 1
image: {repository: localhost/oarlock, tag: "$(cat "$demo/images/oarlock.tag")"}
pluginImages:
  insecure: ["$1"]
  rules:
    - name: demo
      match: "$1/oarlock/*"
      mode: key
      keys:
        - |
$(sed 's/^/          /' "$pki/plugins.pub")
inbound: {enabled: true}
metrics:
  tls: {secretName: oarlock-metrics-tls}
  service: {type: NodePort, nodePort: $metrics_node_port}
  readers:
    - {kind: ServiceAccount, name: metrics-reader, namespace: $system}
    - {kind: ServiceAccount, name: prometheus, namespace: monitoring}
YAML
}

# From here on all steps may be repeated at any time: what is there and the same is left alone.
publish_images() {
  local host name
  host=$(registry_host)
  load_once "oarlock-$(cat "$demo/images/oarlock.tag")"
  load_once prometheus
  signing_key
  for name in "${plugins[@]}"; do publish_plugin "$name" "$host"; done
  metrics_certificate "${host%:*}"
}

install_oarlock() {
  local name
  apply_system
  kc apply -f deploy/monitoring/prometheus.yaml
  kc create configmap oarlock-metrics-ca --namespace monitoring --from-file="$pki/ca.crt" \
    --dry-run=client -o yaml | kc apply -f -
  write_values "$(registry_host)" >"$demo/values.yaml"
  helm_run upgrade --install oarlock deploy/chart --values "$demo/values.yaml" --wait \
    --timeout 150s
  # Its CRDs, its account and its roles with the rights of the administrator, then the Plugin.
  for name in "${plugins[@]}"; do
    build/bin/oarlock plugin install "$(cat "$demo/images/$name.image")" --namespace "$system" \
      --kubeconfig "$kubeconfig" --plain-http --timeout 120
  done
}

write_metrics_access() {
  local host
  host=$(registry_host)
  cp "$pki/ca.crt" "$demo/metrics-ca"
  (umask 077 && kc create token metrics-reader --namespace "$system" --duration=8760h \
    >"$demo/metrics-token.new")
  mv "$demo/metrics-token.new" "$demo/metrics-token"
  echo "https://${host%:*}:$metrics_node_port/metrics" >"$demo/metrics-url"
}

show_daemon_log() {
  printf 'the end of the log of oarlockd:\n' >&2
  kc logs --namespace "$system" deployment/oarlock --all-containers --tail=25 2>&1 |
    cut -c 1-300 | sed 's/^/     | /' >&2 || true
}
