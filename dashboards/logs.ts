import type { Builder } from '@grafana/grafana-foundation-sdk/cog'
import {
  CustomVariableBuilder,
  type Dashboard,
  TextBoxVariableBuilder,
  type VariableModel,
} from '@grafana/grafana-foundation-sdk/dashboard'
import { buildDashboard } from './dashboard.ts'
import { events, shortLine } from './filters.ts'
import { pages } from './pages.ts'
import { bars, colorBySeverity, logLines, lokiUnavailable, severityColors, stat, table } from './panels.ts'
import { logql, logqlNow, orNone, orZero } from './queries.ts'

/** Selects events by the four variables of every dashboard and the three of this one. */
const selected = `${events({ policy: 'selected' }).replace('}', ', tetragon_event_type=~"$type"}')} | detected_level=~"$severity" |~ "(?i)$search"`

const multiSelect = (name: string, label: string, values: string[]): Builder<VariableModel> =>
  new CustomVariableBuilder(name)
    .label(label)
    .values(values.join(','))
    .multi(true)
    .includeAll(true)
    .allValue('.*')
    .current({ selected: true, text: ['All'], value: ['$__all'] })

/** Builds the dashboard of the events: counts, and the lines themselves. */
export const logs = (): Dashboard =>
  buildDashboard({
    page: pages.logs,
    description:
      'All events that Tetragon exported, as stored in Loki. Namespace, type and policy are stream labels. Everything else is structured metadata: it filters as fast and creates no streams.',
    variables: [
      multiSelect('type', 'Type', [
        'process_exec',
        'process_exit',
        'process_kprobe',
        'process_tracepoint',
        'process_uprobe',
        'process_lsm',
      ]),
      multiSelect('severity', 'Severity', Object.keys(severityColors)),
      new TextBoxVariableBuilder('search').label('Text or regular expression').defaultValue(''),
    ],
    rows: [
      {
        title: 'Counts',
        panels: [
          stat(
            {
              title: 'Events',
              description: 'Events in this time range that match the filters at the top of the page.',
              unit: 'short',
              empty: lokiUnavailable,
              width: 4,
              height: 7,
            },
            logqlNow(orZero(`sum(count_over_time(${selected} [$__range]))`), 'events'),
          ),
          bars(
            {
              title: 'By type',
              description:
                'Events per interval: programs started (exec), processes exited (exit), and calls that a policy watches (kprobe).',
              unit: 'short',
              empty: lokiUnavailable,
              width: 10,
              height: 7,
            },
            logql(
              orNone(
                `sum by (tetragon_event_type) (count_over_time(${selected} [$__auto]))`,
                'tetragon_event_type',
                'no event',
              ),
              '{{tetragon_event_type}}',
            ),
          ),
          colorBySeverity(
            bars(
              {
                title: 'By severity',
                description:
                  'Events by severity, from the tag of the policy: info, medium (warn), high (error) or critical. Exec and exit events have no policy and are info.',
                unit: 'short',
                empty: lokiUnavailable,
                width: 10,
                height: 7,
              },
              logql(
                orNone(
                  `sum by (detected_level) (count_over_time(${selected} [$__auto]))`,
                  'detected_level',
                  'no event',
                ),
                '{{detected_level}}',
              ),
            ),
          ),
          bars(
            {
              title: 'By namespace and workload',
              description:
                'The 15 workloads with the most events in each interval. Events of `kube-system` and of the node itself are missing because they are on the deny list.',
              unit: 'short',
              empty: lokiUnavailable,
              width: 10,
              height: 7,
            },
            logql(
              orNone(
                `topk(15, sum by (k8s_namespace_name, k8s_workload_name) (count_over_time(${selected} [$__auto])))`,
                'k8s_workload_name',
                'no event',
              ),
              '{{k8s_namespace_name}} {{k8s_workload_name}}',
            ),
          ),
          bars(
            {
              title: 'Volume',
              description:
                'Size of the lines per interval, by type. An event with ancestors, credentials and Linux namespaces is about 8 kB. Loki compresses it to about a thirtieth.',
              unit: 'bytes',
              empty: lokiUnavailable,
              width: 7,
              height: 7,
            },
            logql(
              orNone(
                `sum by (tetragon_event_type) (bytes_over_time(${selected} [$__auto]))`,
                'tetragon_event_type',
                'no event',
              ),
              '{{tetragon_event_type}}',
            ),
          ),
          table(
            {
              title: 'Busiest binaries',
              description: 'The 20 programs with the most events, by type of event.',
              unit: 'short',
              empty: 'No event matches these filters.',
              width: 7,
              height: 7,
            },
            logqlNow(
              `topk(20, sum by (process_executable_path, tetragon_event_type) (count_over_time(${selected} [$__range])))`,
            ),
            { process_executable_path: 'Binary', tetragon_event_type: 'Type' },
          ),
        ],
      },
      {
        title: 'The events',
        panels: [
          logLines(
            {
              title: 'Events, one per line',
              description:
                'The newest 100 events: type, pod, program, function and arguments. The bar at the left shows the severity. The search covers the whole event, not only what is shown; open a line to see all of it.',
              unit: 'short',
              empty: 'No event matches these filters.',
              width: 24,
              height: 12,
            },
            logql(`${selected} ${shortLine}`),
          ),
          logLines(
            {
              title: 'Events as JSON',
              description:
                'The same events as Tetragon wrote them and Loki stores them. In Explore, `| json` turns every part into a field.',
              unit: 'short',
              empty: 'No event matches these filters.',
              width: 24,
              height: 10,
            },
            logql(selected),
          ).prettifyLogMessage(false),
        ],
      },
    ],
  })
