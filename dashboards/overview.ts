import { type Dashboard, MappingType, type ValueMapping } from '@grafana/grafana-foundation-sdk/dashboard'
import { alertGroups } from './alerts.ts'
import { colorByName, colors, eventTypeColors, namespaceColors, severityColors } from './builders/colors.ts'
import { buildDashboard } from './builders/dashboard.ts'
import { blocked, events, happened, unfiltered, violations } from './builders/filters.ts'
import { type Page, pages } from './builders/pages.ts'
import { bars, everythingSelected, stat, text, thresholds, timeSeries } from './builders/panels.ts'
import { logql, logqlNow, orZero, promql, promqlNow } from './builders/queries.ts'
import { table } from './builders/tables.ts'
import { growth, type Stage, stages } from './stages.ts'

const prometheusUnavailable = 'Prometheus does not respond. ./lab status'
const noKubeletMetrics = 'The kubelet’s metrics have not arrived. They take about a minute after the start.'

const alertNames = alertGroups.flatMap(({ rules }) => rules.map(({ alert }) => alert)).join('|')

const eventsLost = Object.values<Stage>(stages)
  .flatMap(({ lost }) => lost)
  .filter(({ noAlarm }) => !noAlarm)
  .map(({ metric }) => `(${orZero(growth(metric, '$__range'))})`)
  .join(' + ')

/** Shows a number as a word. */
const word = (from: number, to: number, words: string, color: keyof typeof colors): ValueMapping => ({
  type: MappingType.RangeToText,
  options: { from, to, result: { text: words, color: colors[color], index: 0 } },
})

/** Returns PromQL for the use of the lab's own pods, by namespace. The cgroup of the pod is always the largest series. */
const byNamespace = (metric: string, rate = ''): string => {
  const series = `${metric}{namespace=~"application|monitoring"}`
  return `sum by (namespace) (max by (namespace, pod) (${rate ? `rate(${series}[${rate}])` : series}))`
}

/** Questions, what answers them, and where. */
const questions: [string, string, Page][] = [
  ['Who opened a secret, or a shell?', 'violations, files, connections, programs', pages.security],
  ['What exactly happened?', 'every event, to filter and to search', pages.logs],
  ['Does the application suffer?', 'traffic, errors and latency', pages.guestbook],
  ['Are events lost? What is the cost?', 'the pipeline and the agent', pages.health],
  ['What do Tetragon’s own metrics show?', 'six metrics, explained', pages.caseStudy],
  ['Where is each student?', 'for a teacher', pages.class],
]

const whereToLook = (others: Page[]): string =>
  [
    '| Question | Dashboard |',
    '| --- | --- |',
    ...questions
      .filter(([, , { uid }]) => others.some(other => other.uid === uid))
      .map(
        ([question, answer, { uid, title }]) =>
          `| ${question} | [${title}](/d/${uid}?${everythingSelected}): ${answer} |`,
      ),
  ].join('\n')

/**
 * Builds Grafana's home page: whether all is well, what happened, and where to look next.
 * @param others the other dashboards of the lab
 */
export const overview = (others: Page[]): Dashboard =>
  buildDashboard({
    page: pages.overview,
    description:
      'Start here. Green is good. The link at a panel’s title leads to the dashboard that explains it, with the same time range.',
    links: others,
    rows: [
      {
        title: 'Is all well?',
        panels: [
          stat(
            {
              title: 'Tetragon',
              description: 'Whether Prometheus receives the metrics of Tetragon, or of the replay of its recording.',
              unit: 'short',
              empty: prometheusUnavailable,
              width: 6,
              height: 4,
              explainedBy: pages.health,
            },
            promqlNow(orZero('count(up{job="tetragon"} == 1)'), 'Tetragon'),
          ).mappings([word(0, 0, 'does not respond', 'red'), word(1, 1000, 'running', 'green')]),
          stat(
            {
              title: 'Alerts',
              description:
                'Alerts of the lab that are firing in Prometheus. Prometheus lists them under *Alerts*; `docs/runbooks.md` says what to do about each.',
              unit: 'short',
              empty: prometheusUnavailable,
              width: 6,
              height: 4,
              explainedBy: pages.health,
            },
            promqlNow(orZero(`count(ALERTS{alertstate="firing", alertname=~"${alertNames}"})`), 'alerts'),
          )
            .mappings([word(0, 0, 'none', 'green')])
            .thresholds(thresholds({ value: 1, color: 'red' })),
          stat(
            {
              title: 'Events lost',
              description: 'Events lost in this time range between the kernel and Loki.',
              unit: 'short',
              empty: prometheusUnavailable,
              width: 6,
              height: 4,
              explainedBy: pages.health,
            },
            promqlNow(eventsLost, 'events'),
          )
            .decimals(0)
            .mappings([word(0, 0.5, 'none', 'green')])
            .thresholds(thresholds({ value: 0.5, color: 'red' })),
          stat(
            {
              title: 'Failed policies',
              description:
                'Policies that the agent could not load. They observe nothing and block nothing, although `kubectl apply` succeeded.',
              unit: 'short',
              empty: prometheusUnavailable,
              width: 6,
              height: 4,
              explainedBy: pages.health,
            },
            promqlNow(orZero('sum(tetragon_tracingpolicy_loaded{state=~"error|load_error"})'), 'policies'),
          )
            .mappings([word(0, 0, 'none', 'green')])
            .thresholds(thresholds({ value: 1, color: 'red' })),
        ],
      },
      {
        title: 'What happened?',
        panels: [
          colorByName(
            bars(
              {
                title: 'Events by type',
                description:
                  'Events per interval: programs started (exec), processes exited (exit), and calls that a policy watches (kprobe).',
                unit: 'short',
                empty: 'No event in this time range. See Tetragon health.',
                explainedBy: pages.logs,
              },
              logql(
                `sum by (tetragon_event_type) (count_over_time(${unfiltered(events())} [$__auto]))`,
                '{{tetragon_event_type}}',
              ),
            ),
            eventTypeColors,
          ),
          colorByName(
            bars(
              {
                title: 'Policies violated, by severity',
                description:
                  'Events of policies tagged medium (warn), high (error) or critical. The visitor of the lab causes some every minute, so that there is something to see.',
                unit: 'short',
                empty: 'No policy was violated in this time range. That is good.',
                explainedBy: pages.security,
              },
              logql(
                `sum by (detected_level) (count_over_time(${unfiltered(violations)} [$__auto]))`,
                '{{detected_level}}',
              ),
            ),
            severityColors,
          ),
        ],
      },
      {
        title: 'What was blocked?',
        panels: [
          table(
            {
              title: 'Blocked calls and killed processes',
              description: 'Who was blocked, in what, and how often. *Security* marks when.',
              unit: 'short',
              empty: 'Nothing was blocked in this time range. That is normal while no enforcing policy is loaded.',
              width: 24,
              height: 7,
              explainedBy: pages.security,
            },
            {
              k8s_pod_name: 'Pod',
              process_executable_path: 'Binary',
              process_arguments: 'Arguments',
              happened: 'Outcome',
            },
            {
              heading: 'Times',
              query: logqlNow(
                `topk(20, sum by (k8s_pod_name, process_executable_path, process_arguments, happened) (count_over_time(${unfiltered(blocked)} ${happened} [$__range])))`,
              ),
            },
          ),
        ],
      },
      {
        title: 'Where to look next',
        panels: [
          text(
            {
              title: 'Questions, and the dashboards that answer them',
              description: 'Each link opens a dashboard with the same time range.',
              height: 8,
            },
            whereToLook(others),
          ),
        ],
      },
      {
        title: 'What does the lab cost?',
        panels: [
          colorByName(
            timeSeries(
              {
                title: 'CPU of the lab',
                description:
                  'CPU seconds per second of all pods in `application` and in `monitoring`; 1 is a whole core. Kubernetes itself is not included.',
                unit: 'cores',
                empty: noKubeletMetrics,
                explainedBy: pages.health,
              },
              promql(byNamespace('container_cpu_usage_seconds_total', '$__rate_interval'), '{{namespace}}'),
            ),
            namespaceColors,
          ),
          colorByName(
            timeSeries(
              {
                title: 'Memory of the lab',
                description:
                  'Working set of all pods in `application` and in `monitoring`. Kubernetes itself is not included.',
                unit: 'bytes',
                empty: noKubeletMetrics,
                explainedBy: pages.health,
              },
              promql(byNamespace('container_memory_working_set_bytes'), '{{namespace}}'),
            ),
            namespaceColors,
          ),
        ],
      },
    ],
  })
