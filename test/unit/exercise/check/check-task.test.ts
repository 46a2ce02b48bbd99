import { describe, expect, it } from 'vitest'
import { checkTask } from '../../../../scripts/exercise/check/check-task.ts'
import type { LabClient } from '../../../../scripts/exercise/check/lab-client.ts'
import { runCheck } from '../../../../scripts/exercise/check/run-check.ts'
import type { Check } from '../../../../scripts/exercise/definition/check-schema.ts'
import { checkOf, contextOf, now, series, taskOf } from '../../../fakes/checks.ts'
import { type FakeLab, fakeLabClient, unreachableLabClient } from '../../../fakes/lab-client.ts'

const yes = { promql: { query: 'yes' } }

describe('a task', () => {
  it('is checked again until it passes', async () => {
    let checks = 0
    const lab = fakeLabClient({ promql: () => (++checks < 3 ? [] : [series(1)]) })
    const attempt = await checkTask(taskOf({ check: { promql: { query: 'x' } } }), contextOf(lab), { intervalMs: 1 })
    expect(attempt).toMatchObject({ passed: true })
    expect(checks).toBe(3)
  })

  it('is not checked again after the time limit, or with once', async () => {
    let checks = 0
    const lab = fakeLabClient({
      promql: () => {
        checks++
        return []
      },
    })
    const task = taskOf({ check: { promql: { query: 'x' } }, expected: 'in other words' })
    expect(await checkTask(task, contextOf(lab), { limitMs: 200, intervalMs: 1 })).toMatchObject({
      passed: false,
      expected: 'in other words',
    })
    expect(checks).toBeGreaterThan(1)
    checks = 0
    await checkTask(task, contextOf(lab), { once: true })
    expect(checks).toBe(1)
  })

  const retrySeconds = async (task: object, answers: FakeLab) => {
    const { waits } = await runCheck(taskOf(task).check, {
      ...contextOf(fakeLabClient(answers)),
      within: { data: 90_000, ...(!(task as { check: Check }).check.all && { objects: 90_000 }) },
    })
    return waits! / 1000
  }
  const withPod: FakeLab = { kubectl: () => ({ stdout: 'pod/a' }) }

  it('is retried for data to arrive, but only briefly for objects that the student has not created', async () => {
    const data = { promql: { query: 'x' } }
    const objects = { kube: { get: 'pods' } }
    expect(await retrySeconds({ check: { all: [objects, data] } }, withPod)).toBe(90)
    expect(await retrySeconds({ check: { all: [objects, data] } }, {})).toBe(8)
    expect(await retrySeconds({ check: { all: [{ policy: { name: 'x' } }, data] } }, {})).toBe(4)
    expect(await retrySeconds({ check: { all: [objects, { promql: { query: 'x', within: '20s' } }] } }, withPod)).toBe(
      20,
    )
    // A single check is retried as long as the task says.
    expect(await retrySeconds({ check: objects }, {})).toBe(90)
    expect(await retrySeconds({ check: { policy: { in: 'work' } } }, {})).toBe(0)
  })

  it('does not wait for an agent to load a policy that is not in the cluster', async () => {
    const task = taskOf({ check: { agent: { policy: 'mine' } }, within: '60s' })
    let reads = 0
    const lab = fakeLabClient({
      kubectl: () => {
        reads++
        return { stdout: '{"items":[]}' }
      },
    })
    expect(await checkTask(task, contextOf(lab))).toMatchObject({
      untried: true,
      found: 'no TracingPolicy mine in the cluster',
    })
    expect(reads).toBe(1)
  })

  it('names the command that helps when the lab does not respond', async () => {
    const task = taskOf({ check: { promql: { query: 'x' } }, within: '3m', expected: 'a number' })
    const attempt = await checkTask(task, contextOf(unreachableLabClient()), { once: true })
    expect(attempt).toMatchObject({ passed: false, unable: './lab status', expected: 'a running lab' })
    // An object that could not be read may exist. A certain mistake is shown first.
    expect(
      await runCheck(checkOf({ all: [yes, { not: { promql: { query: 'x' } } }] }), contextOf(unreachableLabClient())),
    ).toMatchObject({ passed: false, unable: './lab status' })
    const filesOnly: LabClient = { ...unreachableLabClient(), files: () => [] }
    const check = checkOf({ all: [{ promql: { query: 'x' } }, { policy: { in: 'work' } }] })
    const wrong = await runCheck(check, contextOf(filesOnly))
    expect(wrong.found).toMatch(/no TracingPolicy/)
    expect(wrong.unable).toBeUndefined()
  })

  it('runs the same command once for the check and its dead ends', async () => {
    let runs = 0
    const lab = fakeLabClient({
      run: () => {
        runs++
        return { exitCode: 1, stdout: 'wrong' }
      },
    })
    const command = { command: 'x' }
    const task = taskOf({
      check: { run: { ...command, stdout: 'right' } },
      deadEnds: [{ id: 'wrong', when: { run: { ...command, exit: 1, stdout: 'wrong' } }, says: 'No.' }],
    })
    expect(await checkTask(task, contextOf(lab))).toMatchObject({ deadEnd: { id: 'wrong' } })
    expect(runs).toBe(1)
  })

  it('is in a dead end at once, but not before the first try', async () => {
    const task = taskOf({
      check: { answer: { from: { promql: 'x' } } },
      within: '30s',
      deadEnds: [
        { id: 'file', when: { given: '/passwd/' }, says: 'That is the file.' },
        { id: 'not-a-path', when: { not: { given: '/\\//' } }, says: 'No path.' },
      ],
    })
    const lab = fakeLabClient({ promql: () => [series(1)] })
    const answer = (value: string) => contextOf(lab, { answer: { value, at: now } })
    expect(await checkTask(task, answer('/etc/passwd'))).toMatchObject({ deadEnd: { id: 'file' } })
    expect(await checkTask(task, answer('cat'))).toMatchObject({ deadEnd: { id: 'not-a-path' } })
    const unanswered = await checkTask(task, contextOf(lab))
    expect(unanswered).toMatchObject({ passed: false, untried: true })
    expect(unanswered.deadEnd).toBeUndefined()
  })
})
