import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { blockedMarks } from './builders/annotations.ts'
import { colorByName, type colors, outcomeColors, severityColors } from './builders/colors.ts'
import { buildDashboard } from './builders/dashboard.ts'
import {
  blocked,
  connections,
  events,
  observed,
  publicConnections,
  sensitiveFiles,
  violations,
} from './builders/filters.ts'
import { pages } from './builders/pages.ts'
import { bars, heatmap, logLines, lokiUnavailable, stat, thresholds } from './builders/panels.ts'
import { logql, logqlNow, mostSeries, orZero } from './builders/queries.ts'
import { table } from './builders/tables.ts'

const count = (selector: string, by = ''): string => `sum ${by}(count_over_time(${selector} [$__auto]))`
const countAll = (selector: string, by = ''): string => `sum ${by}(count_over_time(${selector} [$__range]))`

const noViolation = 'No policy was violated in this time range. That is good.'

const connectionColumns = { k8s_pod_name: 'Pod', process_executable_path: 'Binary', destination: 'Destination' }

/** Creates a query for the rows of a table of connections. */
const connectionsOf = (selector: string) =>
  logqlNow(`topk(50, ${countAll(selector, `by (${Object.keys(connectionColumns).join(', ')}) `)})`)

interface Total {
  title: string
  description: string
  /** From a count of 1. */
  color: keyof typeof colors
}

/** Counts the lines of a selector in the time range. Zero is green. */
const total = ({ title, description, color }: Total, selector: string, legend: string) =>
  stat(
    { title, description, unit: 'short', empty: lokiUnavailable, width: 6, height: 4 },
    logqlNow(orZero(countAll(selector)), legend),
  ).thresholds(thresholds({ value: 1, color }))

/** Builds the dashboard of what happened in the pods, what violated a policy, and what was blocked. */
export const security = (): Dashboard =>
  buildDashboard({
    page: pages.security,
    description:
      'A violation is an event of a policy tagged medium, high or critical. Observed means that the policy reported it and let it happen; blocked means that it was stopped. Red marks are the newest 30 blocked calls.',
    annotations: [blockedMarks()],
    rows: [
      {
        title: 'In this time range',
        panels: [
          total(
            {
              title: 'Violations',
              description:
                'Events of policies tagged `severity.medium` or worse; the tag is in the policy file in `policies/`. Events of a policy without such a tag are not violations. They are in *Top talkers* and on *Events*.',
              color: 'amber',
            },
            violations,
            'violations',
          ),
          total(
            {
              title: 'Blocked',
              description:
                'Processes killed with SIGKILL, and calls to which an enforcing policy returned an error. Zero while no enforcing policy is loaded; the exercise on enforcement loads one. An exit event names no policy, so the policy filter does not apply. Other kills count too: by the kubelet when a pod does not stop in time, or by the kernel when it runs out of memory.',
              color: 'red',
            },
            blocked,
            'blocked',
          ),
          total(
            {
              title: 'Files opened',
              description:
                'How often a sensitive file was opened against a policy: password files, keys, service account tokens. Counts only policies tagged medium or worse.',
              color: 'brown',
            },
            sensitiveFiles,
            'files',
          ),
          total(
            {
              title: 'Public addresses',
              description:
                'Connections to an address outside all private ranges. The Guestbook makes none, so any is worth a look. Needs the policy `tcp-connect`. A machine on the same network has a private address; the policy `tcp-connect-outside` reports that one too.',
              color: 'brown',
            },
            publicConnections,
            'connections',
          ),
        ],
      },
      {
        title: 'Programs',
        panels: [
          heatmap(
            {
              title: 'Programs started, by namespace and binary',
              description:
                'A row per program and a column per interval, with the 25 programs that start most often. The more a cell stands out from the background, the more starts. A steady row is a scheduled task. A new row with a single strong cell is someone at a shell, or an intruder.',
              unit: 'short',
              width: 24,
              height: 10,
            },
            logql(
              `topk(25, ${count(events({ type: 'process_exec' }), 'by (k8s_namespace_name, process_executable_path) ')})`,
              '{{k8s_namespace_name}} {{process_executable_path}}',
            ),
          )
            // The whole path would be cut off at the left.
            .withTransformation({
              id: 'renameByRegex',
              options: { regex: '^(\\S*) .*/([^/]+)$', renamePattern: '$1 $2' },
            }),
        ],
      },
      {
        title: 'Violations',
        panels: [
          bars(
            {
              title: 'Violations by policy',
              description:
                'Violations per interval, by the TracingPolicy that reported them: the five policies with the most.',
              unit: 'short',
              empty: noViolation,
              height: 9,
            },
            logql(
              `topk(${mostSeries}, ${count(violations, 'by (tetragon_policy_name) ')})`,
              '{{tetragon_policy_name}}',
            ),
          ),
          colorByName(
            bars(
              {
                title: 'Violations by severity',
                description:
                  'The same violations by the severity in the policy’s tag: `severity.medium` is warn, `high` is error, `critical` is critical.',
                unit: 'short',
                empty: noViolation,
                height: 9,
              },
              logql(count(violations, 'by (detected_level) '), '{{detected_level}}'),
            ),
            severityColors,
          ),
          colorByName(
            bars(
              {
                title: 'Blocked and observed',
                description:
                  'Observed: a policy reported a call and let it happen. Blocked: the process was killed, or its call was refused. The action in an event is what the policy requests, even in monitor mode. So a refusal counts as blocked unless the policy’s name ends in `-monitor`, even if `tetra tracingpolicy set-mode` has put the policy into monitor mode. A killed process counts twice: its call is observed, its exit is blocked.',
                unit: 'short',
                empty: lokiUnavailable,
                width: 10,
              },
              logql(orZero(count(blocked)), 'blocked'),
              logql(orZero(count(observed)), 'observed'),
            ),
            outcomeColors,
          ),
          table(
            {
              title: 'Top talkers',
              description:
                'The 10 pairs of pod and policy with the most events, violations or not. A pod at the top for `tcp-connect` is merely busy; a pod with two policies in the list deserves a look. The name of a pod links to its events.',
              unit: 'short',
              empty: 'No policy matched in this time range. Is one loaded? kubectl get tracingpolicies -A',
              width: 14,
            },
            { k8s_pod_name: 'Pod', tetragon_policy_name: 'Policy' },
            {
              heading: 'Events',
              query: logqlNow(
                `topk(10, ${countAll(events({ policy: 'any' }), 'by (k8s_pod_name, tetragon_policy_name) ')})`,
              ),
            },
          ),
        ],
      },
      {
        title: 'Files and network',
        panels: [
          table(
            {
              title: 'Sensitive files',
              description:
                'Which program opened which sensitive file, and which policy reported it. Paths are as the kernel resolved them: the path of a service account token contains a folder with a date, which the table leaves out. A file of the image, such as `/etc/shadow`, counts twice per open, because overlayfs opens the file below it too.',
              unit: 'short',
              empty: 'No sensitive file was opened in this time range. That is good.',
              width: 24,
            },
            {
              k8s_pod_name: 'Pod',
              process_executable_path: 'Binary',
              tetragon_args: 'File',
              tetragon_policy_name: 'Policy',
            },
            {
              heading: 'Events',
              query: logqlNow(
                `topk(50, ${countAll(sensitiveFiles, 'by (k8s_pod_name, process_executable_path, tetragon_args, tetragon_policy_name) ')})`,
              ),
            },
          ),
          table(
            {
              title: 'Connections by binary and destination',
              description:
                'Which program connected where, as reported by the policy `tcp-connect`. In `application` the lab’s own connections are few: `node` and Redis to port 6379, `k6` to 80 and to Prometheus, the visitor to 80. Any other binary or port there is unexpected. The address is that of the Service, as requested by the program.',
              unit: 'short',
              empty:
                'No connection in this time range. Is the policy tcp-connect loaded? kubectl get tracingpolicies -A',
              width: 24,
            },
            connectionColumns,
            { heading: 'Connections', query: connectionsOf(connections) },
          ),
          table(
            {
              title: 'Connections to public addresses',
              description:
                'Who connected to an address outside all private ranges, and where. If the machine is online, `wget -q -O /dev/null http://example.com` in the visitor’s pod makes such a connection.',
              unit: 'short',
              empty: 'No connection to a public address in this time range. That is good.',
              width: 24,
              height: 6,
            },
            connectionColumns,
            { heading: 'Connections', query: connectionsOf(publicConnections) },
          ),
        ],
      },
      {
        title: 'Process tree',
        panels: [
          logLines(
            {
              title: 'Process tree of the selected pods',
              description:
                'The last 100 programs in the order in which they started, indented by the number of ancestors: pod, parent, program, arguments. Select one pod at the top of the page, or several trees are mixed. A program started by `kubectl exec` is a child of `containerd-shim` or `runc`.',
              unit: 'short',
              width: 24,
              height: 12,
            },
            logql(
              `${events({ type: 'process_exec' })} | line_format \`{{ range (fromJson __line__).process_exec.ancestors }}  {{ end }}{{ .k8s_pod_name }}  {{ .process_parent_executable_path }} → {{ .process_executable_path }} {{ .process_arguments }}\``,
            ),
            { oldestFirst: true },
          ),
          table(
            {
              title: 'Parents and children',
              description:
                'Which program started which, and how often. A row with a high count is a scheduled task; a shell under a web server is an incident.',
              unit: 'short',
              empty: 'No program that matches these filters started in this time range.',
              width: 24,
              height: 9,
            },
            { process_parent_executable_path: 'Parent', process_executable_path: 'Binary' },
            {
              heading: 'Starts',
              query: logqlNow(
                `topk(50, ${countAll(events({ type: 'process_exec' }), 'by (process_parent_executable_path, process_executable_path) ')})`,
              ),
            },
          ),
        ],
      },
    ],
  })
