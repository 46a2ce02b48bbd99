import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { LabError } from '../../../shared/lab-error.ts'
import { projectDir } from '../../../shared/paths.ts'
import { type AgentPolicy, parsePolicyList } from '../../tetragon/agent-policies.ts'
import type { CommandResult, LabClient } from '../check/lab-client.ts'
import type { Recording } from '../definition/schema.ts'

// Recorded results that only a live agent can give: the output of programs in a Pod, and the agent's list of policies.

/** The recording that the lab replays. */
export const recordingFolder = join(projectDir, 'stacks', 'monitoring', 'replay', 'recordings', 'guestbook')

/** A command of the transcript, and its result. */
export interface RecordedCommand {
  /** The command line, with redirections and pipes. */
  command: string
  output: string
  exitCode: number
}

/**
 * Parses a transcript. Sections start with `== HH:MM:SS NAME`, commands with `$ `, and each command ends with a line
 * `exit CODE`.
 * @returns the commands of each section.
 */
export function readTranscript(text: string): Map<string, RecordedCommand[]> {
  const sections = new Map<string, RecordedCommand[]>()
  let section: RecordedCommand[] = []
  let open: { command: string; lines: string[] } | undefined
  for (const line of text.split('\n')) {
    const name = /^== \d\d:\d\d:\d\d (.+)$/.exec(line)?.[1]
    const exit = open && /^exit (\d+)$/.exec(line)?.[1]
    if (name !== undefined) {
      section = []
      sections.set(name, section)
      open = undefined
    } else if (line.startsWith('$ ')) open = { command: line.slice(2), lines: [] }
    else if (open && exit !== undefined) {
      section.push({ command: open.command, output: open.lines.join('\n'), exitCode: Number(exit) })
      open = undefined
    } else open?.lines.push(line)
  }
  return sections
}

/**
 * Returns the recorded result of a `kubectl exec` command: that of the command after `--`, also when it was recorded
 * with a redirection or a pipe.
 * @throws LabError when it was not recorded.
 */
export function recordedRun(command: string, section: string, sections = recordedSections()): CommandResult {
  const inPod = (command.split(/ -- /).at(-1) ?? command).trim()
  const withoutPipe = (line: string): string => line.split(/ [>|]/)[0]!.trim()
  const found = sections.get(section)?.find(each => each.command === inPod || withoutPipe(each.command) === inPod)
  if (!found)
    throw new LabError({
      found: `transcript.txt has no command ${inPod} in its section ${section}`,
      expected: `one of ${[...sections].map(([name, commands]) => `${name} (${commands.length} commands)`).join(', ')}`,
      next: 'edit `recorded` in exercise.yaml',
    })
  // The transcript does not separate the two streams.
  return { exitCode: found.exitCode, stdout: found.output, stderr: found.output }
}

const recordedSections = (): Map<string, RecordedCommand[]> =>
  readTranscript(readFileSync(join(recordingFolder, 'transcript.txt'), 'utf8'))

/** Returns the recorded list of policies, and before it those that stand in for others, with the others' names. */
export function recordedPolicies({ agent, as }: Recording): AgentPolicy[] {
  const policies = parsePolicyList(readFileSync(join(recordingFolder, agent!), 'utf8'), 'recorded')
  const named = Object.entries(as).map(([name, recorded]) => {
    const found = policies.find(policy => policy.name === recorded)
    if (found) return { ...found, name }
    throw new LabError({
      found: `${agent} has no policy ${recorded}`,
      expected: `one of ${policies.map(policy => policy.name).join(', ')}`,
      next: 'edit `recorded` in exercise.yaml',
    })
  })
  return [...named, ...policies]
}

/** Tells whether a command runs a program in a Pod, where a live agent can act on it. */
export const runsInPod = (command: string): boolean => / exec .* -- /.test(command)

/** Returns the lab with recorded results in place of Pods and the agent. What was not recorded does not exist. */
export const withRecording = (lab: LabClient, recording: Recording): LabClient => ({
  ...lab,
  run: async (command, options) => {
    if (!runsInPod(command)) return lab.run(command, options)
    if (recording.transcript !== undefined) return recordedRun(command, recording.transcript)
    return { exitCode: 1, stdout: '', stderr: 'not recorded' }
  },
  agentPolicies: async () => (recording.agent === undefined ? [] : recordedPolicies(recording)),
})

/** Returns the name of a recording, for the steps of the test. */
export function describeRecording({ transcript, agent, as }: Recording): string {
  const replaced = Object.entries(as).map(([name, recorded]) => `, ${recorded} in place of ${name}`)
  return [transcript && `transcript.txt, ${transcript}`, agent && `${agent}${replaced.join('')}`]
    .filter(Boolean)
    .join(' and ')
}
