import { dataSources } from './builders/queries.ts'
import { growth, type Loss, type Stage, stages } from './stages.ts'

// Alerts as plain data. Prometheus evaluates those on metrics, as groups of a PrometheusRule. Grafana evaluates those
// that need Loki.

/** An alert in the format of Prometheus. */
interface AlertRule {
  alert: string
  expr: string
  /** How long the expression must hold. */
  for: string
  labels: { severity: 'info' | 'warning' | 'critical' }
  annotations: Annotations
}

/** The text of an alert. */
interface Annotations {
  summary: string
  description: string
  /** Section of the documentation with the steps to take. */
  runbook: string
}

/** A group of a PrometheusRule. */
export interface AlertGroup {
  name: string
  rules: AlertRule[]
}

const runbook = (alert: string): string => `docs/runbooks.md#${alert.toLowerCase()}`

/** Returns an alert that Prometheus evaluates. */
export const rule = (
  alert: string,
  severity: AlertRule['labels']['severity'],
  expr: string,
  { for: duration, ...text }: { for: string; summary: string; description: string },
): AlertRule => ({
  alert,
  expr,
  for: duration,
  labels: { severity },
  annotations: { ...text, runbook: runbook(alert) },
})

/** Returns PromQL for the losses in 5 minutes: one series per counter, with the kind of loss as the label `stage`. */
const lostIn = (losses: Loss[]): string =>
  losses
    .filter(({ noAlarm }) => !noAlarm)
    .map(({ what, metric }) => `label_replace(${growth(metric, '5m')}, "stage", "${what}", "", "") > 0`)
    .join(' or ')

const passed = (of: Stage): string => `sum(rate(${of.passed}[5m]))`

/** Alerts that Prometheus evaluates. */
export const alertGroups: AlertGroup[] = [
  {
    name: 'tetragon',
    rules: [
      rule('TetragonDown', 'critical', 'absent(up{job="tetragon"} == 1)', {
        for: '2m',
        summary: 'Prometheus cannot scrape Tetragon’s metrics',
        description:
          'No agent has answered for 2 minutes. Events may be missing too, and no other alert on Tetragon can fire.',
      }),
      rule(
        'TetragonPolicyFailedToLoad',
        'warning',
        'sum by (state) (tetragon_tracingpolicy_loaded{state=~"error|load_error"}) > 0',
        {
          for: '1m',
          summary: '{{ $value }} TracingPolicies are in state {{ $labels.state }}',
          description:
            'Kubernetes accepted the policy, but the agent rejected it: the policy neither observes nor blocks anything.',
        },
      ),
      rule('TetragonEventsLost', 'critical', lostIn(stages.kernel.lost), {
        for: '0m',
        summary: 'Tetragon lost {{ $value | humanize }} events ({{ $labels.stage }})',
        description:
          'In the last 5 minutes the kernel saw more events than the agent processed. The lost events cannot be recovered.',
      }),
      rule('TetragonExportRateLimited', 'warning', lostIn(stages.file.lost), {
        for: '0m',
        summary: 'The export’s rate limit dropped {{ $value | humanize }} events',
        description:
          'In the last 5 minutes there were more events per minute than `tetragon.exportRateLimit`. The rest was not written to the file.',
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
          'The shipper has delivered nothing to Loki for 5 minutes. It keeps waiting events on disk, so nothing is lost yet.',
      }),
      rule('ShipperLosesEvents', 'critical', lostIn([...stages.shipper.lost, ...stages.delivery.lost]), {
        for: '0m',
        summary: 'The shipper lost {{ $value | humanize }} events ({{ $labels.stage }})',
        description: 'In the last 5 minutes the shipper dropped events that it had read.',
      }),
      rule('LokiDiscardsEvents', 'warning', lostIn(stages.loki.lost), {
        for: '0m',
        summary: 'Loki discarded {{ $value | humanize }} events',
        description:
          'In the last 5 minutes Loki received events and discarded them because of one of its limits. `sum by (reason) (loki_discarded_samples_total)` names the limit.',
      }),
    ],
  },
]

/** An alert in the format of Grafana's provisioning files. */
interface GrafanaAlertRule {
  uid: string
  title: string
  /** Letter of the query that decides whether the alert fires. */
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

/** Creates a step that Grafana computes from another step of the same rule. */
const expression = (refId: string, model: Record<string, unknown>): GrafanaAlertRule['data'][number] => ({
  refId,
  relativeTimeRange: { from: 0, to: 0 },
  datasourceUid: '__expr__',
  model: { refId, ...model },
})

/**
 * Alerts that Grafana evaluates against Loki, for a file `{ apiVersion: 1, groups }`.
 *
 * None of Tetragon's metrics shows that a process was killed: `tetragon_policy_events_total` counts matches, also in
 * monitor mode, and has no label for the action. Only the exit event of the killed process has the signal, and it is in
 * Loki.
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
        condition: 'C',
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
          // Some versions return an instant query as a series of one point, which a threshold does not accept.
          expression('B', { type: 'reduce', expression: 'A', reducer: 'last' }),
          expression('C', {
            type: 'threshold',
            expression: 'B',
            conditions: [{ evaluator: { type: 'gt', params: [0] } }],
          }),
        ],
        for: '0s',
        // Without a killed process there is no series, which is the normal state.
        noDataState: 'OK',
        execErrState: 'Error',
        labels: { severity: 'critical' },
        annotations: {
          summary:
            '{{ $labels.process_executable_path }} was killed in {{ $labels.k8s_namespace_name }}/{{ $labels.k8s_pod_name }}',
          description:
            'A process was killed by SIGKILL in the last 2 minutes: by an enforcing policy, by the kubelet, by the kernel when it ran out of memory, or by `kill -9`.',
          runbook: runbook('ProcessKilled'),
        },
      },
    ],
  },
]
