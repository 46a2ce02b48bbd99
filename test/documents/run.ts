import { delimiter, dirname } from 'node:path'
import { execa } from 'execa'
import { projectDir } from '../../shared/paths.ts'

/** The result of a command, with both of its output streams. */
export interface RowResult {
  output: string
  exitCode: number | undefined
}

/** Commands that many rows start with, and that change nothing. Each runs once for all of them. */
const sharedCommand = /^\.\/lab (plan|verify|doctor)\b/

/**
 * Returns a function that runs a row's command as a reader would: in a shell, in the project's folder. It runs each
 * command once, unless `again` is set.
 */
export function runner(env: Record<string, string> = {}) {
  const environment = { ...env, PATH: [dirname(process.execPath), process.env.PATH].join(delimiter), NO_COLOR: '1' }
  const ran = new Map<string, Promise<RowResult>>()

  const shell = async (command: string, input?: string): Promise<RowResult> => {
    const { all, exitCode } = await execa('sh', ['-c', command], {
      cwd: projectDir,
      env: environment,
      reject: false,
      all: true,
      ...(input === undefined ? { stdin: 'ignore' } : { input }),
      timeout: 90_000,
    })
    return { output: all, exitCode }
  }
  const once = (command: string, again: boolean): Promise<RowResult> => {
    if (again || !ran.has(command)) ran.set(command, shell(command))
    return ran.get(command)!
  }
  return async (command: string, again = false): Promise<RowResult> => {
    const [head, ...rest] = command.split(' | ')
    if (rest.length === 0 || !sharedCommand.test(head!)) return once(command, again)
    return shell(rest.join(' | '), (await once(head!, again)).output)
  }
}
