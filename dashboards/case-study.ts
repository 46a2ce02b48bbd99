import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { dashboard, lines, logLines, logql, orNone, pages, promql } from './common.ts'
import { events, shortLine, workload } from './filters.ts'

/** The six panels and the two views of logs of the case study "Tetragon-OTel", in its order and under its titles. */
export const caseStudy = (): Dashboard =>
  dashboard({
    page: pages.caseStudy,
    description:
      'Six of Tetragon’s own metrics, drawn as they are: counters since the agent started. A straight line is a steady rate; a step is a burst; a fall to zero is a restart of the agent.',
    rows: [
      {
        title: 'Six metrics of Tetragon',
        panels: [
          lines(
            {
              title: '1. Tetragon Policy Events Total',
              description:
                'How often each policy matched, since the agent started. The line of a policy on TCP is almost straight, because the Guestbook connects to Redis all the time; the slope is its rate. A policy that is loaded but never matched has no line. `tetragon_policy_events_total`',
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
          lines(
            {
              title: '2. Tetragon Process Cache Misses Total',
              description:
                'How often an event named a process that was not in the agent’s cache: such an event has no binary, no pod and no parent. It rises while the cache is cold, after a start, and then stays flat. A line that keeps rising says that the agent reads the wrong `/proc`, or that its cache is too small. `tetragon_process_cache_misses_total`',
              unit: 'short',
              empty: 'Prometheus does not read Tetragon’s metrics; see Tetragon health.',
            },
            promql('sum by (operation) (tetragon_process_cache_misses_total)', '{{operation}}'),
          ),
          lines(
            {
              title: '3. Tetragon Events Exported Total',
              description:
                'Events written to the export file, after the allow list, the deny list and the rate limit: what the shipper finds. A burst at the start (every process that runs already is reported once), then a steady slope. Flat while the Guestbook is busy: the deny list hides its namespace. `tetragon_events_exported_total`',
              unit: 'short',
              empty: 'Prometheus does not read Tetragon’s metrics; see Tetragon health.',
            },
            promql('sum(tetragon_events_exported_total)', 'events'),
          ),
          lines(
            {
              title: '4. Tetragon Process Cache Size',
              description:
                'Processes that the agent remembers, to name the parent and the pod of each event. It follows the number of processes on the node: a step up is a new workload or a burst of short commands, and the way down takes a minute, until they are collected. Its limit is 65,536. `tetragon_process_cache_size`',
              unit: 'short',
              empty: 'Prometheus does not read Tetragon’s metrics; see Tetragon health.',
            },
            promql('sum(tetragon_process_cache_size)', 'processes'),
          ),
          lines(
            {
              title: '5. Tetragon Process Cache Evictions Total',
              description:
                'Processes that left the cache. Nearly all of them because they had ended, about a minute after: the metric counts ordinary collection too, so a rising line alone is no alarm. More short-lived processes make it steeper. `tetragon_process_cache_evictions_total`',
              unit: 'short',
              empty: 'Prometheus does not read Tetragon’s metrics; see Tetragon health.',
            },
            promql('sum(tetragon_process_cache_evictions_total)', 'evictions'),
          ),
          lines(
            {
              title: '6. Tetragon PolicyFilter Operations Total',
              description:
                'How often the agent told the kernel which pods its policies apply to: `add` for a pod, `add-container` for a container, `delete` when one ends. It counts pods, not events; try `kubectl -n application scale deployment frontend --replicas 4`. `tetragon_policyfilter_operations_total`',
              unit: 'short',
              empty: 'Prometheus does not read Tetragon’s metrics; see Tetragon health.',
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
                'Kernel functions that a policy watches, as in opening a TCP connection or a file. The line is the event as Tetragon wrote it; open one to see its fields.',
              unit: 'short',
              empty: 'No policy matched in this time range. Is one loaded? kubectl get tracingpolicies -A',
              width: 8,
              height: 10,
            },
            logql(events({ type: 'process_kprobe', policy: 'chosen' })),
          ),
          logLines(
            {
              title: 'exec',
              description:
                'Programs that started. Needs no policy. Redis’s health checks start `redis-cli` every few seconds, so that there is always one.',
              unit: 'short',
              empty: 'No program started under these choices of namespace, pod and binary.',
              width: 8,
              height: 10,
            },
            logql(events({ type: 'process_exec' })),
          ),
          logLines(
            {
              title: 'exit',
              description:
                'Processes that ended, with their status, or with the signal that ended them. There are more of them than of exec: a copy of a process that never starts another program ends too.',
              unit: 'short',
              empty: 'No process ended under these choices of namespace, pod and binary.',
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
                'Choose a pod at the top of the page: everything that it did, a line each. Pod and binary are not labels of the stream, but structured metadata: `{service_name="tetragon"} | k8s_pod_name="…"`.',
              unit: 'short',
              empty: 'This pod did nothing that Tetragon exports in this time range.',
              width: 24,
              height: 12,
            },
            logql(`${events({ policy: 'chosen' })} ${shortLine}`),
          ),
        ],
      },
    ],
  })
