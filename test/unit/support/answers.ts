import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { parseExercise } from '../../../scripts/exercise/definition/exercises.ts'
import { run } from '../../../scripts/lab.ts'
import { lintFiles } from '../../../scripts/policy/lint-files.ts'
import { report } from '../../../scripts/terminal/output.ts'
import { readLock } from '../../../shared/lock.ts'
import { readPolicy } from '../../../shared/policy-file.ts'
import { parseSettings } from '../../../shared/settings/schema.ts'
import { readSections } from '../../../shared/settings/stack-file.ts'
import { checkRecording, recordingFolder } from '../../../stacks/monitoring/recording.ts'

// What the lab answers to something wrong: by its own functions and its own command, in this process.

/** What was printed, and with what code it ended. */
export interface Answer {
  says: string[]
  exit: number
}

/** Files of one answer stand here; in what is answered it is FOLDER. */
const folder = mkdtempSync(join(tmpdir(), 'lab-answers-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Gathers standard error while something is done. */
async function heard(work: () => unknown): Promise<string[]> {
  const { write } = process.stderr
  let text = ''
  process.stderr.write = ((part: string | Uint8Array) => {
    text += String(part)
    return true
  }) as typeof write
  try {
    await work()
  } finally {
    process.stderr.write = write
  }
  return text.trimEnd().replaceAll(folder, 'FOLDER').split('\n')
}

/** As the command itself does: what is thrown is reported. */
async function thrown(work: () => unknown): Promise<Answer> {
  let exit = 0
  const says = await heard(async () => {
    try {
      await work()
    } catch (error) {
      exit = report(error)
    }
  })
  return { says, exit }
}

function file(name: string, content: string | Buffer): string {
  const path = join(folder, name)
  rmSync(path, { recursive: true, force: true })
  writeFileSync(path, content)
  return path
}

/** The kinds of input, by the key under which a case gives them. */
export const answers: Record<string, (given: never) => Promise<Answer>> = {
  settings: (given: unknown) => thrown(() => parseSettings(given)),

  /** The text of Pulumi.dev.yaml. */
  'settings file': (text: string) => thrown(() => parseSettings(readSections(file('Pulumi.dev.yaml', text)))),

  /** The setting policies.apply. */
  'policies.apply': (names: string[]) => thrown(() => names.map(name => readPolicy(name, names))),

  /** The text of a lock that is laid over the lab's own. */
  lock: (text: string) => thrown(() => readLock(file('my.lock.yaml', text))),

  /** A lock that is not there, or is a folder. */
  'lock at': (what: 'nowhere' | 'a folder') => {
    const path = join(folder, what)
    if (what === 'a folder') mkdirSync(path, { recursive: true })
    return thrown(() => readLock(path))
  },

  /** The text of a exercise.yaml. */
  exercise: (text: string) => thrown(() => parseExercise(text, '17-mine')),

  /** The text of a policy, as `lab policy lint` reads it. */
  policy: async (text: string) => {
    const { findings } = lintFiles([file('mine.yaml', Buffer.from(text, 'latin1'))])
    const errors = findings.filter(({ level }) => level === 'error')
    return {
      says: errors.map(({ line, message, fix }) => `line ${line}: ${message}: ${fix}`),
      exit: errors.length > 0 ? 1 : 0,
    }
  },

  /** What is typed after ./lab. */
  typed: async (line: string) => {
    const words = line.match(/'[^']*'|\S+/g)!.map(word => word.replaceAll("'", '').replace('FOLDER', folder))
    const { LAB_LOCK } = process.env
    let exit: number | undefined
    const says = await heard(async () => {
      exit = await run(words)
    })
    if (LAB_LOCK === undefined) delete process.env.LAB_LOCK
    else process.env.LAB_LOCK = LAB_LOCK
    return { says, exit: exit ?? 0 }
  },

  /** How much there is of the recording's events. */
  'recording cut at': (share: number) => {
    for (const name of ['tetragon.log.gz', 'metrics.jsonl.gz']) {
      const whole = readFileSync(join(recordingFolder, name))
      file(name, name.startsWith('tetragon') ? whole.subarray(0, share * whole.length) : whole)
    }
    return thrown(() => checkRecording(folder))
  },

  /** The content of .lab/remembered.json, or .lab/exercises.json, and then what is typed. */
  kept: async ({ name, content, typed }: { name: string; content: string; typed: string }) => {
    const { LAB_DIR } = process.env
    process.env.LAB_DIR = folder
    try {
      file(name, content)
      return await answers.typed!(typed as never)
    } finally {
      rmSync(join(folder, name))
      if (LAB_DIR === undefined) delete process.env.LAB_DIR
      else process.env.LAB_DIR = LAB_DIR
    }
  },
}
