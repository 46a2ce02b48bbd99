import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { parser as logqlParser } from '@grafana/lezer-logql'
import type { LRParser } from '@lezer/lr'
import { parser as promqlParser } from '@prometheus-io/lezer-promql'
import { execa } from 'execa'
import { afterAll, describe, expect, it } from 'vitest'
import { checkTask } from '../../../../scripts/exercise/check/check-task.ts'
import type { CommandResult } from '../../../../scripts/exercise/check/lab-client.ts'
import type { Check } from '../../../../scripts/exercise/definition/check-schema.ts'
import type { CodeBlock } from '../../../../scripts/exercise/definition/code-block.ts'
import { readExercises } from '../../../../scripts/exercise/definition/exercises.ts'
import { projectDir } from '../../../../shared/paths.ts'
import { fakeLabClient, unreachableLabClient } from '../../../fakes/lab-client.ts'

const exercises = readExercises()

const folder = mkdtempSync(join(tmpdir(), 'lab-labs-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function errors(parser: LRParser, query: string): string[] {
  const found: string[] = []
  parser.parse(query.replaceAll('$since', '5m')).iterate({
    enter: ({ type, from }) => {
      if (type.isError) found.push(`at ${from}: …${query.slice(Math.max(0, from - 20), from + 20)}…`)
    },
  })
  return found
}

/** Returns every query of a check, with the parser of its language. */
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

/** Returns the queries in shell commands: the arguments of `lab query` in single quotes. */
function queriesIn(commands: string): [LRParser, string][] {
  return [...commands.matchAll(/lab query (promql|logql)[^'\n]*'([^']+)'/g)]
    .filter(([, , query]) => !/^[A-Z ]+$/.test(query!))
    .map(([, language, query]) => [language === 'promql' ? promqlParser : logqlParser, query!])
}

/** Runs a command with a fake kubectl that lists no objects and finds none. */
const withEmptyCluster = (command: string): Promise<CommandResult> => {
  const result = results.get(command) ?? runWithEmptyCluster(command)
  results.set(command, result)
  return result
}
const results = new Map<string, Promise<CommandResult>>()

async function runWithEmptyCluster(command: string): Promise<CommandResult> {
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

it('the fake kubectl lists no objects and finds none', async () => {
  expect(await withEmptyCluster('kubectl get pods')).toMatchObject({ exitCode: 0, stdout: '' })
  expect(await withEmptyCluster('./lab kubectl get pod/x')).toMatchObject({ exitCode: 1 })
  expect(await withEmptyCluster('kubectl get pod x --ignore-not-found')).toMatchObject({ exitCode: 0, stdout: '' })
})

describe.each(exercises)('$name', exercise => {
  it('has valid queries in its checks, solutions and text', () => {
    const code = exercise.text.items.filter((item): item is CodeBlock => item.kind === 'code').map(item => item.code)
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

  it.each(exercise.tasks)('$id: fails in an empty cluster, and in one that does not respond', async each => {
    for (const lab of [{ ...fakeLabClient(), run: withEmptyCluster }, unreachableLabClient()])
      for (const answer of [undefined, 'x', '0', '']) {
        const attempt = await checkTask(
          each,
          {
            lab,
            work: join(folder, 'work'),
            workPath: 'work/x',
            startedAt: new Date(Date.now() - 60_000),
            ...(answer !== undefined && { answer: { value: answer, at: new Date() } }),
          },
          { once: true },
        )
        expect(attempt.passed, `${answer}: ${attempt.found}`).toBe(false)
      }
  })

  it('has an outcome, titles, and at least 2 hints for each task', () => {
    expect(exercise.outcome).toMatch(/^You can .+\.$/)
    for (const { id, hints, title } of exercise.tasks) {
      expect(hints.length, `${id} has a single hint`).toBeGreaterThan(1)
      expect(title.length, id).toBeGreaterThan(10)
    }
  })
})
