import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { attempt } from '../../../scripts/exercise/check/attempt.ts'
import { type AgentPolicy, answered, type LabClient, type Sample } from '../../../scripts/exercise/check/lab-client.ts'
import { compareResults, make, type Situation } from '../../../scripts/exercise/check/run-check.ts'
import { holds } from '../../../scripts/exercise/definition/condition.ts'
import { type Check, emptyPass, exerciseSchema, type Task } from '../../../scripts/exercise/definition/schema.ts'
import { LabError } from '../../../shared/lab-error.ts'
import { projectDir } from '../../../shared/paths.ts'
import { type Answers, deadWorld, fakeWorld } from '../../fakes/world.ts'

const startedAt = new Date('2026-11-21T10:00:00Z')
const now = new Date('2026-11-21T10:10:00Z')

const situation = (world: LabClient, more: Partial<Situation> = {}): Situation => ({
  world,
  work: '/nowhere/work/01-x',
  workPath: 'work/01-x',
  task: 'find',
  startedAt,
  now,
  ...more,
})

/** A check with all its defaults, as a exercise.yaml's has them. */
function complete(check: unknown): Check {
  const parsed = exerciseSchema.parse(exerciseOf({ check }))
  return parsed.tasks[0]!.check
}

const exerciseOf = (task: object) => ({
  title: 'x',
  track: 'see',
  outcome: 'x',
  learned: ['x'],
  minutes: 5,
  tasks: [{ id: 'find', title: 'x', hints: ['one', 'two'], solve: 'true', ...task }],
})

const taskOf = (task: object): Task => exerciseSchema.parse(exerciseOf(task)).tasks[0]!

const look = (check: unknown, answers: Answers = {}, more: Partial<Situation> = {}) =>
  make(complete(check), situation(fakeWorld(answers), more))

const series = (value: number, labels: Record<string, string> = {}): Sample => ({ labels, value })

describe('conditions', () => {
  it.each([
    ['>= 3', 3, true],
    ['>= 3', 2.9, false],
    ['> 0', '', false],
    ['!= 0', '', false],
    ['!= 0', '4', true],
    ['< 5', 'abc', false],
    [3, '3', true],
    ['3', '3.0', true],
    ['visitor', 'visitor\n', true],
    ['visitor', 'visitor-1', false],
    ['/^visitor-/', 'visitor-1', true],
    ['/KILL/i', 'Sigkill', true],
    ['', '', true],
  ])('%s of %s is %s', (condition, value, right) => {
    expect(holds(condition, value)).toBe(right)
  })
})

describe('promql and logql', () => {
  it('ask for a value in so many series', async () => {
    const answers = { promql: () => [series(5, { pod: 'a' }), series(0, { pod: 'b' })] }
    expect(await look({ promql: { query: 'x' } }, answers)).toMatchObject({ passed: true, found: 'a: 5, b: 0' })
    expect(await look({ promql: { query: 'x', series: '>= 2' } }, answers)).toMatchObject({
      passed: false,
      expected: 'more than 0 in at least 2 series',
    })
    expect(await look({ promql: { query: 'x', is: '>= 6' } }, answers)).toMatchObject({ passed: false })
  })

  it('count the lines of a log query since the start, over all streams', async () => {
    const seen: Date[] = []
    const answers: Answers = {
      logql: (_, from) => {
        seen.push(from)
        return [series(2, { pod: 'a' }), series(3, { pod: 'b' })]
      },
    }
    expect(await look({ logql: { query: '{a="b"}', is: '>= 5' } }, answers)).toMatchObject({ passed: true, found: '5' })
    expect(seen).toEqual([startedAt])
  })

  it('know the time since the start', async () => {
    const queries: string[] = []
    await look(
      { logql: { query: 'count_over_time({a="b"}[$since])' } },
      {
        logql: query => {
          queries.push(query)
          return []
        },
      },
    )
    expect(queries).toEqual(['count_over_time({a="b"}[600s])'])
  })

  it('fail on nothing, on NaN, and where nobody answers', async () => {
    expect(await look({ promql: { query: 'x', is: '>= 0' } })).toMatchObject({ passed: false, found: /empty/ })
    expect(await look({ promql: { query: 'x' } }, { promql: () => [series(Number.NaN)] })).toMatchObject({
      passed: false,
    })
    expect(await make(complete({ promql: { query: 'x' } }), situation(deadWorld()))).toMatchObject({
      passed: false,
      found: 'Grafana does not answer',
    })
  })
})

describe('kube', () => {
  it('asks for objects by kubectl, in a namespace and by labels', async () => {
    const asked: (readonly string[])[] = []
    const answers: Answers = {
      kubectl: args => {
        asked.push(args)
        return { stdout: 'pod/a\npod/b\n' }
      },
    }
    const check = { kube: { get: 'pods', selector: 'app=visitor', count: '>= 2' } }
    expect(await look(check, answers)).toMatchObject({ passed: true, found: '2 pods -l app=visitor in application' })
    expect(asked).toEqual([['get', 'pods', '-n', 'application', '-l', 'app=visitor', '-o', 'name']])
  })

  it('reads a field', async () => {
    const check = { kube: { get: 'deployment/frontend', jsonpath: '{.spec.replicas}', is: '>= 4' } }
    expect(await look(check, { kubectl: () => ({ stdout: '3' }) })).toMatchObject({
      passed: false,
      found: 'deployment/frontend in application: 3',
      expected: 'at least 4',
    })
    expect(await look(check, { kubectl: () => ({ stdout: '4' }) })).toMatchObject({ passed: true })
    expect(await look(check)).toMatchObject({ passed: false, found: /NotFound/ })
  })
})

describe('run', () => {
  it('compares exit code and output', async () => {
    const check = { run: { command: 'cat x', exit: 137 } }
    expect(await look(check, { run: () => ({ exitCode: 137 }) })).toMatchObject({ passed: true })
    expect(await look(check, { run: () => ({ exitCode: 0, stdout: 'secret' }) })).toMatchObject({
      passed: false,
      found: 'cat x ended with 0 and said: secret',
      expected: 'it to end with 137',
    })
    const denied = { run: { command: 'cat x', exit: 1, stderr: '/Permission denied/' } }
    expect(await look(denied, { run: () => ({ exitCode: 1, stderr: 'cat: Permission denied' }) })).toMatchObject({
      passed: true,
    })
    expect(await look(denied)).toMatchObject({ passed: false })
  })
})

describe('agent', () => {
  const recorded = (file: string): AgentPolicy[] =>
    (
      JSON.parse(readFileSync(join(projectDir, 'stacks/monitoring/replay/recordings/guestbook', file), 'utf8')) as {
        policies: AgentPolicy[]
      }
    ).policies

  it('reads what the real agent said', async () => {
    const agent = recorded('tracingpolicies-enforced.json')
    expect(await look({ agent: { policy: 'block-service-account-token', mode: 'enforce' } }, { agent })).toMatchObject({
      passed: true,
      found: 'block-service-account-token enabled, mode enforce',
    })
    expect(await look({ agent: { policy: 'sys-openat', mode: 'enforce' } }, { agent })).toMatchObject({
      passed: false,
      found: 'sys-openat enabled, mode monitor_only',
    })
    expect(await look({ agent: { policy: 'sys-openat', counters: { post: '>= 200' } } }, { agent })).toMatchObject({
      passed: true,
    })
    expect(await look({ agent: { policy: 'sys-openat', counters: { signal: '>= 1' } } }, { agent })).toMatchObject({
      passed: false,
      found: /signal 0/,
    })
    const kubectl = () => ({
      stdout:
        '{"items":[{"apiVersion":"cilium.io/v1alpha1","kind":"TracingPolicy","metadata":{"name":"mine"},"spec":{}}]}',
    })
    expect(await look({ agent: { policy: 'mine' } }, { agent, kubectl })).toMatchObject({
      passed: false,
      found: expect.stringMatching(/^the agent has/),
    })
  })
})

describe('answers', () => {
  const check = { answer: { from: { logql: 'q' }, label: 'k8s_pod_name' } }
  const answers: Answers = {
    logql: () => [series(3, { k8s_pod_name: 'visitor-1' }), series(0, { k8s_pod_name: 'idle' })],
  }
  const given = (value: string, at = now) => ({ answer: { value, at } })

  it('are held against the labels of what is found', async () => {
    expect(await look(check, answers)).toMatchObject({ passed: false, untried: true, expected: /exercise answer find/ })
    expect(await look(check, answers, given('visitor-1'))).toMatchObject({ passed: true })
    expect(await look(check, answers, given(' `Visitor-1` '))).toMatchObject({ passed: true })
    expect(await look(check, answers, given('redis'))).toMatchObject({ passed: false, found: 'your answer redis' })
    // A series of zero is not what was found.
    expect(await look(check, answers, given('idle'))).toMatchObject({ passed: false })
  })

  it('say nothing of the right one', async () => {
    const { found, expected } = await look(check, answers, given('redis'))
    expect(`${found} ${expected}`).not.toContain('visitor-1')
  })

  it('may name a program without its folder', async () => {
    const programs: Answers = { logql: () => [series(1, { k8s_pod_name: '/usr/bin/cat' })] }
    expect(await look(check, programs, given('cat'))).toMatchObject({ passed: true })
    expect(await look(check, programs, given('at'))).toMatchObject({ passed: false })
  })

  it('that were right when given stay right', async () => {
    const before = new Date('2026-11-21T10:05:00Z')
    const growing: Answers = { promql: (_, at) => [series(at.getTime() === before.getTime() ? 100 : 200)] }
    const number = { answer: { from: { promql: 'q' }, tolerance: 0.1 } }
    expect(await look(number, growing, given('95', before))).toMatchObject({ passed: true })
    expect(await look(number, growing, given('210', before))).toMatchObject({ passed: true })
    expect(await look(number, growing, given('150', before))).toMatchObject({ passed: false })
  })

  it('come from objects and commands as well, and may be decoded', async () => {
    const kube = { answer: { from: { kube: { get: 'pods', jsonpath: '{.items[*].metadata.name}' } } } }
    expect(await look(kube, { kubectl: () => ({ stdout: 'a b' }) }, given('b'))).toMatchObject({ passed: true })
    const run = { all: [{ answer: { from: { run: 'uname -r' } } }, { kube: { get: 'pods' } }] }
    const node: Answers = { run: () => ({ stdout: '6.1.0\n' }), kubectl: () => ({ stdout: 'pod/a' }) }
    expect(await look(run, node, given('6.1.0'))).toMatchObject({ passed: true })
    const decoded = { answer: { from: { logql: 'q' }, label: 'id', decode: 'base64' } }
    const ids: Answers = { logql: () => [series(1, { id: Buffer.from('lab:5:42').toString('base64') })] }
    expect(await look(decoded, ids, given('lab:5:42'))).toMatchObject({ passed: true })
  })

  it('cannot be right where there is no data, and say that it is not the student’s fault', async () => {
    expect(await look(check, {}, given('visitor-1'))).toMatchObject({
      passed: false,
      found: expect.stringMatching(/no data/),
      unable: './lab verify',
    })
    const there = { kube: { get: 'pods' } }
    expect(await look({ all: [{ answer: { from: { run: 'false' } } }, there] }, {}, given(''))).toMatchObject({
      passed: false,
    })
    // What the student was to make is not the lab's fault.
    const kube = { answer: { from: { kube: { get: 'pod/mine', jsonpath: '{.x}' } } } }
    const made = await look(kube, {}, given('a'))
    expect(made).toMatchObject({ passed: false, found: 'nothing that could be the answer: pod/mine is not there' })
    expect(made.unable).toBeUndefined()
  })
})

describe('queries', () => {
  const wanted = [series(10, { pod: 'a' }), series(20, { pod: 'b' })]
  const compare = (given: Sample[]) => compareResults(wanted, given, ['pod'], 0.2)

  it.each([
    ['the same, within what is tolerated', [series(11, { pod: 'a' }), series(20, { pod: 'b' })], true, /2 series/],
    ['other labels beside', [series(10, { pod: 'a', x: '1' }), series(20, { pod: 'b', x: '1' })], true, /./],
    ['nothing', [], false, /finds nothing/],
    ['one missing', [series(10, { pod: 'a' })], false, /nothing for b/],
    ['one too many', [...wanted, series(1, { pod: 'c' })], false, /c, which do not belong/],
    ['another value', [series(3000, { pod: 'a' }), series(20, { pod: 'b' })], false, /3000 for a/],
    [
      'grouped by more',
      [series(5, { pod: 'a', type: 'x' }), series(5, { pod: 'a', type: 'y' }), series(20, { pod: 'b' })],
      false,
      /2 series for a: they differ in type/,
    ],
  ])('%s', (_, given, passed, found) => {
    expect(compare(given)).toMatchObject({ passed, found })
  })

  it('count the lines of two log queries', async () => {
    const asked: string[] = []
    const answers: Answers = {
      logql: query => {
        asked.push(query)
        return [series(4, { pod: 'a' })]
      },
    }
    const check = { query: { logql: '{a="b"} | c="d"', by: ['pod'] } }
    expect(await look(check, answers, { answer: { value: '{a="b"}', at: now } })).toMatchObject({ passed: true })
    expect(asked).toContain('sum by (pod) (count_over_time({a="b"} [15m]))')
    expect(await look(check, answers, { answer: { value: 'sum(rate({a="b"}[5m]))', at: now } })).toMatchObject({
      passed: false,
      found: 'a query that yields numbers',
    })
  })

  it('tell what the language has against it', async () => {
    const answers: Answers = {
      promql: query => {
        if (query === 'good') return [series(1)]
        throw new LabError({
          found:
            'Grafana answers 400 to /api/…: {"status":"error","error":"1:5: parse error: unclosed left parenthesis"}',
          expected: '200',
          next: './lab logs grafana',
        })
      },
    }
    expect(await look({ query: { promql: 'good' } }, answers, { answer: { value: 'sum(', at: now } })).toMatchObject({
      passed: false,
      found: '1:5: parse error: unclosed left parenthesis',
    })
  })
})

const yes = { promql: { query: 'yes' } }

describe('several at once', () => {
  const no = { promql: { query: 'no' } }
  const answers: Answers = { promql: query => (query === 'yes' ? [series(1)] : []) }

  it('all, any, not', async () => {
    expect(await look({ all: [yes, yes] }, answers)).toMatchObject({ passed: true })
    expect(await look({ all: [yes, no] }, answers)).toMatchObject({ passed: false })
    expect(await look({ any: [no, yes] }, answers)).toMatchObject({ passed: true })
    expect(await look({ all: [yes, { not: no }] }, answers)).toMatchObject({ passed: true })
    expect(await look({ all: [yes, { not: yes }] }, answers)).toMatchObject({ passed: false, found: '1' })
  })

  it.each([
    [{ not: yes }, /`not` alone/],
    [{ all: [{ not: yes }, { not: no }] }, /`not` alone/],
    [{ any: [yes, { not: no }] }, /`not` alone/],
    [{ promql: { query: 'x', series: '<= 3' } }, /no series at all/],
    [{ promql: { query: 'sum(x) or vector(0)', is: '== 0' } }, /vector\(\)/],
    [{ promql: { query: 'absent(x)' } }, /absent/],
    [{ kube: { get: 'pods', count: '<= 1' } }, /no object at all/],
    [{ kube: { get: 'pods', jsonpath: '{.x}', is: '/^$/' } }, /empty answer/],
    [{ run: { command: 'kubectl x', exit: 1 } }, /check what it prints/],
    [{ run: { command: 'kubectl get pods' } }, /kubectl get ends well/],
    [{ run: { command: './lab kubectl -n application get pods; true' } }, /kubectl get ends well/],
    [{ run: { command: 'x', stdout: '/^$/' } }, /prints nothing/],
    [{ run: { command: 'x', stdout: '/.*/', stderr: '/^$/' } }, /prints nothing/],
    [{ answer: { from: { promql: 'sum(x) or vector(0)' } } }, /would be the answer/],
    [{ answer: { from: { promql: 'absent(x)' } } }, /would be the answer/],
    [{ query: { promql: 'sum(x) or vector(0)' } }, /would be the answer/],
    [{ answer: { from: { run: 'echo 42' } } }, /put it in `all`/],
    [{ any: [yes, { answer: { from: { run: 'echo 42' } } }] }, /put it in `all`/],
  ])('%j could pass on an empty cluster, and is refused', (check, why) => {
    expect(() => complete(check)).toThrow(why)
  })

  it.each([
    { all: [yes, { not: no }] },
    { promql: { query: 'sum(x) or vector(0)', is: '>= 1' } },
    { kube: { get: 'pods', jsonpath: '{.x}', is: 3 } },
    { run: { command: 'x', exit: 137 } },
    { run: { command: 'x', exit: 1, stderr: '/denied/' } },
    { run: { command: 'kubectl get pods', stdout: '/visitor/' } },
    { run: { command: 'x', stdout: '/^$/', stderr: '/warning/' } },
    { all: [{ answer: { from: { run: './lab policy lint x' } } }, { kube: { get: 'pods' } }] },
  ])('%j cannot', check => {
    expect(emptyPass(complete(check))).toBeUndefined()
  })
})

describe('an attempt', () => {
  it('looks again until it passes', async () => {
    let looks = 0
    const world = fakeWorld({ promql: () => (++looks < 3 ? [] : [series(1)]) })
    const made = await attempt(taskOf({ check: { promql: { query: 'x' } } }), situation(world), { pause: 1 })
    expect(made).toMatchObject({ passed: true })
    expect(looks).toBe(3)
  })

  it('gives up when the time is up, and looks once when told so', async () => {
    let looks = 0
    const world = fakeWorld({
      promql: () => {
        looks++
        return []
      },
    })
    const task = taskOf({ check: { promql: { query: 'x' } }, expected: 'in other words' })
    expect(await attempt(task, situation(world), { limit: 20, pause: 5 })).toMatchObject({
      passed: false,
      expected: 'in other words',
    })
    expect(looks).toBeGreaterThan(1)
    looks = 0
    await attempt(task, situation(world), { once: true })
    expect(looks).toBe(1)
  })

  const patience = async (task: object, answers: Answers) => {
    const { waits } = await make(taskOf(task).check, {
      ...situation(fakeWorld(answers)),
      within: { arrives: 90_000, ...(!(task as { check: Check }).check.all && { made: 90_000 }) },
    })
    return waits! / 1000
  }
  const there: Answers = { kubectl: () => ({ stdout: 'pod/a' }) }

  it('waits long for what must arrive, and hardly where the student’s part is lacking', async () => {
    const seen = { promql: { query: 'x' } }
    const made = { kube: { get: 'pods' } }
    expect(await patience({ check: { all: [made, seen] } }, there)).toBe(90)
    expect(await patience({ check: { all: [made, seen] } }, {})).toBe(8)
    expect(await patience({ check: { all: [{ policy: { name: 'x' } }, seen] } }, {})).toBe(4)
    expect(await patience({ check: { all: [made, { promql: { query: 'x', within: '20s' } }] } }, there)).toBe(20)
    // Alone, it is for the task to say.
    expect(await patience({ check: made }, {})).toBe(90)
    expect(await patience({ check: { policy: { in: 'work' } } }, {})).toBe(0)
  })

  it('asks no agent to load what the API server does not have', async () => {
    const task = taskOf({ check: { agent: { policy: 'mine' } }, within: '60s' })
    const began = Date.now()
    expect(await attempt(task, situation(fakeWorld()))).toMatchObject({
      untried: true,
      found: 'no TracingPolicy mine in the cluster',
    })
    expect(Date.now() - began).toBeLessThan(1000)
  })

  it('gives the lab a few seconds to answer, and says what helps', async () => {
    const task = taskOf({ check: { promql: { query: 'x' } }, within: '3m', expected: 'a number' })
    const made = await attempt(task, situation(deadWorld()), { once: true })
    expect(made).toMatchObject({ passed: false, unable: './lab status', expected: 'a lab that is up' })
    // What cannot be looked at is not absent, and what is surely wrong is told first.
    expect(
      await make(complete({ all: [yes, { not: { promql: { query: 'x' } } }] }), situation(deadWorld())),
    ).toMatchObject({ passed: false, unable: './lab status' })
    const half: LabClient = { ...deadWorld(), files: () => [] }
    const check = complete({ all: [{ promql: { query: 'x' } }, { policy: { in: 'work' } }] })
    const wrong = await make(check, situation(half))
    expect(wrong.found).toMatch(/no TracingPolicy/)
    expect(wrong.unable).toBeUndefined()
  })

  it('knows a cluster that does not answer from one that says no', () => {
    const ran = (stderr: string, exitCode = 1) => answered({ exitCode, stdout: '', stderr })
    expect(() =>
      ran('The connection to the server 127.0.0.1:6443 was refused - did you specify the right host?'),
    ).toThrow(/API server does not answer/)
    expect(() => ran('Error     no lab is running\nExpected  one')).toThrow(/API server/)
    expect(ran('Error from server (NotFound): pods "x" not found').exitCode).toBe(1)
    expect(ran('curl: (7) Failed to connect: Connection refused').exitCode).toBe(1)
  })

  it('tells a dead end at once, and none of what was not tried', async () => {
    const task = taskOf({
      check: { answer: { from: { promql: 'x' } } },
      within: '30s',
      deadEnds: [
        { id: 'file', when: { given: '/passwd/' }, says: 'That is the file.' },
        { id: 'not-a-path', when: { not: { given: '/\\//' } }, says: 'No path.' },
      ],
    })
    const world = fakeWorld({ promql: () => [series(1)] })
    const answer = (value: string) => situation(world, { answer: { value, at: now } })
    expect(await attempt(task, answer('/etc/passwd'))).toMatchObject({ deadEnd: { id: 'file' } })
    expect(await attempt(task, answer('cat'))).toMatchObject({ deadEnd: { id: 'not-a-path' } })
    const silent = await attempt(task, situation(world))
    expect(silent).toMatchObject({ passed: false, untried: true })
    expect(silent.deadEnd).toBeUndefined()
  })
})
