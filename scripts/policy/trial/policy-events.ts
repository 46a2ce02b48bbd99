import { basename } from 'node:path'
import { exportFile, namespaces } from '../../../shared/names.ts'
import { type ClusterAccess, kubectl } from '../../cluster/kubectl.ts'
import { listAgents } from '../../tetragon/agent-policies.ts'
import type { Trial } from './trial.ts'

// Events of a policy, from the file that the agent writes. Loki has them a few seconds later, and not in a lab whose
// pipeline is broken.

/** An event of a policy, for a person. */
export interface PolicyEvent {
  time: string
  pod: string
  /** The command line of its process, without the program's folder, as in `cat /etc/shadow`. */
  process: string
  /** The function, LSM hook or tracepoint. */
  call: string
  /** The values of its arguments, as in `/etc/shadow` or `10.0.0.1:41234 -> 10.0.0.2:80`. */
  args: string[]
  /** The last action of the policy, as in `Override`. Absent for an event that only reports. */
  action?: string
  /** What the function returned, if the policy asks for it. */
  returned?: string
}

interface Process {
  binary?: string
  arguments?: string
  pod?: { name?: string }
}
interface RawEvent {
  policy_name?: string
  process?: Process
  function_name?: string
  subsys?: string
  event?: string
  path?: string
  args?: Record<string, unknown>[]
  return?: Record<string, unknown>
  action?: string
}

/** Parses the events of a policy, from lines of the agent's file. Other lines are left out. */
export function parsePolicyEvents(lines: string, policy: string): PolicyEvent[] {
  return lines.split('\n').flatMap(line => {
    const { time = '', ...kinds } = parseLine(line)
    const event = Object.values(kinds).find(
      (value): value is RawEvent => (value as RawEvent | null)?.policy_name === policy,
    )
    if (!event) return []
    const { process = {}, args = [], action = '' } = event
    const name = titleCase(action.replace('KPROBE_ACTION_', ''))
    return [
      {
        time,
        pod: process.pod?.name ?? '',
        process: [basename(process.binary ?? ''), process.arguments].filter(Boolean).join(' '),
        call: event.function_name ?? event.path ?? `${event.subsys}/${event.event}`,
        args: args.map(valueText),
        ...(name !== '' && name !== 'Post' && { action: name }),
        ...(event.return && { returned: valueText(event.return) }),
      },
    ]
  })
}

function parseLine(line: string): Record<string, unknown> & { time?: string } {
  try {
    return JSON.parse(line)
  } catch {
    // The agent is still writing the last line.
    return {}
  }
}

const titleCase = (text: string): string => text.charAt(0) + text.slice(1).toLowerCase()

interface Socket {
  saddr: string
  sport?: number
  daddr: string
  dport?: number
}

/** Returns an argument, such as `{ file_arg: { path } }`, as text. */
function valueText(argument: Record<string, unknown>): string {
  const [kind, value] = Object.entries(argument).find(([key]) => key.endsWith('_arg')) ?? []
  if (kind === 'sock_arg') {
    const { saddr, sport, daddr, dport } = value as Socket
    return `${saddr}:${sport ?? 0} -> ${daddr}:${dport ?? 0}`
  }
  if (typeof value !== 'object' || value === null) return String(value ?? '')
  return 'path' in value ? String(value.path) : JSON.stringify(value)
}

/** Returns whether an event is the one that a trial expects. */
export const isExpected = (event: PolicyEvent, { process, argument }: Exclude<Trial['event'], 'none'>): boolean =>
  event.process.startsWith(process) && (argument === undefined || event.args.some(value => value.includes(argument)))

const file = `${exportFile.directory}/${exportFile.name}`

/** Prints the number of the file on its disk, which stays when the agent rotates it, and its size. */
const startScript = `stat -c '%i %s' ${file}`

/** Rotated files have their time in their name, so they sort from old to new. */
const rotated = file.replace('.log', '-*.log')

/**
 * Prints what was written after the first $2 bytes of the file number $1, with the word $3, also to later files. If the
 * agent has deleted that file, all files are later.
 */
export const readScript = `later=
stat -c %i ${rotated} ${file} 2>/dev/null | grep -qx "$1" || later=yes
for file in ${rotated} ${file}; do
  if [ "$later" ]; then
    cat "$file"
  elif [ "$(stat -c %i "$file")" = "$1" ]; then
    later=yes
    tail -c +$(($2 + 1)) "$file"
  fi
done 2>/dev/null | grep -F "$3"
[ $? -le 1 ]`

/**
 * Starts to read the events of a policy on every node.
 * @returns a function that returns the events since the start.
 */
export async function followPolicyEvents(access: ClusterAccess, policy: string): Promise<() => Promise<PolicyEvent[]>> {
  const inAgent = (pod: string, ...command: string[]): Promise<string> =>
    kubectl(access, ['exec', '-n', namespaces.monitoring, pod, '-c', 'tetragon', '--', ...command])
  const agents = await listAgents(access)
  const starts = await Promise.all(
    agents.map(async ({ pod }) => ({ pod, start: (await inAgent(pod, 'sh', '-c', startScript)).trim().split(' ') })),
  )
  return async () => {
    const read = ({ pod, start }: (typeof starts)[number]) =>
      inAgent(pod, 'sh', '-c', readScript, 'sh', ...start, JSON.stringify(policy))
    return (await Promise.all(starts.map(read))).flatMap(lines => parsePolicyEvents(lines, policy))
  }
}
