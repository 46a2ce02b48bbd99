import { mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, dirname } from 'node:path'
import { execa } from 'execa'
import { LabError } from '../../../shared/lab-error.ts'
import { labPath, projectDir } from '../../../shared/paths.ts'
import { loadContext } from '../../context/context.ts'
import { workFolder } from '../definition/exercises.ts'

/** What an exercise's own commands are run with: the lab's programs and cluster, and the student's folder as $WORK. */
export async function exerciseEnvironment(name: string): Promise<Record<string, string>> {
  const { env } = await loadContext()
  return { ...env, WORK: workFolder(name) }
}

/**
 * What a terminal has that a student has just opened: nothing of the lab's programs, and a kubectl that, if there is one, knows no cluster. So a text that
 * forgets `./lab` or `lab env` fails here too. Which lab, which labs folder and whose progress is meant is handed on.
 */
export function studentTerminal(): NodeJS.ProcessEnv {
  const nowhere = labPath('walk', 'kubeconfig')
  mkdirSync(dirname(nowhere), { recursive: true })
  writeFileSync(nowhere, 'apiVersion: v1\nkind: Config\n')
  const ofTheLab = /^(PULUMI_|NODE_COMPILE_CACHE$|WORK$|LAB_SOLVING$)/
  const programs = (process.env.PATH ?? '').split(delimiter).filter(folder => !folder.startsWith(labPath('tools')))
  return {
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !ofTheLab.test(name))),
    PATH: programs.join(delimiter),
    KUBECONFIG: nowhere,
  }
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
