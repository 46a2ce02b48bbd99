import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import {
  bars,
  blockedMarks,
  colour,
  dashboard,
  lines,
  logLines,
  logql,
  lokiSilent,
  marks,
  orNone,
  orZero,
  pages,
  promql,
} from './common.ts'
import { blocked, events, observed, shortLine, violations } from './filters.ts'

const traffic = 'testid="guestbook"'
const noTraffic = 'No traffic: is traffic.enabled true, and k6 running? kubectl -n application get pods'
const noFrontend = 'No metrics of the frontend: only the lab’s own images have them (guestbook.images: lab).'

/** A quantile of the frontend's latency. */
const frontendLatency = (quantile: number): string =>
  `histogram_quantile(${quantile}, sum by (le) (rate(guestbook_http_request_duration_seconds_bucket[$__rate_interval])))`

/** How the application fares, and what the policies saw in the same minute. */
export const guestbook = (): Dashboard =>
  dashboard({
    page: pages.guestbook,
    description:
      'Rate, errors and latency, as the visitor sees them (k6) and as the frontend does. Marks are violations that are tagged high or critical (orange) and what was blocked (red): does the one explain the other?',
    annotations: [
      marks('Violations', 'orange', violations.replace('warn|error|critical', 'error|critical')),
      blockedMarks(blocked),
    ],
    rows: [
      {
        title: 'For the visitor',
        panels: [
          lines(
            {
              title: 'Visits',
              description:
                'Requests a second that k6 makes, by what it asks for. The rate strays around `traffic.rate` on purpose.',
              unit: 'reqps',
              empty: noTraffic,
              width: 8,
            },
            promql(
              orNone(`sum by (name) (rate(k6_http_reqs_total{${traffic}}[$__rate_interval]))`, 'name', 'no traffic'),
              '{{name}}',
            ),
          ),
          lines(
            {
              title: 'Errors',
              description:
                'Requests a second with an unexpected answer, by status. Kill a Redis pod, or load an enforcing policy that is too broad, and watch.',
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
          lines(
            {
              title: 'Latency',
              description:
                'Time until the whole answer is there, in the slowest kind of request: half of the visits are faster than p50, one in a hundred is slower than p99.',
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
        title: 'At the frontend',
        panels: [
          lines(
            {
              title: 'Requests by status',
              description: 'What the three frontends answered, all together.',
              unit: 'reqps',
              empty: noFrontend,
              width: 8,
            },
            promql('sum by (code) (rate(guestbook_http_requests_total[$__rate_interval]))', '{{code}}'),
          ),
          lines(
            {
              title: 'Errors of Redis',
              description:
                'Commands a second that Redis did not answer or refused, by the role of the Redis asked. Zero as long as leader and followers are up.',
              unit: 'ops',
              empty: noFrontend,
              width: 8,
            },
            promql(
              orNone('sum by (role) (rate(guestbook_redis_errors_total[$__rate_interval]))', 'role', 'no error'),
              '{{role}}',
            ),
          ),
          lines(
            {
              title: 'Latency inside the frontend',
              description:
                'From the request to the answer, without the network. Far below the visitor’s latency: the time is lost on the way.',
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
        title: 'In the same minute',
        panels: [
          bars(
            {
              title: 'Security events',
              description:
                'Violations, observed or blocked, in each step of time; compare with the graphs above. The time axis is shared: point at a bar.',
              unit: 'short',
              empty: lokiSilent,
              width: 8,
            },
            logql(orZero(`sum(count_over_time(${observed} [$__auto]))`), 'observed'),
            logql(orZero(`sum(count_over_time(${blocked} [$__auto]))`), 'blocked'),
          )
            .overrideByName('observed', colour('orange'))
            .overrideByName('blocked', colour('dark-red')),
          lines(
            {
              title: 'CPU of the application',
              description: 'CPU seconds a second of each pod in `application`: 1 is a whole core.',
              unit: 'cores',
              empty: 'The kubelet’s metrics have not arrived; they take about a minute after the start.',
              width: 8,
            },
            promql(
              'max by (pod) (rate(container_cpu_usage_seconds_total{namespace="application", pod=~"$pod"}[$__rate_interval]))',
              '{{pod}}',
            ),
          ),
          lines(
            {
              title: 'Memory of the application',
              description: 'Working set of each pod in `application`: what counts against its limit.',
              unit: 'bytes',
              empty: 'The kubelet’s metrics have not arrived; they take about a minute after the start.',
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
                'What the policies reported of the pods chosen above, the newest hundred. Choose a policy to leave out the Guestbook’s own connections.',
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
