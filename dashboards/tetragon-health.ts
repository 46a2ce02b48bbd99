import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { buildDashboard } from './dashboard.ts'
import { pages } from './pages.ts'
import { barGauges, stat, thresholds, timeSeries } from './panels.ts'
import { orNone, orZero, promql, promqlNow } from './queries.ts'
import { growth, queues, type Stage, stages } from './stages.ts'

const notScraped = 'Prometheus does not scrape Tetragon’s metrics. See Targets in Prometheus, job tetragon.'
const pipelineNotScraped = 'Prometheus does not scrape any stage of the pipeline.'
const noKubeletMetrics = 'The kubelet’s metrics have not arrived. They take about a minute after the start.'

/**
 * Builds the dashboard that tells whether the others can be trusted: lost events, policies that failed, and the cost.
 */
export const tetragonHealth = (): Dashboard =>
  buildDashboard({
    page: pages.health,
    description:
      'A dashboard without alarms is only as good as the pipeline behind it. The filters for namespace, pod and so on only apply to panels that show workloads.',
    rows: [
      {
        title: 'From the kernel to Loki',
        panels: [
          timeSeries(
            {
              title: 'Events at each stage',
              description:
                'Events per second at each stage of the pipeline. The agent drops most of what the kernel sends: clones, host processes and events on the deny list. From the export on, all lines should match; a lower line is where events are lost.',
              unit: 'eps',
              empty: pipelineNotScraped,
              width: 14,
              height: 10,
            },
            ...Object.values(stages).map(({ name, passed }) => promql(`sum(rate(${passed}[$__rate_interval]))`, name)),
          ),
          barGauges(
            {
              title: 'Events lost, by stage',
              description:
                'Events lost in this time range, from the kernel at the top to Loki at the bottom. Two of them are harmless: the kernel skips a probe that interrupts itself, and the shipper retries what it refused. For the others, see `docs/runbooks.md`.',
              unit: 'short',
              empty: pipelineNotScraped,
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
                'TracingPolicies by their state in the agent. A TracingPolicy has no status in Kubernetes, so `kubectl apply` succeeds even if the agent rejects the policy. The reason is in the agent’s log and in `tetra tracingpolicy list -o json`.',
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
          timeSeries(
            {
              title: 'Events of policies',
              description: 'Events per second of each policy, before the export filters: the load that it causes.',
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
          timeSeries(
            {
              title: 'Kernel memory of policies',
              description:
                'Kernel memory used by a policy’s maps and programs. It counts towards the memory of the agent’s pod, so the limit must leave room for it.',
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
        title: 'Cost',
        panels: [
          timeSeries(
            {
              title: 'CPU',
              description:
                'CPU seconds per second of each part of the pipeline; 1 is a whole core. `agent` is measured by the agent, pods by the kubelet. With `tetragon.source: replay` the agent’s value is recorded and played faster, so use the pod’s.',
              unit: 'cores',
              empty: noKubeletMetrics,
            },
            promql('sum(rate(process_cpu_seconds_total{job="tetragon"}[$__rate_interval]))', 'agent'),
            promql(
              `max by (pod) (rate(container_cpu_usage_seconds_total{${pipelinePods}}[$__rate_interval]))`,
              '{{pod}}',
            ),
          ),
          timeSeries(
            {
              title: 'Memory',
              description:
                'Memory of each part of the pipeline: resident memory of the agent (recorded, with replay), working set of pods.',
              unit: 'bytes',
              empty: noKubeletMetrics,
            },
            promql('sum(process_resident_memory_bytes{job="tetragon"})', 'agent'),
            promql(`max by (pod) (container_memory_working_set_bytes{${pipelinePods}})`, '{{pod}}'),
          ),
          timeSeries(
            {
              title: 'Time in the kernel, by policy',
              description:
                'Seconds per second that BPF programs run during calls of applications: the overhead that applications notice. `__base__` tracks processes and needs no policy. All zero until the kernel collects statistics: `sysctl kernel.bpf_stats_enabled=1` on the node.',
              unit: 'percentunit',
              empty: notScraped,
            },
            promql('sum by (policy) (rate(tetragon_overhead_program_seconds_total[$__rate_interval]))', '{{policy}}'),
          ),
          timeSeries(
            {
              title: 'Runs in the kernel, by policy',
              description:
                'How often BPF programs run per second. They run far more often than there are events, because the filters run in the kernel too. All zero until the kernel collects statistics (see the panel on the left).',
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
          timeSeries(
            {
              title: 'Process cache',
              description:
                'How full the agent’s process cache is. When it is full, the oldest processes are evicted, and events lose their pod and parent.',
              unit: 'percentunit',
              empty: notScraped,
              width: 8,
              height: 7,
            },
            promql('sum(tetragon_process_cache_size) / sum(tetragon_process_cache_capacity)', 'filled'),
          ).max(1),
          timeSeries(
            {
              title: 'Incomplete events',
              description:
                'Events per second without a process (cache misses, missing information), or without its pod after all retries.',
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
          timeSeries(
            {
              title: 'Agent errors',
              description: 'Errors per second while handling events, by kind.',
              unit: 'ops',
              empty: notScraped,
              width: 8,
              height: 7,
            },
            promql('sum by (error) (rate(tetragon_errors_total[$__rate_interval]))', '{{error}}'),
            promql('sum by (error) (rate(tetragon_handler_errors_total[$__rate_interval]))', '{{error}}'),
          ),
          timeSeries(
            {
              title: 'BPF maps',
              description:
                'How full the agent’s maps in the kernel are. At 100% the agent no longer tracks new processes.',
              unit: 'percentunit',
              empty: notScraped,
              height: 7,
            },
            promql('sum by (map) (tetragon_map_entries) / sum by (map) (tetragon_map_capacity)', '{{map}}'),
          ).max(1),
          timeSeries(
            {
              title: 'Queue of the shipper',
              description:
                'What waits on the node’s disk for Loki. The queue grows while Loki is down and drains when it is back. When it is full, the shipper stops reading, and the events wait in Tetragon’s files. Fluent Bit’s queue has no limit, so it shows no room.',
              unit: 'bytes',
              empty: 'Prometheus does not scrape the shipper’s metrics.',
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

// On kind, the kubelet's metrics may lack containers. The cgroup of the pod is always the largest series, hence `max`.
const pipelinePods = 'namespace="monitoring", pod=~"tetragon-.+|opentelemetry-collector-.+|fluent-bit-.+|loki-.+"'
