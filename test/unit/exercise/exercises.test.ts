import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { parser as logqlParser } from '@grafana/lezer-logql'
import type { LRParser } from '@lezer/lr'
import { parser as promqlParser } from '@prometheus-io/lezer-promql'
import { execa } from 'execa'
import { marked } from 'marked'
import { afterAll, describe, expect, it } from 'vitest'
import { exerciseSchemaFile, exerciseSchemaText } from '../../../scripts/docs/exercise-schema.ts'
import { attempt } from '../../../scripts/exercise/check/attempt.ts'
import type { Ran } from '../../../scripts/exercise/check/lab-client.ts'
import {
  type Exercise,
  findExercise,
  readExercise,
  readExercises,
} from '../../../scripts/exercise/definition/exercises.ts'
import type { Check } from '../../../scripts/exercise/definition/schema.ts'
import { type Code, missingLine, parseText } from '../../../scripts/exercise/definition/text.ts'
import { render } from '../../../scripts/exercise/view/render.ts'
import { BlockShell } from '../../../scripts/exercise/walk/block-shell.ts'
import { LabError } from '../../../shared/lab-error.ts'
import { projectDir } from '../../../shared/paths.ts'
import { deadWorld, fakeWorld } from '../../fakes/world.ts'

const folder = mkdtempSync(join(tmpdir(), 'lab-labs-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const task = `
  - id: one
    title: Find it
    check: { promql: { query: up } }
    hints: [look]
    solve: "true"`
const yaml = (tasks = task, more = ''): string =>
  `title: x\ntrack: see\noutcome: x\nlearned: [x]\nminutes: 5\n${more}tasks:${tasks}`

function read(labYaml: string, readme = '> **Task one**: find it'): Exercise {
  mkdirSync(join(folder, '01-x'), { recursive: true })
  writeFileSync(join(folder, '01-x', 'exercise.yaml'), labYaml)
  writeFileSync(join(folder, '01-x', 'README.md'), readme)
  return readExercise('01-x', folder)
}

function refusal(...given: Parameters<typeof read>): string {
  try {
    read(...given)
  } catch (error) {
    expect(error).toBeInstanceOf(LabError)
    return (error as LabError).found
  }
  throw new Error('it was accepted')
}

describe('a exercise.yaml', () => {
  it('may be as short as this', () => {
    expect(read(yaml())).toMatchObject({ name: '01-x', needs: { source: 'any' }, tasks: [{ points: 1, deadEnds: [] }] })
  })

  it.each([
    [yaml(task, 'tilte: x\n'), /lab\.yaml, line \d+: unknown key tilte/],
    ['title: [', /lab\.yaml, line 1: /],
    [yaml('\n  []'), /tasks is \[\]/],
    [yaml(task.replace('up }', 'up, is: "/(/" }')), /task one: check.*: .*(unterminated|group|Invalid)/i],
    [yaml(task.replace('{ promql: { query: up } }', '{}')), /nothing is checked/],
    [yaml(task.replace('{ promql: { query: up } }', '{ promql: { query: up }, given: x }')), /not all at once/],
    [yaml(task.replace('query: up', 'qeury: up')), /task one: unknown key check\.promql\.qeury/],
    [yaml(task + task), /another task one/],
    [yaml(task, 'needs: { features: [sigkil] }\n'), /needs\.features\[0\]/],
  ])('is refused with the place and the reason: %#', (text, why) => {
    expect(refusal(text)).toMatch(why)
  })
})

describe('a text', () => {
  it.each([
    ['no task in it', /task one has no place in it/],
    ['> **Task two**: find it', /line 1: exercise.yaml has no task two/],
    ['> **Task one**: x\n\n> **Task one**: y', /a second time/],
    ['> **Task one**: x\n\n```bash tsak=one\nls\n```', /line 3: no attribute tsak/],
    ['> **Task one**: x\n\n```bash no-test\nls\n```', /no-test needs a reason/],
    ['> **Task one**: x\n\n```bash for=5\nls\n```', /for and timeout want seconds/],
    ['> **Task one**: x\n\n```yaml file=/etc/passwd\na: b\n```', /student’s folder/],
    ['> **Task one**: x\n\n```yaml file=work/../x\na: b\n```', /student’s folder/],
    ['> **Task one**: x\n\n```text stable\nls\n```', /after a bash block/],
    ['> **Task one**: x\n\n```bash\nls\n```\n\n```text stable source=rig\nls\n```', /there are live and replay/],
    ['> **Task one**: x\n>\n> `./lab exercise answer two NAME`', /line 1: the answer of task one is given to two/],
    ['> **Task one**: x\n>\n> ```bash tsak=one\n> ls\n> ```', /line 3: no attribute tsak/],
  ])('is refused: %j', (readme, why) => {
    expect(refusal(yaml(), readme)).toMatch(why)
  })

  it('comes in the order of its tasks', () => {
    const both = task + task.replace('id: one', 'id: two')
    expect(refusal(yaml(both), '> **Task two**: x\n\n> **Task one**: y')).toMatch(/come as two, one/)
  })

  it('is data: commands with their attributes, files, outputs, tasks', () => {
    const { items } = parseText(
      [
        '# T',
        '',
        '```bash task=one expect-error',
        'false',
        '```',
        '',
        '```text stable',
        'out',
        '```',
        '',
        '```bash no-test reason="it takes an hour"',
        'sleep 3600',
        '```',
        '',
        '```yaml file=work/01-x/a.yaml',
        'a: b',
        '```',
        '',
        '```yaml',
        'only: shown',
        '```',
        '',
        '> **Task one**: do it',
      ].join('\n'),
    )
    expect(items).toMatchObject([
      {
        kind: 'code',
        language: 'bash',
        code: 'false',
        line: 3,
        task: 'one',
        expectError: true,
        outputs: [{ text: 'out' }],
      },
      { kind: 'code', noTest: 'it takes an hour' },
      { kind: 'code', language: 'yaml', file: 'work/01-x/a.yaml', code: 'a: b' },
      { kind: 'task', task: 'one', line: 23 },
    ])
  })

  it('has commands in the quotes of its tasks, which belong to them', () => {
    const { items } = parseText(
      [
        '> **Task one**: load it. `./lab status` says more.',
        '>',
        '> `./lab policy apply work/01-x/a.yaml`',
        '> `./lab policy apply work/01-x/b.yaml`',
        '>',
        '> `./lab exercise answer one NAME`',
        '>',
        '> ```bash expect-error',
        '> ./lab kubectl exec x -- cat /etc/shadow',
        '> ```',
        '>',
        '> ```text stable source=live',
        '> … Permission denied',
        '> ```',
        '',
        '> A quote of something else: `./lab down --yes`',
        '>',
        '> `./lab down --yes`',
      ].join('\n'),
    )
    expect(items).toMatchObject([
      { kind: 'task', task: 'one', line: 1 },
      { task: 'one', span: true, line: 3, code: './lab policy apply work/01-x/a.yaml' },
      { task: 'one', span: true, line: 4, code: './lab policy apply work/01-x/b.yaml' },
      {
        task: 'one',
        span: false,
        line: 8,
        expectError: true,
        outputs: [{ text: '… Permission denied', source: 'live' }],
      },
    ])
    expect(items).toHaveLength(4)
  })

  it.each([
    ['a\nb', 'a\nb', undefined],
    ['a b', '  a   b  ', undefined],
    [
      'type value\nexec …',
      '┌──────┬───────┐\n│ type │ value │\n├──────┼───────┤\n│ exec │    12 │\n└──────┴───────┘',
      undefined,
    ],
    ['a\nb', 'a\nx\nb', 'b'],
    ['a\n…\nb', 'a\nx\ny\nb', undefined],
    ['a\n…', 'a\nx', undefined],
    ['a', 'a\nx', '(no further line, but: x)'],
    ['pod/… created', 'pod/visitor-1 created', undefined],
    ['pod/… created', 'pod/visitor-1 changed', 'pod/… created'],
  ])('shows %j where %j was printed', (shown, printed, missing) => {
    expect(missingLine(shown, printed)).toBe(missing)
  })

  it('is wrapped on a terminal, its commands are not', () => {
    const long = `./lab query promql '${'x'.repeat(100)}'`
    const text = render(
      marked.lexer(
        `# Title\n\n${'word '.repeat(30)}\n\n- **a** \`b\`\n- c\n\n\`\`\`bash\n${long}\n\`\`\`\n\n| a | b |\n| - | - |\n| 1 | 2 |\n\n> **Task one**: do`,
      ),
      { width: 40, task: () => '(2 points)' },
    )
    const lines = text.split('\n')
    expect(lines.filter(line => line.startsWith('word')).every(line => line.length <= 40)).toBe(true)
    expect(lines).toContain(`    ${long}`)
    expect(text).toMatch(/• .*a.* .*b/)
    expect(text).toContain('(2 points)')
    expect(text).not.toContain('**')
  })
})

describe('the shell of a text', () => {
  const shell = new BlockShell(folder, process.env)
  afterAll(() => shell.close())

  it('keeps what a block sets', async () => {
    expect(await shell.run('name=visitor; echo "$name" >&2')).toEqual({ exitCode: 0, output: 'visitor\n' })
    expect(await shell.run('echo "$name"')).toEqual({ exitCode: 0, output: 'visitor\n' })
  })

  it('ends a block with the first command that fails, and goes on after one that should', async () => {
    expect(await shell.run('echo a\nfalse\necho b')).toEqual({ exitCode: 1, output: 'a\n' })
    expect(await shell.run('echo again')).toMatchObject({ exitCode: 0 })
    expect(await shell.run('false', { lenient: true })).toMatchObject({ exitCode: 1 })
  })

  it('does not wait for ever', async () => {
    expect(await shell.run('echo a; sleep 60', { timeout: 300 })).toEqual({ exitCode: 124, output: 'a\n' })
    expect(await shell.run('echo there')).toEqual({ exitCode: 0, output: 'there\n' })
  })

  it('interrupts what does not end by itself', async () => {
    const began = Date.now()
    expect(await shell.runFor('while echo tick; do sleep 0.1; done', 1)).toMatchObject({
      exitCode: 0,
      output: expect.stringContaining('tick\ntick\n'),
    })
    expect(Date.now() - began).toBeLessThan(4_000)
    expect(await shell.runFor('exit 3', 5)).toMatchObject({ exitCode: 3 })
  })
})

// --- what is written about them

describe('documents', () => {
  it('labs/exercise.schema.json is made from the schema', () => {
    expect(readFileSync(exerciseSchemaFile, 'utf8'), 'run: npm run docs').toBe(exerciseSchemaText())
  })

  it('docs/writing-exercises.md names every key of a exercise.yaml', () => {
    const page = readFileSync(join(projectDir, 'docs', 'writing-exercises.md'), 'utf8')
    const keys = new Set<string>()
    const walk = (schema: unknown): void => {
      if (schema === null || typeof schema !== 'object') return
      for (const [key, child] of Object.entries(schema)) {
        if (key === 'properties') for (const name of Object.keys(child as object)) keys.add(name)
        walk(child)
      }
    }
    walk(JSON.parse(exerciseSchemaText()))
    expect(keys.size).toBeGreaterThan(60)
    expect([...keys].filter(key => !new RegExp(`\\b${key}\\b`).test(page))).toEqual([])
  })
})

// --- the exercises of the lab

const exercises = readExercises()

it('an exercise is found by name, number and words', () => {
  const [first] = exercises
  expect(findExercise(first!.name).name).toBe(first!.name)
  expect(findExercise(String(Number.parseInt(first!.name, 10))).name).toBe(first!.name)
  expect(findExercise(first!.name.replace(/^\d+-/, '')).name).toBe(first!.name)
  expect(() => findExercise('find-the-raeder')).toThrow(/04-find-the-reader/)
})

function errors(parser: LRParser, query: string): string[] {
  const found: string[] = []
  parser.parse(query.replaceAll('$since', '5m')).iterate({
    enter: ({ type, from }) => {
      if (type.isError) found.push(`at ${from}: …${query.slice(Math.max(0, from - 20), from + 20)}…`)
    },
  })
  return found
}

/** Every query of a check, by language. */
function queriesOf(check: Check): [LRParser, string][] {
  const { promql, logql, answer, query } = check
  const found: [LRParser, string][] = []
  for (const each of [promql?.query, answer?.from.promql, query?.promql]) if (each) found.push([promqlParser, each])
  for (const each of [logql?.query, answer?.from.logql, query?.logql]) if (each) found.push([logqlParser, each])
  return [
    ...found,
    ...[...(check.all ?? []), ...(check.any ?? []), ...(check.not ? [check.not] : [])].flatMap(queriesOf),
  ]
}

/** Queries in shell commands: what `lab query` is given, and what is given as an answer in single quotes. */
function queriesIn(commands: string): [LRParser, string][] {
  return [...commands.matchAll(/lab query (promql|logql)[^'\n]*'([^']+)'/g)]
    .filter(([, , query]) => !/^[A-Z ]+$/.test(query!))
    .map(([, language, query]) => [language === 'promql' ? promqlParser : logqlParser, query!])
}

/** Runs a command for real, on a cluster in which nothing is found: a fake kubectl, whose lists are empty and whose objects are not there. */
const withEmptyCluster = (command: string): Promise<Ran> => {
  const known = ran.get(command) ?? runWithEmptyCluster(command)
  ran.set(command, known)
  return known
}
const ran = new Map<string, Promise<Ran>>()

async function runWithEmptyCluster(command: string): Promise<Ran> {
  const programs = join(folder, 'programs')
  if (!existsSync(programs)) {
    mkdirSync(programs)
    mkdirSync(join(folder, 'work'))
    writeFileSync(
      join(programs, 'kubectl'),
      `#!/bin/sh
case " $* " in
  *" --ignore-not-found "*) ;;
  *" get "*/*) echo 'Error from server (NotFound): not found' >&2; exit 1 ;;
  *" get "*) echo 'No resources found' >&2 ;;
  *) echo 'Error from server (NotFound): not found' >&2; exit 1 ;;
esac
`,
      { mode: 0o755 },
    )
  }
  const { exitCode, stdout, stderr } = await execa('bash', ['-c', command.replaceAll('./lab kubectl', 'kubectl')], {
    cwd: projectDir,
    env: {
      PATH: [programs, dirname(process.execPath), process.env.PATH].join(delimiter),
      WORK: join(folder, 'work'),
      KUBECONFIG: join(folder, 'no-kubeconfig'),
    },
    reject: false,
  })
  return { exitCode: exitCode ?? 1, stdout, stderr }
}

it('an empty cluster is one in which kubectl finds nothing', async () => {
  expect(await withEmptyCluster('kubectl get pods')).toMatchObject({ exitCode: 0, stdout: '' })
  expect(await withEmptyCluster('./lab kubectl get pod/x')).toMatchObject({ exitCode: 1 })
  expect(await withEmptyCluster('kubectl get pod x --ignore-not-found')).toMatchObject({ exitCode: 0, stdout: '' })
})

describe.each(exercises)('$name', exercise => {
  it('asks what Prometheus and Loki understand, in checks, solutions and text', () => {
    const code = exercise.text.items.filter((item): item is Code => item.kind === 'code').map(item => item.code)
    const all = [
      ...exercise.tasks.flatMap(each => [
        ...queriesOf(each.check),
        ...each.deadEnds.flatMap(({ when }) => queriesOf(when)),
        ...queriesIn(each.solve),
      ]),
      ...code.flatMap(queriesIn),
    ]
    for (const [parser, query] of all) expect(errors(parser, query), query).toEqual([])
  })

  it.each(exercise.tasks)('$id: passes in no empty cluster, nor in one that does not answer', async each => {
    for (const world of [{ ...fakeWorld(), run: withEmptyCluster }, deadWorld()])
      for (const answer of [undefined, 'x', '0', '']) {
        const made = await attempt(
          each,
          {
            world,
            work: join(folder, 'work'),
            workPath: 'work/x',
            startedAt: new Date(Date.now() - 60_000),
            ...(answer !== undefined && { answer: { value: answer, at: new Date() } }),
          },
          { once: true },
        )
        expect(made.passed, `${answer}: ${made.found}`).toBe(false)
      }
  })

  it('explains itself: an outcome, points, hints that go further', () => {
    expect(exercise.outcome).toMatch(/^You can .+\.$/)
    for (const { id, hints, title } of exercise.tasks) {
      expect(hints.length, `${id} has a single hint`).toBeGreaterThan(1)
      expect(title.length, id).toBeGreaterThan(10)
    }
  })
})
