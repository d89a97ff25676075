{{- define "connhook.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* At most 52 characters, which leaves room for "-ca" and "-test" and what Jobs append to their Pods. */}}
{{- define "connhook.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains $name .Release.Name -}}
{{ .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" }}
{{- end -}}
{{- end }}

{{- define "connhook.selectorLabels" -}}
app.kubernetes.io/name: {{ include "connhook.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "connhook.labels" -}}
{{- $own := dict "app.kubernetes.io/version" .Chart.AppVersion "app.kubernetes.io/managed-by" .Release.Service
      "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_") -}}
{{ toYaml (merge (include "connhook.selectorLabels" . | fromYaml) $own .Values.commonLabels) }}
{{- end }}

{{/* Nothing here may change with the chart's version or the configuration: that would restart the Pods. */}}
{{- define "connhook.podLabels" -}}
{{ toYaml (merge (include "connhook.selectorLabels" . | fromYaml) .Values.podLabels .Values.commonLabels) }}
{{- end }}

{{/* (list $ "critical"): the labels of an alert. */}}
{{- define "connhook.alertLabels" -}}
{{- $own := dict "severity" (index . 1) "namespace" (index . 0).Release.Namespace -}}
{{ toYaml (merge $own (index . 0).Values.prometheusRule.alertLabels) }}
{{- end }}

{{- define "connhook.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end }}

{{- define "connhook.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{ default (include "connhook.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{ default "default" .Values.serviceAccount.name }}
{{- end -}}
{{- end }}

{{/* The Secret with tls.crt and tls.key. */}}
{{- define "connhook.tlsSecretName" -}}
{{- if eq .Values.certificates.mode "provided" -}}
{{ required "certificates.mode is provided: set certificates.provided.secretName to the Secret with tls.crt and tls.key" .Values.certificates.provided.secretName }}
{{- else -}}
{{ include "connhook.fullname" . }}-tls
{{- end -}}
{{- end }}

{{/* The InjectorConfig, YAML. */}}
{{- define "connhook.config" -}}
{{- if .Values.config -}}
{{ toYaml .Values.config }}
{{- else -}}
{{ .Files.Get (printf "files/config-%s.yaml" .Values.profile) | trim }}
{{- end -}}
{{- end }}

{{- define "connhook.annotationPrefix" -}}
{{ default "inject.zerotouch.io" (include "connhook.config" . | fromYaml).annotationPrefix }}
{{- end }}

{{/* Pod Security "restricted", whatever runs. */}}
{{- define "connhook.podSecurityContext" -}}
runAsNonRoot: true
{{- with .Values.securityContext }}
{{- if not (kindIs "invalid" .runAsUser) }}
runAsUser: {{ int64 .runAsUser }}
{{- end }}
{{- if not (kindIs "invalid" .runAsGroup) }}
runAsGroup: {{ int64 .runAsGroup }}
{{- end }}
{{- if not (kindIs "invalid" .fsGroup) }}
fsGroup: {{ int64 .fsGroup }}
{{- end }}
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "connhook.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}
