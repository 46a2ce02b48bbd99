import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { buildDashboard } from './dashboard.ts'
import { events, shortLine, workload } from './filters.ts'
import { pages } from './pages.ts'
import { logLines, timeSeries } from './panels.ts'
import { logql, orNone, promql } from './queries.ts'

/** Builds the six panels and the two log views of the case study "Tetragon-OTel", with its order and titles. */
export const caseStudy = (): Dashboard =>
  buildDashboard({
    page: pages.caseStudy,
    description:
      'Six of Tetragon’s own metrics, without a rate: counters since the agent started. A straight line is a steady rate, a step is a burst, and a drop to zero is a restart of the agent.',
    rows: [
      {
        title: 'Six metrics of Tetragon',
        panels: [
          timeSeries(
            {
              title: '1. Tetragon Policy Events Total',
              description:
                'How often each policy matched since the agent started. The slope is the rate. The line of a policy on TCP is almost straight because the Guestbook connects to Redis all the time. A policy that is loaded but never matched has no line. `tetragon_policy_events_total`',
              unit: 'short',
              empty: 'No policy has matched yet. Is one loaded? kubectl get tracingpolicies -A',
            },
            promql(
              orNone(
                `sum by (policy) (tetragon_policy_events_total{policy=~"$policy", ${workload}})`,
                'policy',
                'no policy matched',
              ),
              '{{policy}}',
            ),
          ),
          timeSeries(
            {
              title: '2. Tetragon Process Cache Misses Total',
              description:
                'How often an event named a process that was not in the agent’s cache. Such an event has no binary, pod or parent. The line rises after a start, while the cache is cold, and then stays flat. If it keeps rising, the agent reads the wrong `/proc` or its cache is too small. `tetragon_process_cache_misses_total`',
              unit: 'short',
              empty: 'Prometheus does not scrape Tetragon’s metrics; see Tetragon health.',
            },
            promql('sum by (operation) (tetragon_process_cache_misses_total)', '{{operation}}'),
          ),
          timeSeries(
            {
              title: '3. Tetragon Events Exported Total',
              description:
                'Events written to the export file, after the allow list, the deny list and the rate limit. The shipper reads these. A burst at the start (every running process is reported once) is followed by a steady slope. If the line is flat while the Guestbook is busy, the deny list contains its namespace. `tetragon_events_exported_total`',
              unit: 'short',
              empty: 'Prometheus does not scrape Tetragon’s metrics; see Tetragon health.',
            },
            promql('sum(tetragon_events_exported_total)', 'events'),
          ),
          timeSeries(
            {
              title: '4. Tetragon Process Cache Size',
              description:
                'Processes that the agent remembers, so that it can name the parent and the pod of each event. The size follows the number of processes on the node. A step up is a new workload or a burst of short commands, which leave the cache after about a minute. The limit is 65,536. `tetragon_process_cache_size`',
              unit: 'short',
              empty: 'Prometheus does not scrape Tetragon’s metrics; see Tetragon health.',
            },
            promql('sum(tetragon_process_cache_size)', 'processes'),
          ),
          timeSeries(
            {
              title: '5. Tetragon Process Cache Evictions Total',
              description:
                'Processes that left the cache, almost all of them about a minute after they exited. The metric counts this ordinary cleanup too, so a rising line alone is no cause for alarm. More short-lived processes make it steeper. `tetragon_process_cache_evictions_total`',
              unit: 'short',
              empty: 'Prometheus does not scrape Tetragon’s metrics; see Tetragon health.',
            },
            promql('sum(tetragon_process_cache_evictions_total)', 'evictions'),
          ),
          timeSeries(
            {
              title: '6. Tetragon PolicyFilter Operations Total',
              description:
                'How often the agent told the kernel which pods its policies apply to: `add` for a pod, `add-container` for a container, `delete` when one is gone. It counts pods, not events; try `kubectl -n application scale deployment frontend --replicas 4`. `tetragon_policyfilter_operations_total`',
              unit: 'short',
              empty: 'Prometheus does not scrape Tetragon’s metrics; see Tetragon health.',
            },
            promql('sum by (operation) (tetragon_policyfilter_operations_total)', '{{operation}}'),
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
                'Calls of kernel functions that a policy watches, such as opening a TCP connection or a file. A line is the event as Tetragon wrote it; open one to see its fields.',
              unit: 'short',
              empty: 'No policy matched in this time range. Is one loaded? kubectl get tracingpolicies -A',
              width: 8,
              height: 10,
            },
            logql(events({ type: 'process_kprobe', policy: 'selected' })),
          ),
          logLines(
            {
              title: 'exec',
              description:
                'Programs that started. Needs no policy. There are always some, because Redis’s health checks start `redis-cli` every few seconds.',
              unit: 'short',
              empty: 'No program that matches these filters started.',
              width: 8,
              height: 10,
            },
            logql(events({ type: 'process_exec' })),
          ),
          logLines(
            {
              title: 'exit',
              description:
                'Processes that exited, with their exit status or the signal that killed them. There are more exit events than exec events, because a forked process that never executes another program exits too.',
              unit: 'short',
              empty: 'No process that matches these filters exited.',
              width: 8,
              height: 10,
            },
            logql(events({ type: 'process_exit' })),
          ),
        ],
      },
      {
        title: 'Logs of one pod',
        panels: [
          logLines(
            {
              title: 'Events of $pod',
              description:
                'Select a pod at the top of the page to see everything that it did, one event per line. Pod and binary are not stream labels but structured metadata: `{service_name="tetragon"} | k8s_pod_name="…"`.',
              unit: 'short',
              empty: 'This pod has no events in this time range.',
              width: 24,
              height: 12,
            },
            logql(`${events({ policy: 'selected' })} ${shortLine}`),
          ),
        ],
      },
    ],
  })
