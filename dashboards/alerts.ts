import { dataSources } from './common.ts'
import { growth, type Loss, type Stage, stages } from './stages.ts'

// Alerts as plain data: what Prometheus evaluates, in the form of a PrometheusRule's groups, and what Grafana must, because only
// Loki knows it.

/** An alert as Prometheus reads it. */
export interface AlertRule {
  alert: string
  expr: string
  /** How long the expression must hold. */
  for: string
  labels: { severity: 'info' | 'warning' | 'critical' }
  annotations: Annotations
}

/** What an alert says. `runbook` is the section of the project's documentation that says what to do. */
export interface Annotations {
  summary: string
  description: string
  runbook: string
}

/** A group of a PrometheusRule. */
export interface AlertGroup {
  name: string
  rules: AlertRule[]
}

/** Every alert has a section of its name. */
const runbook = (alert: string): string => `docs/runbooks.md#${alert.toLowerCase()}`

const rule = (
  alert: string,
  severity: AlertRule['labels']['severity'],
  expr: string,
  says: { for: string; summary: string; description: string },
): AlertRule => ({
  alert,
  expr,
  for: says.for,
  labels: { severity },
  annotations: { summary: says.summary, description: says.description, runbook: runbook(alert) },
})

/** Losses in five minutes, with what was lost in the label `stage`: one series for each of the counters. */
const lostIn = (losses: Loss[]): string =>
  losses
    .filter(({ noAlarm }) => !noAlarm)
    .map(({ what, metric }) => `label_replace(${growth(metric, '5m')}, "stage", "${what}", "", "") > 0`)
    .join(' or ')

const passed = (of: Stage): string => `sum(rate(${of.passed}[5m]))`

/** Alerts that Prometheus evaluates, as the groups of a PrometheusRule. */
export const alertGroups: AlertGroup[] = [
  {
    name: 'tetragon',
    rules: [
      rule('TetragonDown', 'critical', 'absent(up{job="tetragon"} == 1)', {
        for: '2m',
        summary: 'Prometheus cannot read Tetragon’s metrics',
        description:
          'For two minutes no agent has answered. Events may be missing too, and no other alert on Tetragon can fire.',
      }),
      rule(
        'TetragonPolicyFailedToLoad',
        'warning',
        'sum by (state) (tetragon_tracingpolicy_loaded{state=~"error|load_error"}) > 0',
        {
          for: '1m',
          summary: '{{ $value }} TracingPolicies are in state {{ $labels.state }}',
          description:
            'Kubernetes took the policy, the agent did not: what it should watch or stop is neither watched nor stopped.',
        },
      ),
      rule('TetragonEventsLost', 'critical', lostIn(stages.kernel.lost), {
        for: '0m',
        summary: 'Tetragon lost {{ $value | humanize }} events ({{ $labels.stage }})',
        description:
          'The kernel saw more in the last five minutes than the agent took. What was lost cannot be found again.',
      }),
      rule('TetragonExportRateLimited', 'warning', lostIn(stages.file.lost), {
        for: '0m',
        summary: 'The export’s rate limit dropped {{ $value | humanize }} events',
        description:
          'More than `tetragon.exportRateLimit` events a minute were due for the file in the last five minutes; the rest was not written.',
      }),
    ],
  },
  {
    name: 'pipeline',
    rules: [
      rule('EventsDoNotReachLoki', 'critical', `${passed(stages.file)} > 0 unless ${passed(stages.delivery)} > 0`, {
        for: '5m',
        summary: 'Tetragon writes events, but the shipper delivers none',
        description:
          'For five minutes nothing was delivered to Loki. The shipper keeps what waits on disk, so nothing is lost yet.',
      }),
      rule('ShipperLosesEvents', 'critical', lostIn([...stages.shipper.lost, ...stages.delivery.lost]), {
        for: '0m',
        summary: 'The shipper lost {{ $value | humanize }} events ({{ $labels.stage }})',
        description: 'In the last five minutes the shipper gave up on events that it had read.',
      }),
      rule('LokiDiscardsEvents', 'warning', lostIn(stages.loki.lost), {
        for: '0m',
        summary: 'Loki discarded {{ $value | humanize }} events',
        description:
          'In the last five minutes Loki took events and threw them away, because of one of its limits. `sum by (reason) (loki_discarded_samples_total)` names it.',
      }),
    ],
  },
]

/** An alert as Grafana reads it from a file. */
export interface GrafanaAlertRule {
  uid: string
  title: string
  /** Letter of the query that decides. */
  condition: string
  data: {
    refId: string
    relativeTimeRange: { from: number; to: number }
    datasourceUid: string
    model: Record<string, unknown>
  }[]
  for: string
  noDataState: 'OK'
  execErrState: 'Error'
  labels: AlertRule['labels']
  annotations: Annotations
}

/** A group of a file in Grafana's `provisioning/alerting`. */
export interface GrafanaAlertGroup {
  orgId: 1
  name: string
  folder: string
  interval: string
  rules: GrafanaAlertRule[]
}

/**
 * Alerts that Grafana evaluates against Loki.
 *
 * None of Tetragon's metrics says that something was stopped: `tetragon_policy_events_total` counts what matched, in
 * monitor mode too, and has no label for the action. Only the event of the killed process's end has the signal, and that is in Loki.
 *
 * Goes into a file `{ apiVersion: 1, groups }`. The Grafana chart runs such a file through Helm's templates, so a caller that hands it over in
 * the chart's values must escape the `{{ }}` of the annotations.
 */
export const grafanaAlertGroups: GrafanaAlertGroup[] = [
  {
    orgId: 1,
    name: 'enforcement',
    folder: 'Tetragon Lab',
    interval: '30s',
    rules: [
      {
        uid: 'process-killed',
        title: 'ProcessKilled',
        condition: 'B',
        data: [
          {
            refId: 'A',
            relativeTimeRange: { from: 120, to: 0 },
            datasourceUid: dataSources.loki.uid,
            model: {
              refId: 'A',
              queryType: 'instant',
              expr: 'sum by (k8s_namespace_name, k8s_pod_name, process_executable_path) (count_over_time({service_name="tetragon", tetragon_event_type="process_exit"} | tetragon_signal="SIGKILL" [2m]))',
            },
          },
          {
            refId: 'B',
            relativeTimeRange: { from: 0, to: 0 },
            datasourceUid: '__expr__',
            model: {
              refId: 'B',
              type: 'threshold',
              expression: 'A',
              conditions: [{ evaluator: { type: 'gt', params: [0] } }],
            },
          },
        ],
        for: '0s',
        // No killed process is no series, and all is well.
        noDataState: 'OK',
        execErrState: 'Error',
        labels: { severity: 'critical' },
        annotations: {
          summary:
            '{{ $labels.process_executable_path }} was killed in {{ $labels.k8s_namespace_name }}/{{ $labels.k8s_pod_name }}',
          description:
            'A process ended by SIGKILL in the last two minutes: by an enforcing policy, or by someone else who may (kubelet, the kernel when memory is short, `kill -9`).',
          runbook: runbook('ProcessKilled'),
        },
      },
    ],
  },
]
