import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { dashboard, gauges, lines, orNone, orZero, pages, promql, promqlNow, stat, thresholds } from './common.ts'
import { growth, queues, type Stage, stages } from './stages.ts'

const notScraped = 'Prometheus does not read Tetragon’s metrics: see Targets at Prometheus, job tetragon.'

/** Can what the other dashboards show be trusted: is anything lost, is every policy loaded, and what does it cost. */
export const tetragonHealth = (): Dashboard =>
  dashboard({
    page: pages.health,
    description:
      'A dashboard without alarms is worth only as much as the pipe behind it. The choices of namespace, pod and so on play a part only where workloads are shown.',
    rows: [
      {
        title: 'From the kernel to Loki',
        panels: [
          lines(
            {
              title: 'Events at each stage',
              description:
                'Events a second at each stage of the pipe. The kernel hands over far more than is exported: clones, host processes and what the deny list hides end in the agent. From the export on, the lines should lie on each other; one that stays below is where to look.',
              unit: 'eps',
              empty: 'Nothing along the pipe is read by Prometheus.',
              width: 14,
              height: 10,
            },
            ...Object.values(stages).map(({ name, passed }) => promql(`sum(rate(${passed}[$__rate_interval]))`, name)),
          ),
          gauges(
            {
              title: 'Events lost, by stage',
              description:
                'Events lost in this time range, from the kernel at the top to Loki at the bottom. Two of them are harmless alone: a probe that meets itself does not run, and what the shipper refuses it reads again. The others have a remedy in `docs/runbooks.md`.',
              unit: 'short',
              empty: 'Nothing along the pipe is read by Prometheus.',
              width: 10,
              height: 10,
            },
            ...Object.values<Stage>(stages).flatMap(({ lost }) =>
              lost.map(({ what, metric }) => promqlNow(orZero(growth(metric, '$__range')), what)),
            ),
          ).thresholds(thresholds({ value: 1, color: 'red' })),
        ],
      },
      {
        title: 'Policies',
        panels: [
          stat(
            {
              title: 'Policies by state',
              description:
                'TracingPolicies as the agent sees them. A TracingPolicy has no status in Kubernetes: `kubectl apply` succeeds even where the agent refuses it, and here is where that shows. The reason stands in the agent’s log, and in `tetra tracingpolicy list -o json`.',
              unit: 'short',
              empty: notScraped,
              width: 8,
              height: 7,
            },
            promqlNow('sum by (state) (tetragon_tracingpolicy_loaded)', '{{state}}'),
          )
            .overrideByRegexp('error|load_error', [
              { id: 'thresholds', value: thresholds({ value: 1, color: 'red' }).build() },
            ])
            .overrideByName('disabled', [
              { id: 'thresholds', value: thresholds({ value: 1, color: 'yellow' }).build() },
            ]),
          lines(
            {
              title: 'Events of policies',
              description: 'Events a second of each policy, before the export’s filters: the load that it makes.',
              unit: 'eps',
              empty: 'No policy has matched yet.',
              width: 8,
              height: 7,
            },
            promql(
              orNone(
                'sum by (policy) (rate(tetragon_policy_events_total{policy=~"$policy"}[$__rate_interval]))',
                'policy',
                'no policy matched',
              ),
              '{{policy}}',
            ),
          ),
          lines(
            {
              title: 'Kernel memory of policies',
              description:
                'Memory that a policy’s maps and programs take in the kernel. It is charged to the agent’s pod, on top of the agent’s own: a limit must leave room for it.',
              unit: 'bytes',
              empty: notScraped,
              width: 8,
              height: 7,
            },
            promql(
              orNone(
                'sum by (policy) (tetragon_tracingpolicy_kernel_memory_bytes{policy=~"$policy"})',
                'policy',
                'no policy loaded',
              ),
              '{{policy}}',
            ),
          ),
        ],
      },
      {
        title: 'What it costs',
        panels: [
          lines(
            {
              title: 'CPU',
              description:
                'CPU seconds a second of each part of the pipe: 1 is a whole core. `agent` is the agent’s own account; pods are the kubelet’s. Under `tetragon.source: replay` the agent’s account is the recorded one, played faster than it was: look at the pod.',
              unit: 'cores',
              empty: 'The kubelet’s metrics have not arrived; they take about a minute after the start.',
            },
            promql('sum(rate(process_cpu_seconds_total{job="tetragon"}[$__rate_interval]))', 'agent'),
            promql(`max by (pod) (rate(container_cpu_usage_seconds_total{${pipe}}[$__rate_interval]))`, '{{pod}}'),
          ),
          lines(
            {
              title: 'Memory',
              description:
                'Memory of each part of the pipe: resident for the agent (the recorded one, under replay), working set for pods.',
              unit: 'bytes',
              empty: 'The kubelet’s metrics have not arrived; they take about a minute after the start.',
            },
            promql('sum(process_resident_memory_bytes{job="tetragon"})', 'agent'),
            promql(`max by (pod) (container_memory_working_set_bytes{${pipe}})`, '{{pod}}'),
          ),
          lines(
            {
              title: 'Time in the kernel, by policy',
              description:
                'Seconds a second that the policies’ programs run inside other people’s calls: the overhead that applications feel. `__base__` is what follows processes without any policy. All zero until the kernel keeps count: `sysctl kernel.bpf_stats_enabled=1` on the node.',
              unit: 'percentunit',
              empty: notScraped,
            },
            promql('sum by (policy) (rate(tetragon_overhead_program_seconds_total[$__rate_interval]))', '{{policy}}'),
          ),
          lines(
            {
              title: 'Runs in the kernel, by policy',
              description:
                'How often a second the policies’ programs run. Far more often than there are events: the filter that drops the rest runs here too. All zero until the kernel keeps count (see the panel beside).',
              unit: 'ops',
              empty: notScraped,
            },
            promql('sum by (policy) (rate(tetragon_overhead_program_runs_total[$__rate_interval]))', '{{policy}}'),
          ),
        ],
      },
      {
        title: 'Inside the agent',
        panels: [
          lines(
            {
              title: 'Process cache',
              description:
                'How full the agent’s memory of processes is. Past the limit the oldest go first, and events lose their pod and parent.',
              unit: 'percentunit',
              empty: notScraped,
              width: 8,
              height: 7,
            },
            promql('sum(tetragon_process_cache_size) / sum(tetragon_process_cache_capacity)', 'filled'),
          ).max(1),
          lines(
            {
              title: 'Events with gaps',
              description:
                'Events a second that lack something: the process (cache misses, missing information), or its pod, after all retries.',
              unit: 'eps',
              empty: notScraped,
              width: 8,
              height: 7,
            },
            promql('sum(rate(tetragon_process_cache_misses_total[$__rate_interval]))', 'cache misses'),
            promql('sum(rate(tetragon_events_missing_process_info_total[$__rate_interval]))', 'without a process'),
            promql(
              'sum by (entry_type) (rate(tetragon_event_cache_fetch_failures_total[$__rate_interval]))',
              'without {{entry_type}}',
            ),
          ),
          lines(
            {
              title: 'Errors of the agent',
              description: 'Errors a second in handling events, by kind.',
              unit: 'ops',
              empty: notScraped,
              width: 8,
              height: 7,
            },
            promql('sum by (error) (rate(tetragon_errors_total[$__rate_interval]))', '{{error}}'),
            promql('sum by (error) (rate(tetragon_handler_errors_total[$__rate_interval]))', '{{error}}'),
          ),
          lines(
            {
              title: 'Maps in the kernel',
              description:
                'How full the agent’s tables in the kernel are. At 100% new processes are not followed any more.',
              unit: 'percentunit',
              empty: notScraped,
              height: 7,
            },
            promql('sum by (map) (tetragon_map_entries) / sum by (map) (tetragon_map_capacity)', '{{map}}'),
          ).max(1),
          lines(
            {
              title: 'Queue of the shipper',
              description:
                'What waits on the node’s disk for Loki. A queue that grows while Loki is away and drains when it is back is what it is for; when it is full, the shipper stops reading, and Tetragon’s files keep the rest. Fluent Bit’s has no limit, so it shows no room.',
              unit: 'bytes',
              empty: 'The shipper’s metrics are not read by Prometheus.',
              height: 7,
            },
            promql(orZero(queues.loki), 'waiting'),
            promql(orZero(queues.siem), 'waiting for a SIEM'),
            promql(orZero('max(otelcol_exporter_queue_capacity)'), 'room'),
          ),
        ],
      },
    ],
  })

// The kubelet's account on kind may lack containers; a pod's own group of processes is always the largest of its series.
const pipe = 'namespace="monitoring", pod=~"tetragon-.+|opentelemetry-collector-.+|fluent-bit-.+|loki-.+"'
