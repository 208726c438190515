{{- define "coterie.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "coterie.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "coterie.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "coterie.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "coterie.selector" -}}
app.kubernetes.io/name: {{ include "coterie.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "coterie.labels" -}}
{{ include "coterie.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "coterie.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{- define "coterie.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "coterie.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* The Secret of a role: list of the root context and coordinator, worker or client. */}}
{{- define "coterie.tlsSecret" -}}
{{- $root := index . 0 -}}{{- $role := index . 1 -}}
{{- default (printf "%s-%s-tls" (include "coterie.fullname" $root) $role) (index $root.Values.tls (printf "%sSecret" $role)) -}}
{{- end -}}

{{/* The bytes of a quantity such as 8Gi, less what a share of 100 leaves: list of quantity and share. */}}
{{- define "coterie.share" -}}
{{- $quantity := index . 0 | toString -}}
{{- $number := regexFind "^[0-9]+(\\.[0-9]+)?" $quantity -}}
{{- $unit := trimPrefix $number $quantity -}}
{{- $units := dict "" 1 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- if or (not $number) (not (hasKey $units $unit)) -}}
{{- fail (printf "limits.memory: %q is no size such as 8Gi" $quantity) -}}
{{- end -}}
{{- printf "%d" (divf (mulf (float64 $number) (index $units $unit) (index . 1)) 100 | int64) -}}
{{- end -}}

{{/* GOMEMLIMIT leaves a tenth of the limit for what the Go runtime does not count. */}}
{{- define "coterie.environment" -}}
{{- $root := index . 0 -}}{{- $of := index . 1 -}}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: POD_IP
  valueFrom: {fieldRef: {fieldPath: status.podIP}}
{{- with dig "limits" "memory" "" $of.resources }}
- name: GOMEMLIMIT
  value: {{ include "coterie.share" (list . 90) | quote }}
{{- end }}
{{- with $of.env }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Arguments that both have: list of the root context, coordinator or worker, and its values. */}}
{{- define "coterie.arguments" -}}
{{- $root := index . 0 -}}{{- $role := index . 1 -}}{{- $of := index . 2 -}}
{{- $full := include "coterie.fullname" $root -}}
- --name=$(POD_NAME)
- --cluster-name={{ $root.Values.clusterName }}
- --listen={{ $root.Values.bindAddress }}:7600
- --gossip={{ $root.Values.bindAddress }}:7946
- --http={{ $root.Values.bindAddress }}:7680
{{- if eq $root.Values.tls.mode "none" }}
- --advertise=$(POD_IP)
- --insecure
{{- else }}
# Certificates hold for names, which outlive addresses.
- --advertise=$(POD_NAME).{{ $full }}-{{ $role }}.{{ $root.Release.Namespace }}.svc.{{ $root.Values.clusterDomain }}
- --tls-cert=/tls/tls.crt
- --tls-key=/tls/tls.key
- --tls-ca=/tls/ca.crt
- --gossip-key=/gossip/gossip.key
{{- end }}
{{- with $root.Values.s3 }}
{{- with .endpoint }}
- --s3-endpoint={{ . }}
{{- end }}
{{- with .region }}
- --s3-region={{ . }}
{{- end }}
{{- if .pathStyle }}
- --s3-path-style
{{- end }}
{{- if .requesterPays }}
- --s3-requester-pays
{{- end }}
{{- end }}
- --log-format={{ $root.Values.logFormat }}
{{- with $of.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* What a container has that runs the program, whoever it is. */}}
{{- define "coterie.container" -}}
{{- $root := index . 0 -}}
image: {{ include "coterie.image" $root | quote }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- with $root.Values.s3.credentialsSecret }}
envFrom:
  - secretRef: {name: {{ . | quote }}}
{{- end }}
{{- end -}}

{{- define "coterie.serving" -}}
ports:
  - {name: rpc, containerPort: 7600}
  - {name: gossip, containerPort: 7946}
  - {name: gossip-udp, containerPort: 7946, protocol: UDP}
  - {name: http, containerPort: 7680}
startupProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 3
  timeoutSeconds: 3
{{- end -}}

{{- define "coterie.podSecurity" -}}
automountServiceAccountToken: false
enableServiceLinks: false  # variables such as COTERIE_PORT would be taken for settings
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{/* Where a pod may run: the values of coordinator or worker. */}}
{{- define "coterie.placement" -}}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- end -}}

{{/* One worker leaves at a time, so that the others can read what it held: the values of worker.autoscaling. */}}
{{- define "coterie.scaleDown" -}}
scaleDown:
  stabilizationWindowSeconds: {{ .calmSeconds }}
  policies: [{type: Pods, value: 1, periodSeconds: 60}]
{{- end -}}

{{- define "coterie.tlsMounts" -}}
{{- if ne .Values.tls.mode "none" }}
- {name: tls, mountPath: /tls, readOnly: true}
- {name: gossip-key, mountPath: /gossip, readOnly: true}
{{- end }}
{{- end -}}

{{- define "coterie.tlsVolumes" -}}
{{- $root := index . 0 -}}
{{- if ne $root.Values.tls.mode "none" }}
- name: tls
  secret: {secretName: {{ include "coterie.tlsSecret" . | quote }}, defaultMode: 0440}
- name: gossip-key
  secret:
    secretName: {{ required "tls.gossipKeySecret: name a Secret with the key gossip.key; coterie certs pki makes the file pki/gossip.key" $root.Values.tls.gossipKeySecret | quote }}
    defaultMode: 0440
{{- end }}
{{- end -}}
