import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { readExercises } from '../../../../scripts/exercise/definition/exercises.ts'
import { parseExerciseText } from '../../../../scripts/exercise/definition/text.ts'
import { textFor } from '../../../../scripts/exercise/view/local-text.ts'
import { renderMarkdown } from '../../../../scripts/exercise/view/markdown.ts'
import { projectDir } from '../../../../shared/paths.ts'
import { parseSettings } from '../../../../shared/settings/parser.ts'

const render = (markdown: string, settings: object): string =>
  renderMarkdown(textFor({ text: parseExerciseText(markdown) }, parseSettings(settings)).tokens)

it('shows the addresses of this lab in links, commands and code', () => {
  const markdown =
    'See <http://127.0.0.1:3000>.\n\n`curl http://127.0.0.1:3000/api`\n\n```bash\ncurl localhost:9090\n```\n'
  const shown = render(markdown, { ports: { grafana: 13000, prometheus: 19090 } })
  expect(shown).toContain('See http://127.0.0.1:13000')
  expect(shown).toContain('curl http://127.0.0.1:13000/api')
  expect(shown).toContain('curl localhost:19090')
})

it('leaves every text as it is with the default ports', () => {
  for (const { text } of readExercises()) expect(textFor({ text }, parseSettings({})).tokens).toEqual(text.tokens)
})

it('names the port-forward of Grafana for a text that opens it, in an existing cluster', () => {
  const exercise = readExercises().find(({ name }) => name === '00-read-a-dashboard')!
  const settings = parseSettings({ cluster: { mode: 'existing', context: 'mine' } })
  expect(textFor(exercise, settings).forwards).toEqual(['./lab kubectl -n monitoring port-forward svc/grafana 3000:80'])
})

it('is the only place with addresses: tasks, hints and policies name none, because nothing replaces them there', () => {
  for (const file of globSync('{labs/*/exercise.yaml,policies/*.yaml}', { cwd: projectDir }))
    expect(readFileSync(join(projectDir, file), 'utf8'), file).not.toMatch(/(127\.0\.0\.1|localhost):\d/)
})
