import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseExercise } from '../../../scripts/exercise/definition/exercises.ts'
import { lintFiles } from '../../../scripts/policy/lint-files.ts'
import { report } from '../../../scripts/terminal/output.ts'
import { readLock } from '../../../shared/lock.ts'
import { readLabPolicy } from '../../../shared/policy-file.ts'
import { parseSettings } from '../../../shared/settings/parser.ts'
import { readStackConfig } from '../../../shared/settings/stack-file.ts'
import { checkRecording, recordingFolder } from '../../../stacks/monitoring/replay-files.ts'
import { newFolder } from '../support/folders.ts'
import { captureOutput, runLab } from '../support/run-lab.ts'

/** The lines that the lab prints for a bad input, and its exit code. */
export interface Answer {
  prints: string[]
  exit: number
}

/** Folder for the files of a case; answers show it as FOLDER. */
const folder = newFolder()

const linesOf = (text: string): string[] => text.trimEnd().replaceAll(folder, 'FOLDER').split('\n')

/** Reports the error of a function as the command does. */
async function answerOf(work: () => unknown): Promise<Answer> {
  let exit = 0
  const { stderr } = await captureOutput(async () => {
    try {
      await work()
    } catch (error) {
      exit = report(error)
    }
  })
  return { prints: linesOf(stderr), exit }
}

async function typed(line: string): Promise<Answer> {
  const words = line.match(/'[^']*'|\S+/g)!.map(word => word.replaceAll("'", '').replace('FOLDER', folder))
  const { stderr, exitCode } = await runLab(...words)
  return { prints: linesOf(stderr), exit: exitCode }
}

function write(name: string, content: string | Buffer): string {
  const path = join(folder, name)
  rmSync(path, { recursive: true, force: true })
  writeFileSync(path, content)
  return path
}

/** Gives an input of each kind to the lab; a case in bad-input.yaml has its input under the name of the kind. */
export const kinds: Record<string, (input: never) => Promise<Answer>> = {
  settings: (input: unknown) => answerOf(() => parseSettings(input)),

  /** The text of Pulumi.dev.yaml. */
  'settings file': (text: string) => answerOf(() => parseSettings(readStackConfig(write('Pulumi.dev.yaml', text)))),

  'policies.apply': (names: string[]) => answerOf(() => names.map(name => readLabPolicy(name, names))),

  /** The text of a file for `--lock`. */
  lock: (text: string) => answerOf(() => readLock(write('my.lock.yaml', text))),

  /** A lock file that does not exist, or is a folder. */
  'lock at': (name: 'nowhere' | 'a folder') => {
    const path = join(folder, name)
    if (name === 'a folder') mkdirSync(path, { recursive: true })
    return answerOf(() => readLock(path))
  },

  /** The text of an exercise.yaml. */
  exercise: (text: string) => answerOf(() => parseExercise(text, '17-mine')),

  /** The text of a policy for `lab policy lint`. */
  policy: async (text: string) => {
    const { findings } = lintFiles([write('mine.yaml', Buffer.from(text, 'latin1'))])
    const errors = findings.filter(({ level }) => level === 'error')
    return {
      prints: errors.map(({ line, message, fix }) => `line ${line}: ${message}: ${fix}`),
      exit: errors.length > 0 ? 1 : 0,
    }
  },

  /** The words after `./lab`. */
  typed,

  /** The share of a recording's events that is there. */
  'recording cut at': (share: number) => {
    for (const name of ['tetragon.log.zst', 'metrics.jsonl.zst']) {
      const bytes = readFileSync(join(recordingFolder, name))
      write(name, name.startsWith('tetragon') ? bytes.subarray(0, share * bytes.length) : bytes)
    }
    return answerOf(() => checkRecording(folder))
  },

  /** The content of a file in .lab, and the words that are then typed. */
  'state file': async ({ name, content, then }: { name: string; content: string; then: string }) => {
    const { LAB_DIR } = process.env
    process.env.LAB_DIR = folder
    try {
      write(name, content)
      return await typed(then)
    } finally {
      rmSync(join(folder, name))
      if (LAB_DIR === undefined) delete process.env.LAB_DIR
      else process.env.LAB_DIR = LAB_DIR
    }
  },
}
