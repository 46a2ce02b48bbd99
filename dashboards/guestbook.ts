import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { blockedMarks, violationMarks } from './builders/annotations.ts'
import {
  colorByName,
  outcomeColors,
  percentileColors,
  redisColors,
  requestColors,
  statusColors,
  workloadColors,
} from './builders/colors.ts'
import { buildDashboard } from './builders/dashboard.ts'
import { blocked, events, observed, readable } from './builders/filters.ts'
import { pages } from './builders/pages.ts'
import { bars, logLines, lokiUnavailable, timeSeries } from './builders/panels.ts'
import { logql, orZero, promql } from './builders/queries.ts'

const traffic = 'testid="guestbook"'
const noTraffic = 'No traffic. Is traffic.enabled true, and is k6 running? kubectl -n application get pods'
const noFrontend = 'The frontend has no metrics. Only the lab’s own images have them (guestbook.images: lab).'
const noKubeletMetrics = 'The kubelet’s metrics have not arrived. They take about a minute after the start.'

/** Returns the PromQL of a quantile of the frontend's latency. */
const frontendLatency = (quantile: number): string =>
  `histogram_quantile(${quantile}, sum by (le) (rate(guestbook_http_request_duration_seconds_bucket[$__rate_interval])))`

/** Returns PromQL that sums requests by the class of their HTTP status. k6 gives a request without an answer status 0. */
const byStatusClass = (expr: string, label: string): string =>
  `sum by (class) (label_replace(label_replace(${expr}, "class", "\${1}xx", "${label}", "(.).."), "class", "no answer", "${label}", "0"))`

/** Returns PromQL that sums the application's pods by workload. The cgroup of the pod is always the largest series. */
const byWorkload = (perPod: string): string =>
  `sum by (workload) (label_replace(max by (pod) (${perPod}), "workload", "$1", "pod", "(.+?)(-[a-z0-9]+)?-[a-z0-9]{5}"))`

const applicationPods = 'namespace="application", pod=~"$pod"'

/** Builds the dashboard of the application's health, and of what the policies saw at the same time. */
export const guestbook = (): Dashboard =>
  buildDashboard({
    page: pages.guestbook,
    description:
      'Request rate, errors and latency, as seen by k6 and by the frontend. Red marks are the newest 30 blocked calls. The switch *Violations* at the top also marks violations tagged high or critical: does one explain the other?',
    annotations: [blockedMarks(), violationMarks()],
    rows: [
      {
        title: 'As seen by the visitor',
        panels: [
          colorByName(
            timeSeries(
              {
                title: 'Visits',
                description:
                  'Requests per second from k6, by kind of request. The rate varies around `traffic.rate` on purpose.',
                unit: 'reqps',
                empty: noTraffic,
                width: 8,
              },
              promql(`sum by (name) (rate(k6_http_reqs_total{${traffic}}[$__rate_interval]))`, '{{name}}'),
            ),
            requestColors,
          ),
          colorByName(
            timeSeries(
              {
                title: 'Errors',
                description:
                  'Requests per second with an unexpected response, by class of HTTP status. To see some, kill a Redis pod or load an enforcing policy that is too broad.',
                unit: 'reqps',
                empty: 'No request failed in this time range. That is good.',
                width: 8,
              },
              promql(
                byStatusClass(
                  `rate(k6_http_reqs_total{${traffic}, expected_response="false"}[$__rate_interval])`,
                  'status',
                ),
                '{{class}}',
              ),
            ),
            statusColors,
          ),
          colorByName(
            timeSeries(
              {
                title: 'Latency',
                description:
                  'Time until the whole response has arrived, for the slowest kind of request. Half of the requests are faster than p50, and 1 in 100 is slower than p99.',
                unit: 's',
                empty: noTraffic,
                width: 8,
              },
              ...[50, 95, 99].map(percent =>
                promql(
                  `max(histogram_quantile(${percent / 100}, sum by (name) (rate(k6_http_req_duration_seconds{${traffic}}[$__rate_interval]))))`,
                  `p${percent}`,
                ),
              ),
            ),
            percentileColors,
          ),
        ],
      },
      {
        title: 'As seen by the frontend',
        panels: [
          colorByName(
            timeSeries(
              {
                title: 'Requests by status',
                description: 'Responses per second of all frontend pods together, by class of HTTP status.',
                unit: 'reqps',
                empty: noFrontend,
                width: 8,
              },
              promql(byStatusClass('rate(guestbook_http_requests_total[$__rate_interval])', 'code'), '{{class}}'),
            ),
            statusColors,
          ),
          colorByName(
            timeSeries(
              {
                title: 'Redis errors',
                description:
                  'Commands per second that Redis did not answer or rejected, by role. None while the leader and the followers are up.',
                unit: 'ops',
                empty: 'Redis answered every command in this time range. That is good.',
                width: 8,
              },
              promql('sum by (role) (rate(guestbook_redis_errors_total[$__rate_interval]))', '{{role}}'),
            ),
            redisColors,
          ),
          colorByName(
            timeSeries(
              {
                title: 'Latency of the frontend',
                description:
                  'Time from the request to the response, without the network. If it is far below the visitor’s latency, the time is lost on the network.',
                unit: 's',
                empty: noFrontend,
                width: 8,
              },
              promql(frontendLatency(0.5), 'p50'),
              promql(frontendLatency(0.95), 'p95'),
              promql(frontendLatency(0.99), 'p99'),
            ),
            percentileColors,
          ),
        ],
      },
      {
        title: 'At the same time',
        panels: [
          colorByName(
            bars(
              {
                title: 'Security events',
                description:
                  'Violations per interval, observed or blocked. The graphs share their time axis: point at a bar to compare it with the graphs above.',
                unit: 'short',
                empty: lokiUnavailable,
                width: 24,
                height: 7,
              },
              logql(orZero(`sum(count_over_time(${observed} [$__auto]))`), 'observed'),
              logql(orZero(`sum(count_over_time(${blocked} [$__auto]))`), 'blocked'),
            ),
            outcomeColors,
          ),
          colorByName(
            timeSeries(
              {
                title: 'CPU of the application',
                description:
                  'CPU seconds per second in `application`; 1 is a whole core. The pods of a Deployment count as one.',
                unit: 'cores',
                empty: noKubeletMetrics,
                height: 10,
              },
              promql(
                byWorkload(`rate(container_cpu_usage_seconds_total{${applicationPods}}[$__rate_interval])`),
                '{{workload}}',
              ),
            ),
            workloadColors,
          ),
          colorByName(
            timeSeries(
              {
                title: 'Memory of the application',
                description:
                  'Working set of the pods in `application`, which counts against their limits. The pods of a Deployment count as one.',
                unit: 'bytes',
                empty: noKubeletMetrics,
                height: 10,
              },
              promql(byWorkload(`container_memory_working_set_bytes{${applicationPods}}`), '{{workload}}'),
            ),
            workloadColors,
          ),
          logLines(
            {
              title: 'Events of policies',
              description:
                'The newest 100 events of policies in the selected pods. Select a policy to hide the Guestbook’s own connections.',
              unit: 'short',
              width: 24,
              height: 10,
            },
            logql(`${events({ policy: 'any' })} ${readable}`),
          ),
        ],
      },
    ],
  })
