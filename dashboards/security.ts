import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { blockedAnnotation, buildDashboard } from './dashboard.ts'
import { blocked, connections, events, observed, publicConnections, sensitiveFiles, violations } from './filters.ts'
import { pages } from './pages.ts'
import {
  bars,
  colorBySeverity,
  fixedColor,
  heatmap,
  logLines,
  lokiUnavailable,
  stat,
  table,
  thresholds,
} from './panels.ts'
import { logql, logqlNow, orNone, orZero } from './queries.ts'

const count = (selector: string, by = ''): string => `sum ${by}(count_over_time(${selector} [$__auto]))`
const countAll = (selector: string, by = ''): string => `sum ${by}(count_over_time(${selector} [$__range]))`

interface Total {
  title: string
  description: string
  /** From a count of 1. */
  color: string
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
      'A violation is an event of a policy tagged medium, high or critical. Observed means that the policy reported it and let it happen; blocked means that it was stopped.',
    annotations: [blockedAnnotation(blocked)],
    rows: [
      {
        title: 'In this time range',
        panels: [
          total(
            {
              title: 'Violations',
              description:
                'Events of policies tagged `severity.medium` or worse; the tag is in the policy file in `policies/`. Events of a policy without such a tag are not violations. They are in *Top talkers* and on *Events*.',
              color: 'yellow',
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
              title: 'Sensitive files opened',
              description:
                'Violations on files: password files, keys, service account tokens. Counts only policies tagged medium or worse.',
              color: 'orange',
            },
            sensitiveFiles,
            'files',
          ),
          total(
            {
              title: 'Connections to public addresses',
              description:
                'Connections to an address outside all private ranges. The Guestbook makes none, so any is worth a look. Needs the policy `tcp-connect`. A machine on the same network has a private address; the policy `tcp-connect-outside` reports that one too.',
              color: 'orange',
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
                'A row per program and a column per interval, with the 25 programs that start most often; darker means more starts. A steady row is a health check. A new row with a single dark cell is someone at a shell, or an intruder.',
              unit: 'short',
              empty: 'No program that matches these filters started.',
              width: 24,
              height: 10,
            },
            logql(
              `topk(25, ${count(events({ type: 'process_exec' }), 'by (k8s_namespace_name, process_executable_path) ')})`,
              '{{k8s_namespace_name}} {{process_executable_path}}',
            ),
          ),
        ],
      },
      {
        title: 'Violations',
        panels: [
          bars(
            {
              title: 'Violations by policy',
              description: 'Violations per interval, by the TracingPolicy that reported them.',
              unit: 'short',
              empty: lokiUnavailable,
            },
            logql(
              orNone(count(violations, 'by (tetragon_policy_name) '), 'tetragon_policy_name'),
              '{{tetragon_policy_name}}',
            ),
          ),
          colorBySeverity(
            bars(
              {
                title: 'Violations by severity',
                description:
                  'The same violations by the severity in the policy’s tag: `severity.medium` is warn, `high` is error, `critical` is critical.',
                unit: 'short',
                empty: lokiUnavailable,
              },
              logql(orNone(count(violations, 'by (detected_level) '), 'detected_level'), '{{detected_level}}'),
            ),
          ),
          bars(
            {
              title: 'Blocked against observed',
              description:
                'Observed: a policy reported a call and let it happen. Blocked: the process was killed, or its call was refused. The action in an event is what the policy requests, even in monitor mode. So a refusal counts as blocked unless the policy’s name ends in `-monitor`, even if `tetra tracingpolicy set-mode` has put the policy into monitor mode. A killed process counts twice: its call is observed, its exit is blocked.',
              unit: 'short',
              empty: lokiUnavailable,
            },
            logql(orZero(count(blocked)), 'blocked'),
            logql(orZero(count(observed)), 'observed'),
          )
            .overrideByName('blocked', fixedColor('dark-red'))
            .overrideByName('observed', fixedColor('blue')),
          table(
            {
              title: 'Top talkers',
              description:
                'The 10 pairs of pod and policy with the most events, violations or not. A pod at the top for `tcp-connect` is merely busy; a pod with two policies in the list deserves a look. The name of a pod links to its events.',
              unit: 'short',
              empty: 'No policy matched in this time range. Is one loaded? kubectl get tracingpolicies -A',
            },
            logqlNow(
              `topk(10, ${countAll(events({ policy: 'any' }), 'by (k8s_namespace_name, k8s_pod_name, tetragon_policy_name) ')})`,
            ),
            { k8s_namespace_name: 'Namespace', k8s_pod_name: 'Pod', tetragon_policy_name: 'Policy' },
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
                'Which program opened which sensitive file, and which policy reported it. Paths are as the kernel resolved them: the path of a service account token contains a folder with a date. A file of the image, such as `/etc/shadow`, counts twice per open, because overlayfs opens the file below it too.',
              unit: 'short',
              empty: lokiUnavailable,
            },
            logqlNow(
              orNone(
                `topk(50, ${countAll(sensitiveFiles, 'by (k8s_pod_name, process_executable_path, tetragon_args, tetragon_policy_name) ')})`,
                'tetragon_args',
                'none in this time range',
              ),
            ),
            {
              k8s_pod_name: 'Pod',
              process_executable_path: 'Binary',
              tetragon_args: 'File',
              tetragon_policy_name: 'Policy',
            },
          ),
          table(
            {
              title: 'Connections by binary and destination',
              description:
                'Which program connected where, as reported by the policy `tcp-connect`. The Guestbook’s own connections are few: `node` and Redis to port 6379, `k6` to port 80. Any other binary or port is unexpected. The address is that of the Service, as requested by the program.',
              unit: 'short',
              empty: lokiUnavailable,
            },
            logqlNow(
              orNone(
                `topk(50, ${countAll(connections, 'by (k8s_pod_name, process_executable_path, destination) ')})`,
                'destination',
                'none in this time range',
              ),
            ),
            { k8s_pod_name: 'Pod', process_executable_path: 'Binary', destination: 'Destination' },
            'Connections',
          ),
          bars(
            {
              title: 'Connections to public addresses, by binary',
              description:
                'Connections to an address outside all private ranges, by the binary that made them. If the machine is online, `wget -q -O /dev/null http://example.com` in the visitor’s pod makes one.',
              unit: 'short',
              empty: lokiUnavailable,
              width: 24,
              height: 6,
            },
            logql(
              orNone(
                count(publicConnections, 'by (process_executable_path, destination) '),
                'process_executable_path',
                'none',
              ),
              '{{process_executable_path}} {{destination}}',
            ),
          ),
        ],
      },
      {
        title: 'Process tree',
        panels: [
          logLines(
            {
              title: 'Process tree of $pod',
              description:
                'The last 100 programs in the order in which they started, indented by the number of ancestors: pod, parent, program, arguments. Select one pod at the top of the page, or several trees are mixed. A program started by `kubectl exec` is a child of `containerd-shim` or `runc`.',
              unit: 'short',
              empty: 'No program started in this pod in this time range.',
              width: 14,
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
                'Which program started which, and how often. A row with a high count is a health check; a shell under a web server is an incident.',
              unit: 'short',
              empty: 'No program that matches these filters started.',
              width: 10,
              height: 12,
            },
            logqlNow(
              `topk(50, ${countAll(events({ type: 'process_exec' }), 'by (process_parent_executable_path, process_executable_path) ')})`,
            ),
            { process_parent_executable_path: 'Parent', process_executable_path: 'Binary' },
            'Starts',
          ),
        ],
      },
    ],
  })
