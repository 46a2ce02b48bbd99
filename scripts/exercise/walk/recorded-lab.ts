import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { LabError } from '../../../shared/lab-error.ts'
import { projectDir } from '../../../shared/paths.ts'
import type { AgentPolicy, LabClient, Ran } from '../check/lab-client.ts'
import type { Recording } from '../definition/schema.ts'

// What only a live agent can give, as it was recorded: what programs in a pod were told, and the agent's own list of policies.

/** Where the recording lies that the lab plays. */
export const recordingFolder = join(projectDir, 'stacks', 'monitoring', 'replay', 'recordings', 'guestbook')

/** A command of the transcript, and what came of it. */
export interface Recorded {
  /** As it was typed, redirections and pipes included. */
  command: string
  output: string
  exitCode: number
}

/**
 * Reads a transcript: sections begin with `== HH:MM:SS NAME`, commands with `$ `, and each ends with a line `exit CODE`.
 * @returns the commands of each section, by its name.
 */
export function readTranscript(text: string): Map<string, Recorded[]> {
  const sections = new Map<string, Recorded[]>()
  let section: Recorded[] = []
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
 * What came of a command of the exercise.yaml in a section: what `kubectl exec` runs in the pod, behind `--`, is looked for, with or without a redirection
 * or a pipe behind it.
 * @throws LabError when nothing of the kind was recorded.
 */
export function recordedRun(command: string, section: string, sections = recordedSections()): Ran {
  const inPod = (command.split(/ -- /).at(-1) ?? command).trim()
  const plain = (typed: string): string => typed.split(/ [>|]/)[0]!.trim()
  const found = sections.get(section)?.find(each => each.command === inPod || plain(each.command) === inPod)
  if (!found)
    throw new LabError({
      found: `transcript.txt has no command ${inPod} in a section ${section}`,
      expected: `one of ${[...sections].map(([name, commands]) => `${name} (${commands.length} commands)`).join(', ')}`,
      next: 'mend recorded in its exercise.yaml',
    })
  // A terminal shows both streams as one.
  return { exitCode: found.exitCode, stdout: found.output, stderr: found.output }
}

const recordedSections = (): Map<string, Recorded[]> =>
  readTranscript(readFileSync(join(recordingFolder, 'transcript.txt'), 'utf8'))

/** The agent's list of policies as recorded, with those that stand in for others under the others' names. */
export function recordedPolicies({ agent, as }: Recording): AgentPolicy[] {
  const { policies } = JSON.parse(readFileSync(join(recordingFolder, agent!), 'utf8')) as { policies: AgentPolicy[] }
  const named = Object.entries(as).map(([name, recorded]) => {
    const found = policies.find(policy => policy.name === recorded)
    if (found) return { ...found, name }
    throw new LabError({
      found: `${agent} has no policy ${recorded}`,
      expected: `one of ${policies.map(policy => policy.name).join(', ')}`,
      next: 'mend recorded in its exercise.yaml',
    })
  })
  return [...named, ...policies]
}

/** Whether a command runs something in a pod, where a live agent would step in. */
export const runsInPod = (command: string): boolean => / exec .* -- /.test(command)

/** A lab with recorded answers for what only a live agent can give. What the recording does not hold is not there. */
export const recordedWorld = (world: LabClient, recording: Recording): LabClient => ({
  ...world,
  run: async (command, options) => {
    if (!runsInPod(command)) return world.run(command, options)
    if (recording.transcript !== undefined) return recordedRun(command, recording.transcript)
    return { exitCode: 1, stdout: '', stderr: 'nothing of it was recorded' }
  },
  agentPolicies: async () => (recording.agent === undefined ? [] : recordedPolicies(recording)),
})

/** A recording in a few words, for who reads the test. */
export const recordingWords = ({ transcript, agent, as }: Recording): string =>
  [
    transcript && `transcript.txt, ${transcript}`,
    agent &&
      `${agent}${Object.entries(as)
        .map(([name, recorded]) => `, ${recorded} in place of ${name}`)
        .join('')}`,
  ]
    .filter(Boolean)
    .join(' and ')
