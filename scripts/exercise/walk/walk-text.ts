import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { projectDir } from '../../../shared/paths.ts'
import { leafChecks, readsStudentFiles } from '../definition/check-schema.ts'
import type { CodeBlock } from '../definition/code-block.ts'
import { outputMismatch } from '../definition/expected-output.ts'
import { workFolder } from '../definition/folders.ts'
import type { Task } from '../definition/schema.ts'
import type { TextItem } from '../definition/text.ts'
import { runCommands, studentTerminal } from '../session/shell.ts'
import { type BlockResult, BlockShell } from './block-shell.ts'
import { expectFailure, expectPass, type Walk } from './walk-checks.ts'
import { StepFailure } from './walk-step.ts'

/**
 * Walks an exercise's text from top to bottom in one shell.
 * @param tasks those that can be done here.
 */
export async function walkText(walk: Walk, tasks: Task[]): Promise<void> {
  const { exercise, folders } = walk.session
  const { items } = exercise.text
  const shell = new BlockShell(projectDir, studentTerminal(folders))
  try {
    for (const item of items) {
      const task = tasks.find(({ id }) => id === item.task)
      if (item.task !== undefined && !task) skipTask(walk, item)
      else if (item.kind === 'task') await doTaskWithoutBlocks(walk, items, task!)
      else await walkBlock(walk, items, item, task, shell)
    }
  } finally {
    shell.close()
  }
}

function skipTask({ recorder }: Walk, { kind, line, task }: TextItem): void {
  if (kind === 'task') recorder.skip(`text line ${line}, task ${task}`, 'cannot be done here')
}

/**
 * Returns the blocks that do a task. A command in the quote of a task about files only reads the file that the student
 * writes.
 */
const blocksOf = (items: TextItem[], task: Task): TextItem[] =>
  items.filter(
    item =>
      item.kind === 'code' && item.task === task.id && !(item.span && leafChecks(task.check).some(readsStudentFiles)),
  )

/** Runs the solution of a task when the text leaves the work to the student. */
async function doTaskWithoutBlocks(walk: Walk, items: TextItem[], task: Task): Promise<void> {
  if (blocksOf(items, task).length > 0) return
  const { exercise, folders } = walk.session
  await expectFailure(walk, task, 'before its step')
  await walk.recorder.run(
    `${task.id}: the student's part`,
    async () => void (await runCommands({ name: exercise.name, folders }, `the solution of ${task.id}`, task.solve)),
  )
  await expectPass(walk, task, 'after its step')
}

/** Runs a block. The check of its task must fail before the first block of the task, and pass after the last. */
async function walkBlock(
  walk: Walk,
  items: TextItem[],
  block: CodeBlock,
  task: Task | undefined,
  shell: BlockShell,
): Promise<void> {
  const ofTask = task ? blocksOf(items, task) : []
  if (ofTask[0] === block) await expectFailure(walk, task!, 'before its step')
  const what = `text line ${block.line}`
  if (block.noTest !== undefined) walk.recorder.skip(what, block.noTest)
  else
    await walk.recorder.run(what, () =>
      block.file === undefined ? runBlock(walk, block, shell) : writeBlock(walk, block),
    )
  if (ofTask.at(-1) === block) await expectPass(walk, task!, 'after its step')
}

function writeBlock({ session: { folders } }: Walk, { file, code }: CodeBlock): string {
  const path = workFolder(folders, file!.replace(/^work\//, ''))
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `${code}\n`)
  return `wrote ${file}`
}

async function runBlock({ session }: Walk, block: CodeBlock, shell: BlockShell): Promise<string> {
  const { exitCode, output } = await runInShell(block, shell)
  const end = output.trim().split('\n').at(-1)!.slice(0, 200)
  if (block.expectError ? exitCode === 0 : exitCode !== 0) throw new StepFailure(`it exited with ${exitCode}: ${end}`)
  if (block.seconds !== undefined && output.trim() === '')
    throw new StepFailure(`it printed nothing in ${block.seconds} s`)
  for (const { text, source = session.capabilities.source } of block.outputs) {
    const mismatch = source === session.capabilities.source ? outputMismatch(text, output) : undefined
    if (mismatch !== undefined)
      throw new StepFailure(`the text shows "${mismatch}", but it printed: ${output.trim().slice(0, 600)}`)
  }
  return end
}

const runInShell = (block: CodeBlock, shell: BlockShell): Promise<BlockResult> =>
  block.seconds === undefined
    ? shell.run(block.code, {
        lenient: block.expectError,
        ...(block.timeout !== undefined && { timeoutMs: block.timeout * 1000 }),
      })
    : shell.runFor(block.code, block.seconds)
