{{/*
The alerts. Each has a page in docs/runbooks. A counter's first step is from nothing to one, which `increase` does not see: so a
series that was not there before counts whole.
*/}}
{{- define "tidemark.alerts" -}}
groups:
  - name: tidemark
    rules:
      - alert: TidemarkNoGoodBackupInTime
        # Of a VM that was never backed up, the time counts from when a schedule took it.
        expr: >-
          time() - (tidemark_vm_last_good_backup_timestamp_seconds{schedule!=""}
          and on (namespace, vm, schedule) tidemark_vm_protected_since_timestamp_seconds
          or tidemark_vm_protected_since_timestamp_seconds)
          > on (namespace, schedule) group_left () {{ .lateIntervals }} * tidemark_schedule_interval_seconds
        for: 15m
        labels:
          severity: critical
        annotations:
          summary: VM {{ "{{ $labels.namespace }}/{{ $labels.vm }}" }} has no good backup in time.
          description: >-
            The schedule {{ "{{ $labels.schedule }}" }} has not made a good backup of it for
            {{ "{{ $value | humanizeDuration }}" }}: more than {{ .lateIntervals }} times its interval.
          runbook_url: {{ .runbookURL }}/no-good-backup-in-time.md
      - alert: TidemarkRepositoryNotReady
        expr: tidemark_repository_ready == 0
        for: 10m
        labels:
          severity: critical
        annotations:
          summary: No node can write to the repository {{ "{{ $labels.repository }}" }}.
          description: Every backup into it waits. `kubectl describe tmrepo {{ "{{ $labels.repository }}" }}` says why.
          runbook_url: {{ .runbookURL }}/repository-not-ready.md
      - alert: TidemarkRepositoryNotReadyOnNode
        expr: tidemark_repository_ready_nodes < tidemark_repository_nodes and on (repository) tidemark_repository_ready == 1
        for: 30m
        labels:
          severity: warning
        annotations:
          summary: Some nodes cannot write to the repository {{ "{{ $labels.repository }}" }}.
          description: Backups of VMs on them wait. `kubectl describe tmrepo {{ "{{ $labels.repository }}" }}` names them.
          runbook_url: {{ .runbookURL }}/repository-not-ready.md
      - alert: TidemarkRepositoryNearlyFull
        expr: tidemark_repository_free_bytes / tidemark_repository_capacity_bytes < {{ .freeRatio }}
        for: 30m
        labels:
          severity: warning
        annotations:
          summary: The repository {{ "{{ $labels.repository }}" }} is nearly full.
          description: Only {{ "{{ $value | humanizePercentage }}" }} of it are free.
          runbook_url: {{ .runbookURL }}/repository-nearly-full.md
      - alert: TidemarkRepositoryFullInADay
        expr: >-
          predict_linear(tidemark_repository_free_bytes[6h], 86400) < 0
          and tidemark_repository_free_bytes / tidemark_repository_capacity_bytes < 0.5
        for: 1h
        labels:
          severity: warning
        annotations:
          summary: The repository {{ "{{ $labels.repository }}" }} will be full within a day, if it goes on like that.
          description: Free space falls faster than retention gives it back.
          runbook_url: {{ .runbookURL }}/repository-nearly-full.md
      - alert: TidemarkDamageFound
        expr: tidemark_repository_damaged_backups > 0
        labels:
          severity: critical
        annotations:
          summary: Backups in the repository {{ "{{ $labels.repository }}" }} are damaged.
          description: >-
            {{ "{{ $value }}" }} of them are not what was written. `kubectl describe tmrepo {{ "{{ $labels.repository }}" }}` names them.
          runbook_url: {{ .runbookURL }}/damage-found.md
      - alert: TidemarkDataMissing
        expr: tidemark_repository_objects_without_data > 0
        for: 15m
        labels:
          severity: critical
        annotations:
          summary: Data of good backups is gone from the repository {{ "{{ $labels.repository }}" }}.
          description: The catalogue did not find {{ "{{ $value }}" }} of them. `kubectl describe tmrepo {{ "{{ $labels.repository }}" }}` names some.
          runbook_url: {{ .runbookURL }}/damage-found.md
      - alert: TidemarkUpkeepFails
        expr: tidemark_repository_upkeep_failures > 3
        for: 15m
        labels:
          severity: warning
        annotations:
          summary: Jobs that look after the repository {{ "{{ $labels.repository }}" }} fail.
          description: Nothing is deleted, catalogued or verified there. `kubectl describe tmrepo {{ "{{ $labels.repository }}" }}` says why.
          runbook_url: {{ .runbookURL }}/repository-not-ready.md
      - alert: TidemarkFallbackRate
        expr: >-
          sum by (repository) ((tidemark_backup_fallbacks_total unless tidemark_backup_fallbacks_total offset 1d)
          or increase(tidemark_backup_fallbacks_total[1d]))
          / sum by (repository) ((tidemark_backups_planned_incremental_total unless tidemark_backups_planned_incremental_total offset 1d)
          or increase(tidemark_backups_planned_incremental_total[1d])) > {{ .fallbackRatio }}
        for: 1h
        labels:
          severity: warning
        annotations:
          summary: Many incremental backups into {{ "{{ $labels.repository }}" }} became full ones.
          description: >-
            {{ "{{ $value | humanizePercentage }}" }} of those planned within a day found their parent unusable.
            The metric tidemark_backup_fallbacks_total has the reasons.
          runbook_url: {{ .runbookURL }}/fallback-rate.md
      - alert: TidemarkBackupsFail
        expr: >-
          sum by (namespace, repository, reason) (
          (tidemark_backups_finished_total{result="Failed"} unless tidemark_backups_finished_total{result="Failed"} offset 1h)
          or increase(tidemark_backups_finished_total{result="Failed"}[1h])) > 0
        labels:
          severity: warning
        annotations:
          summary: Backups in {{ "{{ $labels.namespace }}" }} fail with {{ "{{ $labels.reason }}" }}.
          description: All attempts of these backups into {{ "{{ $labels.repository }}" }} are used up. `kubectl get tmb -n {{ "{{ $labels.namespace }}" }}` lists them.
          runbook_url: {{ .runbookURL }}/no-good-backup-in-time.md
      - alert: TidemarkAgentDown
        expr: tidemark_agent_up == 0
        for: 10m
        labels:
          severity: critical
        annotations:
          summary: The node agent on {{ "{{ $labels.node }}" }} gives no sign of life.
          description: No VM of this node can be backed up.
          runbook_url: {{ .runbookURL }}/agent-down.md
      - alert: TidemarkControllerDown
        expr: absent(tidemark_controller_leads == 1)
        for: 10m
        labels:
          severity: critical
        annotations:
          summary: No controller of Tidemark leads.
          description: No backup begins, and the other alerts of Tidemark are blind.
          runbook_url: {{ .runbookURL }}/controller-down.md
{{- end }}
