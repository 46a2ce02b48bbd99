import { mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, dirname } from 'node:path'
import { LabError } from '../../../shared/lab-error.ts'
import { labPath, projectDir } from '../../../shared/paths.ts'
import { runLimited } from '../../../shared/run-limited.ts'
import { loadRunningLab } from '../../context/context.ts'
import { userKubeconfig } from '../../context/kubeconfig.ts'
import { type Folders, folderVariables, workFolder } from '../definition/folders.ts'

/**
 * Runs an exercise's commands (setup, reset or a solution) in the project's folder, with the lab's programs and with
 * $WORK. Stops at the first command that fails.
 * @param what what the commands are, for errors.
 * @param options.lenient continues after a command that fails.
 * @returns what the commands printed.
 */
export async function runCommands(
  { name, folders }: { name: string; folders: Folders },
  what: string,
  commands: string,
  { lenient = false, env = {} }: { lenient?: boolean; env?: Record<string, string> } = {},
): Promise<string> {
  const context = await loadRunningLab()
  const args = [...(lenient ? [] : ['-euo', 'pipefail']), '-c', commands]
  const { failed, timedOut, all, seconds } = await runLimited('bash', args, {
    cwd: projectDir,
    env: { ...context.env, ...folderVariables(folders), WORK: workFolder(folders, name), ...env },
    timeoutMs: 600_000,
  })
  if (!failed) return all
  const end = all.trim().split('\n').slice(-3).join(' / ')
  throw new LabError({
    found: `${capitalized(what)} of ${name} ${timedOut ? `had not ended after ${seconds} s` : 'failed'}: ${end}`,
    next: './lab verify',
  })
}

const capitalized = (text: string): string => text[0]!.toUpperCase() + text.slice(1)

/**
 * Returns the environment of a terminal that a student has just opened: without the lab's programs, and with a
 * kubeconfig without clusters. A text that forgets `./lab` or `lab env` therefore fails in the test too. `./lab` finds
 * the user's own kubeconfig in LAB_USER_KUBECONFIG.
 */
export function studentTerminal(folders: Folders): NodeJS.ProcessEnv {
  const kubeconfig = labPath('walk', 'kubeconfig')
  mkdirSync(dirname(kubeconfig), { recursive: true })
  writeFileSync(kubeconfig, 'apiVersion: v1\nkind: Config\n')
  const labVariables = /^(PULUMI_|NODE_COMPILE_CACHE$|WORK$|LAB_SOLVING$)/
  const programs = (process.env.PATH ?? '').split(delimiter).filter(folder => !folder.startsWith(labPath('tools')))
  return {
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !labVariables.test(name))),
    ...folderVariables(folders),
    PATH: programs.join(delimiter),
    KUBECONFIG: kubeconfig,
    LAB_USER_KUBECONFIG: userKubeconfig(),
  }
}
