import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { colorByName, gapColors, mapColors, pipelineColors, queueColors, stageColors } from './builders/colors.ts'
import { buildDashboard } from './builders/dashboard.ts'
import { pages } from './builders/pages.ts'
import { barGauges, stat, thresholds, timeSeries } from './builders/panels.ts'
import { busiest, mostSeries, orZero, promql, promqlNow } from './builders/queries.ts'
import { filteredRate, growth, queues, type Stage, stages } from './stages.ts'

const notScraped = 'Prometheus does not scrape Tetragon’s metrics. See Targets in Prometheus, job tetragon.'
const pipelineNotScraped = 'Prometheus does not scrape any stage of the pipeline.'
const noKubeletMetrics = 'The kubelet’s metrics have not arrived. They take about a minute after the start.'

// On kind, the kubelet's metrics may lack containers. The cgroup of the pod is always the largest series, hence `max`.
const pipelineWorkload = '(tetragon|opentelemetry-collector|fluent-bit|loki)-.+'

/** Returns PromQL that sums the pipeline's pods by workload. */
const byWorkload = (metric: string, rate = ''): string => {
  const series = `${metric}{namespace="monitoring", pod=~"${pipelineWorkload}"}`
  const perPod = `max by (pod) (${rate ? `rate(${series}[${rate}])` : series})`
  return `sum by (workload) (label_replace(${perPod}, "workload", "$1", "pod", "${pipelineWorkload}"))`
}

const ofPolicies = (metric: string): string => `${metric}{policy=~"$policy"}`

/** Creates a query for the rates of the busiest policies. */
const ratesByPolicy = (metric: string) =>
  busiest(
    'policy',
    `sum by (policy) (rate(${ofPolicies(metric)}[$__rate_interval]))`,
    `sum by (policy) (increase(${ofPolicies(metric)}[$__range] @ end()))`,
  )

/**
 * Builds the dashboard that tells whether the others can be trusted: lost events, policies that failed, and the cost.
 */
export const tetragonHealth = (): Dashboard =>
  buildDashboard({
    page: pages.health,
    description:
      'A dashboard without alarms is only as good as the pipeline behind it. The filter for policies applies to the panels that name policies.',
    rows: [
      {
        title: 'From the kernel to Loki',
        panels: [
          colorByName(
            timeSeries(
              {
                title: 'Events at each stage',
                description:
                  'Events per second at each stage of the pipeline. The filters of the agent keep back most of what the kernel sends, on purpose: clones, processes of the host, and events on the deny list. From the export (2) on, all lines should match; a lower line is where events are lost.',
                unit: 'eps',
                empty: pipelineNotScraped,
                width: 24,
                height: 9,
              },
              ...Object.values(stages).map(({ name, passed }) =>
                promql(`sum(rate(${passed}[$__rate_interval]))`, name),
              ),
              promql(filteredRate('$__rate_interval'), 'kept back by filters'),
            ),
            stageColors,
          ),
          barGauges(
            {
              title: 'Events lost, by stage',
              description:
                'Events lost in this time range, from the kernel at the top to Loki at the bottom. Two of them are harmless: the kernel skips a probe that interrupts itself, and the shipper retries what it refused. For the others, see `docs/runbooks.md`.',
              unit: 'short',
              empty: pipelineNotScraped,
              width: 24,
              height: 11,
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
              width: 24,
              height: 4,
            },
            promqlNow('sum by (state) (tetragon_tracingpolicy_loaded)', '{{state}}'),
          )
            .overrideByRegexp('error|load_error', [
              { id: 'thresholds', value: thresholds({ value: 1, color: 'red' }).build() },
            ])
            .overrideByName('disabled', [
              { id: 'thresholds', value: thresholds({ value: 1, color: 'amber' }).build() },
            ]),
          timeSeries(
            {
              title: 'Events of policies',
              description:
                'Events per second of the five busiest policies, before the export filters: the load that they cause.',
              unit: 'eps',
              empty: 'No policy has matched yet. Is one loaded? kubectl get tracingpolicies -A',
              height: 10,
            },
            ratesByPolicy('tetragon_policy_events_total'),
          ),
          timeSeries(
            {
              title: 'Kernel memory of policies',
              description:
                'Kernel memory used by the maps of the five largest policies; their programs come on top. It counts towards the memory of the agent’s pod, so the limit must leave room for it.',
              unit: 'bytes',
              empty: 'No policy is loaded. kubectl get tracingpolicies -A',
              height: 10,
            },
            busiest(
              'policy',
              `sum by (policy) (${ofPolicies('tetragon_tracingpolicy_kernel_memory_bytes')})`,
              `sum by (policy) (${ofPolicies('tetragon_tracingpolicy_kernel_memory_bytes')} @ end())`,
            ),
          ),
        ],
      },
      {
        title: 'Cost',
        panels: [
          colorByName(
            timeSeries(
              {
                title: 'CPU',
                description:
                  'CPU seconds per second of each workload of the pipeline, measured by the kubelet; 1 is a whole core. `tetragon` is the agent with its operator, or the replay.',
                unit: 'cores',
                empty: noKubeletMetrics,
              },
              promql(byWorkload('container_cpu_usage_seconds_total', '$__rate_interval'), '{{workload}}'),
            ),
            pipelineColors,
          ),
          colorByName(
            timeSeries(
              {
                title: 'Memory',
                description:
                  'Working set of each workload of the pipeline, measured by the kubelet. `tetragon` is the agent with its operator, or the replay.',
                unit: 'bytes',
                empty: noKubeletMetrics,
              },
              promql(byWorkload('container_memory_working_set_bytes'), '{{workload}}'),
            ),
            pipelineColors,
          ),
          timeSeries(
            {
              title: 'Time in the kernel, by policy',
              description:
                'Seconds per second that BPF programs run during calls of applications: the overhead that applications notice, for the five most expensive policies. `__base__` tracks processes and needs no policy. All zero until the kernel collects statistics: `sysctl kernel.bpf_stats_enabled=1` on the node.',
              unit: 'percentunit',
              empty: notScraped,
              height: 10,
            },
            ratesByPolicy('tetragon_overhead_program_seconds_total'),
          ),
          timeSeries(
            {
              title: 'Runs in the kernel, by policy',
              description:
                'How often BPF programs run per second, for the five policies that run most. They run far more often than there are events, because the filters run in the kernel too. All zero until the kernel collects statistics (see the panel on the left).',
              unit: 'ops',
              empty: notScraped,
              height: 10,
            },
            ratesByPolicy('tetragon_overhead_program_runs_total'),
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
                'How full the agent’s process cache is. When it is full, the least recently used processes are evicted, and events lose their pod and parent.',
              unit: 'percentunit',
              empty: notScraped,
              height: 9,
            },
            promql('sum(tetragon_process_cache_size) / sum(tetragon_process_cache_capacity)', 'filled'),
          ).max(1),
          colorByName(
            timeSeries(
              {
                title: 'Incomplete events',
                description:
                  'Per second, lookups of a process that is not in the agent’s cache, and events that lack their process, pod or parent after all retries. Cache misses are normal.',
                unit: 'eps',
                empty: notScraped,
                height: 9,
              },
              promql('sum(rate(tetragon_process_cache_misses_total[$__rate_interval]))', 'cache misses'),
              promql('sum(rate(tetragon_events_missing_process_info_total[$__rate_interval]))', 'without process'),
              promql(
                'sum(rate(tetragon_event_cache_fetch_failures_total{entry_type="pod_info"}[$__rate_interval]))',
                'without pod',
              ),
              promql(
                'sum(rate(tetragon_event_cache_fetch_failures_total{entry_type=~"parent_info|ancestors_info"}[$__rate_interval]))',
                'without parent',
              ),
            ),
            gapColors,
          ),
          timeSeries(
            {
              title: 'Agent errors',
              description: 'Errors per second while handling events, by kind: the five most frequent kinds.',
              unit: 'ops',
              empty: 'The agent had no errors in this time range. That is good.',
            },
            promql(
              `topk(${mostSeries}, (sum by (error) (rate(tetragon_errors_total[$__rate_interval])) or sum by (error) (rate(tetragon_handler_errors_total[$__rate_interval]))) > 0)`,
              '{{error}}',
            ),
          ),
          colorByName(
            timeSeries(
              {
                title: 'BPF maps',
                description:
                  'How full the agent’s maps in the kernel are. When `execve_map` is full, the agent no longer tracks new processes. The other map overwrites its oldest entries.',
                unit: 'percentunit',
                empty: notScraped,
              },
              promql('sum by (map) (tetragon_map_entries) / sum by (map) (tetragon_map_capacity)', '{{map}}'),
            ).max(1),
            mapColors,
          ),
          colorByName(
            timeSeries(
              {
                title: 'Queue of the shipper',
                description:
                  'What waits on the node’s disk for Loki. The queue grows while Loki is down and drains when it is back. When it is full, the shipper stops reading, and the events wait in Tetragon’s files. Fluent Bit’s queue has no limit, so it shows no room.',
                unit: 'bytes',
                empty: 'Prometheus does not scrape the shipper’s metrics.',
                width: 24,
              },
              promql(orZero(queues.loki), 'waiting'),
              promql(orZero(queues.siem), 'waiting for a SIEM'),
              promql(orZero('max(otelcol_exporter_queue_capacity)'), 'room'),
            ),
            queueColors,
          ),
        ],
      },
    ],
  })
