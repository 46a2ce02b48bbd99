import type { Builder } from '@grafana/grafana-foundation-sdk/cog'
import {
  CustomVariableBuilder,
  type Dashboard,
  TextBoxVariableBuilder,
  type VariableModel,
} from '@grafana/grafana-foundation-sdk/dashboard'
import type { PanelBuilder as TimeseriesPanel } from '@grafana/grafana-foundation-sdk/timeseries'
import { colorByName, eventTypeColors, severityColors } from './builders/colors.ts'
import { buildDashboard } from './builders/dashboard.ts'
import { events, readableWithEvent } from './builders/filters.ts'
import { pages } from './builders/pages.ts'
import { bars, logLines, lokiUnavailable, stat } from './builders/panels.ts'
import { logql, logqlNow, orZero } from './builders/queries.ts'
import { table } from './builders/tables.ts'

/** Selects events by the four variables of every dashboard and the three of this one. */
const selected = `${events({ policy: 'selected' }).replace('}', ', tetragon_event_type=~"$type"}')} | detected_level=~"$severity" |~ "(?i)$search"`

const noEvents = 'No event matches these filters in this time range.'

const multiSelect = (name: string, label: string, values: string[]): Builder<VariableModel> =>
  new CustomVariableBuilder(name)
    .label(label)
    .values(values.join(','))
    .multi(true)
    .includeAll(true)
    .allValue('.*')
    .current({ selected: true, text: ['All'], value: ['$__all'] })

/** Creates a panel of the selected events per interval, as a number or in bytes, by one of their labels. */
const overTime = (
  title: string,
  description: string,
  { unit, by, width, sum = 'count_over_time' }: { unit: string; by: string; width: number; sum?: string },
): TimeseriesPanel =>
  bars(
    { title, description, unit, empty: noEvents, width, height: 9 },
    logql(`sum by (${by}) (${sum}(${selected} [$__auto]))`, `{{${by}}}`),
  )

/** Builds the dashboard of the events: counts, and the lines themselves. */
export const logs = (): Dashboard =>
  buildDashboard({
    page: pages.logs,
    description:
      'All events that Tetragon exported, as stored in Loki. Namespace, type and policy are stream labels. Everything else is structured metadata: it filters as fast and creates no streams.',
    variables: [
      multiSelect('type', 'Type', Object.keys(eventTypeColors)),
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
              height: 9,
            },
            logqlNow(orZero(`sum(count_over_time(${selected} [$__range]))`), 'events'),
          ),
          colorByName(
            overTime(
              'By type',
              'Events per interval: programs started (exec), processes exited (exit), and calls that a policy watches (kprobe).',
              { unit: 'short', by: 'tetragon_event_type', width: 10 },
            ),
            eventTypeColors,
          ),
          colorByName(
            overTime(
              'By severity',
              'Events by severity, from the tag of the policy: info, medium (warn), high (error) or critical. Exec and exit events have no policy and are info.',
              { unit: 'short', by: 'detected_level', width: 10 },
            ),
            severityColors,
          ),
          table(
            {
              title: 'Busiest workloads',
              description:
                'The 20 workloads with the most events. Events of `kube-system` and of the node itself are missing because they are on the deny list.',
              unit: 'short',
              empty: noEvents,
              height: 9,
            },
            { k8s_namespace_name: 'Namespace', k8s_workload_name: 'Workload' },
            {
              heading: 'Events',
              query: logqlNow(
                `topk(20, sum by (k8s_namespace_name, k8s_workload_name) (count_over_time(${selected} [$__range])))`,
              ),
            },
          ),
          table(
            {
              title: 'Busiest binaries',
              description: 'The 20 programs with the most events, by type of event.',
              unit: 'short',
              empty: noEvents,
              height: 9,
            },
            { process_executable_path: 'Binary', tetragon_event_type: 'Type' },
            {
              heading: 'Events',
              query: logqlNow(
                `topk(20, sum by (process_executable_path, tetragon_event_type) (count_over_time(${selected} [$__range])))`,
              ),
            },
          ),
          colorByName(
            overTime(
              'Volume',
              'Size of the lines per interval, by type. An event with ancestors, credentials and Linux namespaces is about 8 kB. Loki compresses it to about a thirtieth.',
              { unit: 'bytes', by: 'tetragon_event_type', width: 24, sum: 'bytes_over_time' },
            ),
            eventTypeColors,
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
                'The newest 100 events: pod, program, arguments, and what happened. The bar at the left shows the severity. The search covers the whole event, not only what is shown. Open a line to see all fields; `event` is the event as Tetragon wrote it. In Explore, `| json` turns every part of an event into a field.',
              unit: 'short',
              width: 24,
              height: 14,
            },
            logql(`${selected} ${readableWithEvent}`),
          ),
        ],
      },
    ],
  })
