import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { blockedAnnotation, buildDashboard, logAnnotation } from './dashboard.ts'
import { blocked, events, observed, shortLine, violations } from './filters.ts'
import { pages } from './pages.ts'
import { bars, fixedColor, logLines, lokiUnavailable, timeSeries } from './panels.ts'
import { logql, orNone, orZero, promql } from './queries.ts'

const traffic = 'testid="guestbook"'
const noTraffic = 'No traffic. Is traffic.enabled true, and is k6 running? kubectl -n application get pods'
const noFrontend = 'The frontend has no metrics. Only the lab’s own images have them (guestbook.images: lab).'

/** Returns the PromQL of a quantile of the frontend's latency. */
const frontendLatency = (quantile: number): string =>
  `histogram_quantile(${quantile}, sum by (le) (rate(guestbook_http_request_duration_seconds_bucket[$__rate_interval])))`

/** Builds the dashboard of the application's health, and of what the policies saw at the same time. */
export const guestbook = (): Dashboard =>
  buildDashboard({
    page: pages.guestbook,
    description:
      'Request rate, errors and latency, as seen by k6 and by the frontend. Marks are violations tagged high or critical (orange) and blocked calls (red): does one explain the other?',
    annotations: [
      logAnnotation('Violations', 'orange', violations.replace('warn|error|critical', 'error|critical')),
      blockedAnnotation(blocked),
    ],
    rows: [
      {
        title: 'As seen by the visitor',
        panels: [
          timeSeries(
            {
              title: 'Visits',
              description:
                'Requests per second from k6, by kind of request. The rate varies around `traffic.rate` on purpose.',
              unit: 'reqps',
              empty: noTraffic,
              width: 8,
            },
            promql(
              orNone(`sum by (name) (rate(k6_http_reqs_total{${traffic}}[$__rate_interval]))`, 'name', 'no traffic'),
              '{{name}}',
            ),
          ),
          timeSeries(
            {
              title: 'Errors',
              description:
                'Requests per second with an unexpected response, by status. To see some, kill a Redis pod or load an enforcing policy that is too broad.',
              unit: 'reqps',
              empty: noTraffic,
              width: 8,
            },
            promql(
              orNone(
                `sum by (status) (rate(k6_http_reqs_total{${traffic}, expected_response="false"}[$__rate_interval]))`,
                'status',
                'no error',
              ),
              '{{status}}',
            ),
          ),
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
        ],
      },
      {
        title: 'As seen by the frontend',
        panels: [
          timeSeries(
            {
              title: 'Requests by status',
              description: 'Responses per second of all frontend pods together, by HTTP status.',
              unit: 'reqps',
              empty: noFrontend,
              width: 8,
            },
            promql('sum by (code) (rate(guestbook_http_requests_total[$__rate_interval]))', '{{code}}'),
          ),
          timeSeries(
            {
              title: 'Redis errors',
              description:
                'Commands per second that Redis did not answer or rejected, by role. Zero while the leader and the followers are up.',
              unit: 'ops',
              empty: noFrontend,
              width: 8,
            },
            promql(
              orNone('sum by (role) (rate(guestbook_redis_errors_total[$__rate_interval]))', 'role', 'no error'),
              '{{role}}',
            ),
          ),
          timeSeries(
            {
              title: 'Latency inside the frontend',
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
        ],
      },
      {
        title: 'At the same time',
        panels: [
          bars(
            {
              title: 'Security events',
              description:
                'Violations per interval, observed or blocked. The graphs share their time axis: point at a bar to compare it with the graphs above.',
              unit: 'short',
              empty: lokiUnavailable,
              width: 8,
            },
            logql(orZero(`sum(count_over_time(${observed} [$__auto]))`), 'observed'),
            logql(orZero(`sum(count_over_time(${blocked} [$__auto]))`), 'blocked'),
          )
            .overrideByName('observed', fixedColor('orange'))
            .overrideByName('blocked', fixedColor('dark-red')),
          timeSeries(
            {
              title: 'CPU of the application',
              description: 'CPU seconds per second of each pod in `application`; 1 is a whole core.',
              unit: 'cores',
              empty: 'The kubelet’s metrics have not arrived. They take about a minute after the start.',
              width: 8,
            },
            promql(
              'max by (pod) (rate(container_cpu_usage_seconds_total{namespace="application", pod=~"$pod"}[$__rate_interval]))',
              '{{pod}}',
            ),
          ),
          timeSeries(
            {
              title: 'Memory of the application',
              description: 'Working set of each pod in `application`, which counts against its limit.',
              unit: 'bytes',
              empty: 'The kubelet’s metrics have not arrived. They take about a minute after the start.',
              width: 8,
            },
            promql(
              'max by (pod) (container_memory_working_set_bytes{namespace="application", pod=~"$pod"})',
              '{{pod}}',
            ),
          ),
          logLines(
            {
              title: 'Events of policies',
              description:
                'The newest 100 events of policies in the selected pods. Select a policy to hide the Guestbook’s own connections.',
              unit: 'short',
              empty: 'No policy matched in this time range. Is one loaded? kubectl get tracingpolicies -A',
              width: 24,
              height: 10,
            },
            logql(`${events({ policy: 'any' })} ${shortLine}`),
          ),
        ],
      },
    ],
  })
