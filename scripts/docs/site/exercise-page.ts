import type { Tokens } from 'marked'
import { describeNeeds } from '../../exercise/definition/capabilities.ts'
import { type Exercise, readExercises } from '../../exercise/definition/exercises.ts'
import { type Task, tracks } from '../../exercise/definition/schema.ts'
import { taskIdOf } from '../../exercise/definition/text.ts'
import { pointsOf } from '../../exercise/session/exercise-state.ts'
import { trackTitles } from '../../exercise/view/progress-report.ts'
import { escapeMarkdown, table } from '../markdown.ts'

/** Returns the page of an exercise: what it is about, then its text with the tasks and their hints in boxes. */
export function exercisePage({ name, title, track, minutes, outcome, learned, needs, tasks, text }: Exercise): string {
  const needed = describeNeeds(needs)
  const body = text.tokens.map(token => {
    if (token.type === 'heading' && (token as Tokens.Heading).depth === 1) return ''
    const task = tasks.find(({ id }) => id === taskIdOf(token))
    return withFileNames(task ? taskBox(task, token as Tokens.Blockquote) : token.raw)
  })
  return `# ${escapeMarkdown(title)}

${escapeMarkdown(outcome)}

${learned.map(each => `- ${escapeMarkdown(each)}`).join('\n')}

::: info ${trackTitles[track]}: about ${minutes} minutes, ${points(tasks)}
${needed ? `Needs ${escapeMarkdown(needed)}.\n` : ''}
\`\`\`bash
./lab exercise start ${Number.parseInt(name, 10)}
\`\`\`
:::

${body.join('')}`
}

function taskBox(task: Task, { raw }: Tokens.Blockquote): string {
  const text = raw
    .replaceAll(/^> ?/gm, '')
    .replace(/^\*\*Task [\w-]+\*\*:\s*(.)/, (_, first: string) => first.toUpperCase())
    .trim()
  const needed = task.needs && describeNeeds(task.needs)
  return `
:::: tip Task ${task.id} (${points([task])})
${text}
${needed ? `\nNeeds ${escapeMarkdown(needed)}.\n` : ''}
::: details ${task.hints.length === 1 ? 'Hint' : `${task.hints.length} hints`}
${task.hints.map((hint, index) => `${index + 1}. ${escapeMarkdown(hint.trim().replaceAll('\n', ' '))}`).join('\n')}
:::
::::

`
}

/** Puts the name of the file to write above its contents. */
const withFileNames = (markdown: string): string =>
  markdown.replaceAll(/^```yaml .*?file=(\S+).*$/gm, '`$1`:\n\n```yaml')

/** Returns the page with all exercises, by track. */
export function exerciseListPage(exercises = readExercises()): string {
  const sections = tracks.map(track => {
    const rows = exercises
      .filter(exercise => exercise.track === track)
      .map(({ name, title, minutes, outcome, tasks, needs }) => [
        String(Number.parseInt(name, 10)),
        `[${title}](/exercises/${name}.md)`,
        outcome,
        `${minutes}`,
        `${pointsOf(tasks)}`,
        describeNeeds(needs),
      ])
    return `## ${trackTitles[track]}\n\n${table(['', 'exercise', 'afterwards', 'minutes', 'points', 'needs'], rows)}`
  })
  return `# Exercises

Each exercise is a folder in \`labs/\`. Its tasks check themselves against the running lab:

\`\`\`bash
./lab exercise list       # with your points, and what cannot run on your machine
./lab exercise start 0
./lab exercise check
\`\`\`

${sections.join('\n\n')}
`
}

const points = (tasks: readonly { points: number }[]): string => {
  const count = pointsOf(tasks)
  return `${count} point${count === 1 ? '' : 's'}`
}
