import { stripVTControlCharacters } from 'node:util'
import type { Exercise } from '../definition/exercises.ts'
import { renderMarkdown } from '../view/markdown.ts'
import { StepFailure } from './walk-step.ts'

const columns = 80

/**
 * Checks a text on a terminal of 80 columns: every command is on one line, every task is shown, no Markdown syntax is
 * left, and prose is wrapped.
 * @returns how many lines there are.
 */
export function checkRendering(exercise: Exercise): string {
  const { tokens } = exercise.text
  const lines = stripVTControlCharacters(renderMarkdown(tokens, { width: columns, task: taskLine })).split('\n')
  const problem = renderingProblem(exercise, lines)
  if (problem) throw new StepFailure(problem)
  return `${lines.length} lines`
}

const taskLine = (id: string): string => `○ ${id}`

function renderingProblem({ text: { items }, tasks }: Exercise, lines: string[]): string | undefined {
  const commands = items
    .flatMap(item => (item.kind === 'code' ? item.code.split('\n') : []))
    .filter(line => line.trim())
  const broken = commands.find(command => !lines.some(line => line.endsWith(command)))
  if (broken) return `a command is not on one line: ${broken}`
  const hidden = tasks.find(({ id }) => !lines.some(line => line.endsWith(taskLine(id))))
  if (hidden) return `task ${hidden.id} is not shown`
  const prose = lines.filter(
    line => !/[│┌├└┆]/.test(line) && !commands.some(command => line.includes(command)) && !/^ {4}/.test(line),
  )
  const raw = prose.find(line => /(^|\s)\*\*\w|\]\(|^#+ /.test(line))
  if (raw) return `Markdown syntax is left: ${raw}`
  const long = prose.find(line => line.length > columns && line.trim().includes(' '))
  return long && `wider than ${columns} columns: ${long}`
}
