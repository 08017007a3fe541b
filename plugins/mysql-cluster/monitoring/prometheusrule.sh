#!/bin/sh
# Prints rules.yaml as an object of the prometheus-operator.
set -eu
cat <<'END'
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: mysql-cluster
  labels: {app.kubernetes.io/name: mysql-cluster, app.kubernetes.io/part-of: oarlock}
spec:
END
sed '/^#/d; s/^/  /' "$(dirname "$0")/rules.yaml"
