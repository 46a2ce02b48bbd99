import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { colorByName, operationColors } from './builders/colors.ts'
import { buildDashboard } from './builders/dashboard.ts'
import { events, readableWithEvent, workload } from './builders/filters.ts'
import { pages } from './builders/pages.ts'
import { logLines, timeSeries } from './builders/panels.ts'
import { logql, mostSeries, promql } from './builders/queries.ts'

/** Each of the three types of events has a panel of a few lines. */
const mostLines = 50

const notScraped = 'Prometheus does not scrape Tetragon’s metrics; see Tetragon health.'
const noPolicyMatched = 'No policy matched in this time range. Is one loaded? kubectl get tracingpolicies -A'

/** Builds the six panels and the two log views of the case study "Tetragon-OTel", with its order and titles. */
export const caseStudy = (): Dashboard =>
  buildDashboard({
    page: pages.caseStudy,
    description:
      'Six of Tetragon’s own metrics, without a rate: counters since the agent started. A straight line is a steady rate, a step is a burst, a drop to zero is a restart of the agent, and a smaller drop is a pod that was deleted. The filters apply to the first panel and to the events.',
    rows: [
      {
        title: 'Six metrics of Tetragon',
        panels: [
          timeSeries(
            {
              title: '1. Tetragon Policy Events Total',
              description:
                'How often the five busiest policies matched since the agent started. The slope is the rate. The line of a policy on TCP is almost straight because the Guestbook connects to Redis all the time. A policy that is loaded but never matched has no line. `tetragon_policy_events_total`',
              unit: 'short',
              empty: noPolicyMatched,
              height: 10,
            },
            promql(
              `topk(${mostSeries}, sum by (policy) (tetragon_policy_events_total{policy=~"$policy", ${workload}}))`,
              '{{policy}}',
            ),
          ),
          colorByName(
            timeSeries(
              {
                title: '2. Tetragon Process Cache Misses Total',
                description:
                  'Lookups of a process, its parent or an ancestor that were not in the agent’s cache. The agent tries again for 30 s, so most events are complete all the same; *Incomplete events* on Tetragon health counts the rest. The line is steepest after a start, while the cache is cold. Whether it then stays flat or keeps rising says nothing about `/proc`; `./lab verify` checks that. `tetragon_process_cache_misses_total`',
                unit: 'short',
                empty: notScraped,
                height: 10,
              },
              promql('sum by (operation) (tetragon_process_cache_misses_total)', '{{operation}}'),
            ),
            operationColors,
          ),
          timeSeries(
            {
              title: '3. Tetragon Events Exported Total',
              description:
                'Events written to the export file, after the allow list, the deny list and the rate limit. The shipper reads these. A burst at the start (every process of a pod that is already running is reported once) is followed by a steady slope. If the line is flat while the Guestbook is busy, the deny list contains its namespace. `tetragon_events_exported_total`',
              unit: 'short',
              empty: notScraped,
            },
            promql('sum(tetragon_events_exported_total)', 'events'),
          ),
          timeSeries(
            {
              title: '4. Tetragon Process Cache Size',
              description:
                'Processes that the agent remembers, so that it can name the parent and the pod of each event. The size follows the number of processes on the node. A step up is a new workload or a burst of short commands, which leave the cache within a minute. The limit is 65,536. `tetragon_process_cache_size`',
              unit: 'short',
              empty: notScraped,
            },
            promql('sum(tetragon_process_cache_size)', 'processes'),
          ),
          timeSeries(
            {
              title: '5. Tetragon Process Cache Evictions Total',
              description:
                'Processes that left the cache, almost all of them 30 to 60 s after they exited. The metric counts this ordinary cleanup too, so a rising line alone is no cause for alarm. More short-lived processes make it steeper. `tetragon_process_cache_evictions_total`',
              unit: 'short',
              empty: notScraped,
            },
            promql('sum(tetragon_process_cache_evictions_total)', 'evictions'),
          ),
          colorByName(
            timeSeries(
              {
                title: '6. Tetragon PolicyFilter Operations Total',
                description:
                  'How often Kubernetes told the agent about a pod, so that the agent can decide which policies apply to it. `add` is a new pod, or one that existed when the agent started. `update` is a change to a pod, usually the most frequent. `delete` is a deleted pod. `add-container` is counted only with `tetragon.runtimeHooks`. The metric does not count events; try `kubectl -n application scale deployment frontend --replicas 4`. `tetragon_policyfilter_operations_total`',
                unit: 'short',
                empty: notScraped,
              },
              promql('sum by (operation) (tetragon_policyfilter_operations_total)', '{{operation}}'),
            ),
            operationColors,
          ),
        ],
      },
      {
        title: 'System events in Loki: kprobe, exec, exit',
        panels: [
          logLines(
            {
              title: 'kprobe',
              description:
                'Calls of kernel functions that a policy watches, such as opening a TCP connection or a file: pod, program, arguments, and what happened. Open a line to see all fields; `event` is the event as Tetragon wrote it.',
              unit: 'short',
              width: 24,
              height: 7,
            },
            logql(`${events({ type: 'process_kprobe', policy: 'selected' })} ${readableWithEvent}`).maxLines(mostLines),
          ),
          logLines(
            {
              title: 'exec',
              description:
                'Programs that started. Needs no policy. The visitor starts some every minute. The export leaves out health checks, such as Redis’s `redis-cli ping` (`tetragon.exportDenyList`).',
              unit: 'short',
              width: 24,
              height: 7,
            },
            logql(`${events({ type: 'process_exec' })} ${readableWithEvent}`).maxLines(mostLines),
          ),
          logLines(
            {
              title: 'exit',
              description:
                'Processes that exited, or the signal that killed them. There can be more exit events than exec events, because a forked process that never executes another program exits too.',
              unit: 'short',
              width: 24,
              height: 7,
            },
            logql(`${events({ type: 'process_exit' })} ${readableWithEvent}`).maxLines(mostLines),
          ),
        ],
      },
      {
        title: 'Logs of one pod',
        panels: [
          logLines(
            {
              title: 'Events of the selected pods',
              description:
                'Select a pod at the top of the page to see everything that it did, one event per line. Pod and binary are not stream labels but structured metadata: `{service_name="tetragon"} | k8s_pod_name="…"`.',
              unit: 'short',
              width: 24,
              height: 12,
            },
            logql(`${events({ policy: 'selected' })} ${readableWithEvent}`),
          ),
        ],
      },
    ],
  })
