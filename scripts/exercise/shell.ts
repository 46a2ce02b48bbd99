import { execa } from 'execa'
import { LabError } from '../../stacks/error.ts'
import { projectDir } from '../../stacks/paths.ts'
import { loadContext } from '../context.ts'
import { workFolder } from './exercises.ts'

/** What an exercise's own commands are run with: the lab's programs and cluster, and the student's folder as $WORK. */
export async function exerciseEnvironment(name: string): Promise<Record<string, string>> {
  const { env } = await loadContext()
  return { ...env, WORK: workFolder(name) }
}

/**
 * Runs an exercise's commands (its setup, reset, or a solution) in the project's folder; the first that fails ends them.
 * @param options.lenient go on after one that fails.
 * @returns what they printed.
 * @throws LabError with what failed.
 */
export async function runCommands(
  name: string,
  what: string,
  commands: string,
  { lenient = false, env = {} }: { lenient?: boolean; env?: Record<string, string> } = {},
): Promise<string> {
  const result = await execa('bash', [...(lenient ? [] : ['-euo', 'pipefail']), '-c', commands], {
    cwd: projectDir,
    env: { ...(await exerciseEnvironment(name)), ...env },
    stdin: 'ignore',
    all: true,
    timeout: 600_000,
    reject: false,
  })
  if (result.failed)
    throw new LabError({
      found: `${what} of ${name} failed${result.timedOut ? ' to end within 10 minutes' : ''}: ${(result.all ?? '').trim().split('\n').slice(-3).join(' / ')}`,
      expected: 'commands that end well',
      next: './lab verify',
    })
  return result.all ?? ''
}
