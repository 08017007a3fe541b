{{- define "oarlock.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "oarlock.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "oarlock.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "oarlock.selectorLabels" -}}
app.kubernetes.io/name: {{ include "oarlock.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "oarlock.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "oarlock.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: oarlock
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "oarlock.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "oarlock.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- $why := "serviceAccount.name: expected a name, as serviceAccount.create is false" -}}
{{- required $why .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- /* Objects of the cluster carry the namespace: two releases of one name do not meet. */ -}}
{{- define "oarlock.clusterName" -}}
{{- printf "%s-%s" .Release.Namespace (include "oarlock.fullname" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "oarlock.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "oarlock.runtimeName" -}}
{{- default "oarlock" (get .Values.config "runtime-name") -}}
{{- end -}}

{{- define "oarlock.leaseName" -}}
{{- default (include "oarlock.runtimeName" .) (get .Values.config "leader-election-id") -}}
{{- end -}}

{{- /* The Secret with the certificate of the metrics port, if there is one. */ -}}
{{- define "oarlock.metricsSecret" -}}
{{- if .Values.metrics.tls.secretName -}}
{{- .Values.metrics.tls.secretName -}}
{{- else if .Values.metrics.tls.certManager.enabled -}}
{{- printf "%s-metrics-tls" (include "oarlock.fullname" .) -}}
{{- end -}}
{{- end -}}

{{- define "oarlock.inboundName" -}}
{{- printf "%s-inbound" (include "oarlock.fullname" . | trunc 55 | trimSuffix "-") -}}
{{- end -}}

{{- /* The Secret with the certificate for requests of pods, if one is given. */ -}}
{{- define "oarlock.inboundSecret" -}}
{{- if .Values.inbound.enabled -}}
{{- .Values.inbound.tls.secretName -}}
{{- end -}}
{{- end -}}

{{- /* Where pods reach the daemon. */ -}}
{{- define "oarlock.inboundUrl" -}}
{{- $service := printf "%s.%s.svc" (include "oarlock.inboundName" .) .Release.Namespace -}}
{{- default (printf "https://%s:%d" $service (int .Values.inbound.port)) .Values.inbound.url -}}
{{- end -}}

{{- /* The daemon's configuration file: the user's settings, and those that the pod dictates. */ -}}
{{- define "oarlock.config" -}}
{{- $port := int .Values.metrics.port -}}
{{- $metrics := ternary (printf ":%d" $port) "0" .Values.metrics.enabled -}}
{{- $own := dict
  "state-dir" "/var/lib/oarlock"
  "health-probe-bind-address" (printf ":%d" (int .Values.probes.port))
  "metrics-bind-address" $metrics
-}}
{{- if and .Values.metrics.enabled (include "oarlock.metricsSecret" .) -}}
{{- $_ := set $own "metrics-cert-dir" "/etc/oarlock/metrics-tls" -}}
{{- end -}}
{{- if .Values.inbound.enabled -}}
{{- $_ := set $own "inbound-bind-address" (printf ":%d" (int .Values.inbound.port)) -}}
{{- $_ := set $own "inbound-url" (include "oarlock.inboundUrl" .) -}}
{{- if include "oarlock.inboundSecret" . -}}
{{- $_ := set $own "inbound-cert-dir" "/etc/oarlock/inbound-tls" -}}
{{- end -}}
{{- end -}}
{{- $plugins := list -}}
{{- range .Values.plugins -}}
{{- $plugins = append $plugins (printf "/run/oarlock/plugins/%s" .name) -}}
{{- end -}}
{{- if .Values.pluginObjects -}}
{{- $_ := set $own "plugin-objects" true -}}
{{- $_ := set $own "plugin-store" "/var/lib/oarlock/store" -}}
{{- $_ := set $own "image-policy" "/etc/oarlock/config/images.yaml" -}}
{{- end -}}
{{- if $plugins -}}
{{- $_ := set $own "plugin" $plugins -}}
{{- end -}}
{{- range list "state-dir" "plugin" "health-probe-bind-address" "metrics-bind-address"
  "metrics-cert-dir" "metrics-secure" "plugin-objects" "plugin-store" "image-policy"
  "inbound-bind-address" "inbound-url" "inbound-cert-dir" -}}
{{- if hasKey $.Values.config . -}}
{{- fail (printf "config: %s is set by the chart; leave it out" .) -}}
{{- end -}}
{{- end -}}
{{- toYaml (merge $own (deepCopy .Values.config)) -}}
{{- end -}}

{{- /* The administrator's rules about plugin images, as the daemon reads them. */ -}}
{{- define "oarlock.imagePolicy" -}}
{{- $images := .Values.pluginImages -}}
{{- $registry := dict -}}
{{- range $key := list "insecure" "mirrors" -}}
{{- with get $images $key }}{{ $_ := set $registry $key . }}{{ end -}}
{{- end -}}
{{- if $images.caPem }}{{ $_ := set $registry "caFile" "images-ca.crt" }}{{ end -}}
{{- $policy := dict "rules" $images.rules -}}
{{- if $registry }}{{ $_ := set $policy "registry" $registry }}{{ end -}}
{{- if $images.trustedRoot }}{{ $_ := set $policy "trustedRootFile" "trusted_root.json" }}{{ end -}}
{{- with $images.credentialsSecret -}}
{{- $_ := set $policy "imagePullSecrets" (list (dict "name" .)) -}}
{{- end -}}
{{- with $images.credentialProviders -}}
{{- $_ := set $policy "credentialProviders"
  (dict "configFile" "credential-providers.yaml" "binDir" .binDir) -}}
{{- end -}}
{{- toYaml $policy -}}
{{- end -}}

{{- /* One request of oarlock-fetch, as JSON. Argument: dict "root" $ "plugin" p */ -}}
{{- define "oarlock.pullRequest" -}}
{{- $images := .root.Values.pluginImages -}}
{{- $registry := dict "storeDir" "/var/lib/oarlock/store" -}}
{{- range $key := list "insecure" "mirrors" -}}
{{- with get $images $key }}{{ $_ := set $registry $key . }}{{ end -}}
{{- end -}}
{{- with $images.caPem }}{{ $_ := set $registry "caPem" . }}{{ end -}}
{{- $policy := dict "rules" $images.rules -}}
{{- with $images.trustedRoot }}{{ $_ := set $policy "trustedRoot" (fromJson .) }}{{ end -}}
{{- $output := printf "/run/oarlock/plugins/%s" .plugin.name -}}
{{- dict "version" 1 "image" .plugin.image "outputDir" $output "registry" $registry
  "timeoutMillis" (int $images.timeoutMillis) "policy" $policy | toJson -}}
{{- end -}}

{{- define "oarlock.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- /* A container for each of the value `plugins`; needs the volumes that it mounts. */ -}}
{{- define "oarlock.pullContainers" -}}
{{- range .Values.plugins }}
# Without a token: the bytes of a registry are read by a process that has none.
- name: pull-{{ .name }}
  image: {{ include "oarlock.image" $ }}
  imagePullPolicy: {{ $.Values.image.pullPolicy }}
  command:
    - /usr/libexec/oarlock/oarlock-fetch
    - pull
    - --request
    - /etc/oarlock/config/pull-{{ .name }}.json
    {{- if $.Values.pluginImages.credentialsSecret }}
    - --docker-config
    - /etc/oarlock/registry/.dockerconfigjson
    {{- end }}
  # So that `kubectl describe pod` has the reason of a refusal.
  terminationMessagePolicy: FallbackToLogsOnError
  securityContext:
    {{- include "oarlock.containerSecurity" $ | nindent 4 }}
  resources:
    {{- toYaml $.Values.resources | nindent 4 }}
  volumeMounts:
    - name: config
      mountPath: /etc/oarlock/config
      readOnly: true
    {{- if $.Values.pluginImages.credentialsSecret }}
    - name: registry
      mountPath: /etc/oarlock/registry
      readOnly: true
    {{- end }}
    - name: state
      mountPath: /var/lib/oarlock
    - name: plugins
      mountPath: /run/oarlock/plugins
    - name: tmp
      mountPath: /tmp
{{- end }}
{{- end -}}

{{- /* Mounted where the cluster is asked, never where an image is pulled. */ -}}
{{- define "oarlock.tokenVolume" -}}
- name: token
  projected:
    defaultMode: 0440
    sources:
      - serviceAccountToken:
          path: token
          expirationSeconds: 3607
      - configMap:
          name: kube-root-ca.crt
          items:
            - key: ca.crt
              path: ca.crt
      - downwardAPI:
          items:
            - path: namespace
              fieldRef:
                fieldPath: metadata.namespace
{{- end -}}

{{- define "oarlock.registryVolume" -}}
{{- with .Values.pluginImages.credentialsSecret }}
- name: registry
  secret:
    secretName: {{ . }}
    defaultMode: 0440
{{- end }}
{{- end -}}
