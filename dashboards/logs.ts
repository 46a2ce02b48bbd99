import type { Builder } from '@grafana/grafana-foundation-sdk/cog'
import {
  CustomVariableBuilder,
  type Dashboard,
  TextBoxVariableBuilder,
  type VariableModel,
} from '@grafana/grafana-foundation-sdk/dashboard'
import {
  bars,
  colour,
  dashboard,
  logLines,
  logql,
  logqlNow,
  lokiSilent,
  orNone,
  orZero,
  pages,
  severityColours,
  stat,
  table,
} from './common.ts'
import { events, shortLine } from './filters.ts'

// The four variables of every page, and the three of this one.
const chosen = `${events({ policy: 'chosen' }).replace('}', ', tetragon_event_type=~"$type"}')} | detected_level=~"$severity" |~ "(?i)$search"`

const choice = (name: string, label: string, values: string[]): Builder<VariableModel> =>
  new CustomVariableBuilder(name)
    .label(label)
    .values(values.join(','))
    .multi(true)
    .includeAll(true)
    .allValue('.*')
    .current({ selected: true, text: ['All'], value: ['$__all'] })

/** The events themselves: how many of what, and the lines. */
export const logs = (): Dashboard =>
  dashboard({
    page: pages.logs,
    description:
      'All that Tetragon exported, as Loki keeps it. Namespace, type and policy are labels of a stream; the rest is structured metadata, which filters as fast and makes no new stream.',
    variables: [
      choice('type', 'Type', [
        'process_exec',
        'process_exit',
        'process_kprobe',
        'process_tracepoint',
        'process_uprobe',
        'process_lsm',
      ]),
      choice('severity', 'Severity', Object.keys(severityColours)),
      new TextBoxVariableBuilder('search').label('Text or regular expression').defaultValue(''),
    ],
    rows: [
      {
        title: 'How many',
        panels: [
          stat(
            {
              title: 'Events',
              description: 'Events in this time range, under the choices at the top of the page.',
              unit: 'short',
              empty: lokiSilent,
              width: 4,
              height: 7,
            },
            logqlNow(orZero(`sum(count_over_time(${chosen} [$__range]))`), 'events'),
          ),
          bars(
            {
              title: 'By type',
              description:
                'Events in each step of time: programs started (exec), processes ended (exit), and calls that a policy watches (kprobe).',
              unit: 'short',
              empty: lokiSilent,
              width: 10,
              height: 7,
            },
            logql(
              orNone(
                `sum by (tetragon_event_type) (count_over_time(${chosen} [$__auto]))`,
                'tetragon_event_type',
                'no event',
              ),
              '{{tetragon_event_type}}',
            ),
          ),
          severities(),
          bars(
            {
              title: 'By namespace and workload',
              description:
                'Where events come from. Tetragon keeps its own cluster services out of the file: the deny list names `kube-system` and the node itself. The fifteen busiest workloads of each step of time.',
              unit: 'short',
              empty: lokiSilent,
              width: 10,
              height: 7,
            },
            logql(
              orNone(
                `topk(15, sum by (k8s_namespace_name, k8s_workload_name) (count_over_time(${chosen} [$__auto])))`,
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
                'Size of the lines in each step of time, by type. An event weighs about 8 kB with ancestors, credentials and Linux namespaces on, and thirty times less once Loki has compressed it.',
              unit: 'bytes',
              empty: lokiSilent,
              width: 7,
              height: 7,
            },
            logql(
              orNone(
                `sum by (tetragon_event_type) (bytes_over_time(${chosen} [$__auto]))`,
                'tetragon_event_type',
                'no event',
              ),
              '{{tetragon_event_type}}',
            ),
          ),
          table(
            {
              title: 'Busiest binaries',
              description: 'The twenty programs with most events, and what kind of events they are.',
              unit: 'short',
              empty: 'No event under these choices.',
              width: 7,
              height: 7,
            },
            logqlNow(
              `topk(20, sum by (process_executable_path, tetragon_event_type) (count_over_time(${chosen} [$__range])))`,
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
              title: 'Events, a line each',
              description:
                'The newest hundred: type, pod, program, what it called and with what. The bar at the left is the severity. The search looks in the whole event, not only in what is shown; to see that, open a line.',
              unit: 'short',
              empty: 'No event under these choices.',
              width: 24,
              height: 12,
            },
            logql(`${chosen} ${shortLine}`),
          ),
          logLines(
            {
              title: 'Events as Tetragon wrote them',
              description:
                'The same events as JSON, which is what Loki keeps. In Explore, `| json` makes a field of every part.',
              unit: 'short',
              empty: 'No event under these choices.',
              width: 24,
              height: 10,
            },
            logql(chosen),
          ).prettifyLogMessage(false),
        ],
      },
    ],
  })

function severities() {
  const panel = bars(
    {
      title: 'By severity',
      description:
        'From the tag of the policy: info, medium (warn), high (error), critical. Exec and exit have no policy and are info.',
      unit: 'short',
      empty: lokiSilent,
      width: 10,
      height: 7,
    },
    logql(
      orNone(`sum by (detected_level) (count_over_time(${chosen} [$__auto]))`, 'detected_level', 'no event'),
      '{{detected_level}}',
    ),
  )
  for (const [severity, name] of Object.entries(severityColours)) panel.overrideByName(severity, colour(name))
  return panel
}
