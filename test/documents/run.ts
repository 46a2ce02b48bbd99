import { delimiter, dirname } from 'node:path'
import { execa } from 'execa'
import { projectDir } from '../../shared/paths.ts'

/** What a command printed, on both streams, and how it ended. */
export interface Ran {
  output: string
  exitCode: number | undefined
}

/** Programs that many rows begin with: one run of them serves all. They end by themselves and change nothing. */
const shared = /^\.\/lab (plan|verify|doctor)\b/

/**
 * Runs a row's command as a reader would: in a shell, from the project's folder.
 * @returns a function that remembers what it ran; asked `again`, it runs anew.
 */
export function runner(env: Record<string, string> = {}) {
  const environment = { ...env, PATH: [dirname(process.execPath), process.env.PATH].join(delimiter), NO_COLOR: '1' }
  const ran = new Map<string, Promise<Ran>>()

  const shell = async (command: string, input?: string): Promise<Ran> => {
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
  const once = (command: string, again: boolean): Promise<Ran> => {
    if (again || !ran.has(command)) ran.set(command, shell(command))
    return ran.get(command)!
  }
  return async (command: string, again = false): Promise<Ran> => {
    const [head, ...rest] = command.split(' | ')
    if (rest.length === 0 || !shared.test(head!)) return once(command, again)
    return shell(rest.join(' | '), (await once(head!, again)).output)
  }
}
