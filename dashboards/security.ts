import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import {
  bars,
  blockedMarks,
  colour,
  dashboard,
  heatmap,
  logLines,
  logql,
  logqlNow,
  lokiSilent,
  orNone,
  orZero,
  pages,
  severityColours,
  stat,
  table,
  thresholds,
} from './common.ts'
import { blocked, connections, events, observed, publicConnections, sensitiveFiles, violations } from './filters.ts'

const count = (selector: string, by = ''): string => `sum ${by}(count_over_time(${selector} [$__auto]))`
const countAll = (selector: string, by = ''): string => `sum ${by}(count_over_time(${selector} [$__range]))`

interface Total {
  title: string
  description: string
  /** From the first one on. */
  color: string
}

/** How many lines of a selector the time range holds: zero is green. */
const total = ({ title, description, color }: Total, selector: string, legend: string) =>
  stat(
    { title, description, unit: 'short', empty: lokiSilent, width: 6, height: 4 },
    logqlNow(orZero(countAll(selector)), legend),
  ).thresholds(thresholds({ value: 1, color }))

/** What happened in the pods, what of it a policy minds, and what was stopped. */
export const security = (): Dashboard =>
  dashboard({
    page: pages.security,
    description:
      'A violation is an event of a policy whose tag says medium, high or critical. Observed means reported and let through; blocked means stopped.',
    annotations: [blockedMarks(blocked)],
    rows: [
      {
        title: 'In this time range',
        panels: [
          total(
            {
              title: 'Violations',
              description:
                'Events of policies tagged `severity.medium` or worse. The tag stands in the policy: see `policies/`. A policy without one reports information, which is under *Top talkers* and on *Events*, and no violation.',
              color: 'yellow',
            },
            violations,
            'violations',
          ),
          total(
            {
              title: 'Blocked',
              description:
                'Processes that were killed with SIGKILL, and calls that an enforcing policy answered with an error. Zero while no enforcing policy is loaded: the exercise on enforcement loads one. The end of a process names no policy, so the choice of one plays no part, and kills by others count too: kubelet at the end of a pod’s grace, the kernel when memory is short.',
              color: 'red',
            },
            blocked,
            'blocked',
          ),
          total(
            {
              title: 'Sensitive files opened',
              description:
                'Violations on files: password files, keys, service-account tokens. Only of policies with a severity tag of medium or worse.',
              color: 'orange',
            },
            sensitiveFiles,
            'files',
          ),
          total(
            {
              title: 'Connections to public addresses',
              description:
                'Connections to an address outside all private ranges. The Guestbook makes none, so any is worth a look. Needs the policy `tcp-connect`. Another machine of the same network has a private address: the policy `tcp-connect-outside` reports that one too.',
              color: 'orange',
            },
            publicConnections,
            'connections',
          ),
        ],
      },
      {
        title: 'What ran',
        panels: [
          heatmap(
            {
              title: 'Programs started, by namespace and binary',
              description:
                'A row for each program, a column for each step of time (with its 25 busiest): the darker, the more starts. A steady row is a health check; a new row with a single dark cell is somebody at a shell, or an intruder.',
              unit: 'short',
              empty: 'No program started under these choices of namespace, pod and binary.',
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
        title: 'What a policy minds',
        panels: [
          bars(
            {
              title: 'Violations by policy',
              description: 'Violations in each step of time, by the TracingPolicy that reported them.',
              unit: 'short',
              empty: lokiSilent,
            },
            logql(
              orNone(count(violations, 'by (tetragon_policy_name) '), 'tetragon_policy_name'),
              '{{tetragon_policy_name}}',
            ),
          ),
          severityBars(),
          bars(
            {
              title: 'Blocked against observed',
              description:
                'Observed: a policy reported it and let it through. Blocked: the process was killed, or its call refused. The action in an event says only what the policy asks for, in monitor mode too, so it is not what is counted here: a refusal counts unless its policy is called `…-monitor`, also while `tetra tracingpolicy set-mode` has put it into monitor mode. A killed process shows twice: the call that a policy saw is observed, the end of the process is blocked.',
              unit: 'short',
              empty: lokiSilent,
            },
            logql(orZero(count(blocked)), 'blocked'),
            logql(orZero(count(observed)), 'observed'),
          )
            .overrideByName('blocked', colour('dark-red'))
            .overrideByName('observed', colour('blue')),
          table(
            {
              title: 'Top talkers',
              description:
                'The ten busiest pairs of pod and policy, violation or not. A pod at the top for `tcp-connect` is merely busy; one with two policies on the list deserves a look. A pod’s name leads to its events.',
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
                'Who opened which sensitive file, and which policy saw it. Paths are those the kernel resolved: a service-account token shows under its dated folder, never as `…/token` alone.',
              unit: 'short',
              empty: lokiSilent,
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
                'Who connected where, from the policy `tcp-connect`. The Guestbook’s own are few: `node` and Redis to port 6379, `k6` to port 80. Any other binary or port is the unexpected one. The address is the Service’s, as the program asked for it.',
              unit: 'short',
              empty: lokiSilent,
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
                'Connections to an address outside all private ranges, by the binary that made them. `curl -s https://example.com` in the visitor’s pod makes one, if the machine is online.',
              unit: 'short',
              empty: lokiSilent,
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
        title: 'Who started whom',
        panels: [
          logLines(
            {
              title: 'Process tree of $pod',
              description:
                'The last hundred programs in the order they started, indented by the number of their ancestors: pod, parent, program, arguments. Choose one pod at the top of the page, or several trees stand in each other. `kubectl exec` shows as a child of `containerd-shim` or `runc`.',
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
                'Which program started which, and how often: one row with a high count is a health check, a shell under a web server is an incident.',
              unit: 'short',
              empty: 'No program started under these choices of namespace, pod and binary.',
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

function severityBars() {
  const panel = bars(
    {
      title: 'Violations by severity',
      description:
        'The same violations by the severity in the policy’s tag: `severity.medium` is warn, `high` is error, `critical` is critical.',
      unit: 'short',
      empty: lokiSilent,
    },
    logql(orNone(count(violations, 'by (detected_level) '), 'detected_level'), '{{detected_level}}'),
  )
  for (const [severity, name] of Object.entries(severityColours)) panel.overrideByName(severity, colour(name))
  return panel
}
