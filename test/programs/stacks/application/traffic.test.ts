import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { beforeEach, describe, expect, test, vi } from 'vitest'

const folder = resolve('stacks/application/traffic')

interface Stage {
  duration: string
  target: number
}
interface Script {
  default: () => void
  day: (average: number, noise: number, seed: number) => Stage[]
  sign: (messages: readonly string[], message: string) => string[]
  options: { scenarios: Record<string, Record<string, unknown>> }
}
interface CalledUrl {
  url: string
  name: string
}

// Fakes of k6's modules, which record the script's requests.
const k6 = vi.hoisted(() => ({
  requests: [] as CalledUrl[],
  failedChecks: [] as string[],
  answer: (_url: string): { status: number; body: string } => ({ status: 200, body: '' }),
}))
vi.mock('k6', () => ({
  check: (value: unknown, checks: Record<string, (value: unknown) => boolean>) => {
    for (const [name, holds] of Object.entries(checks)) if (!holds(value)) k6.failedChecks.push(name)
  },
}))
vi.mock('k6/execution', () => ({ default: { scenario: { iterationInTest: 4321 } } }))
vi.mock('k6/http', () => ({
  default: {
    get: (url: string, { tags }: { tags: { name: string } }) => {
      k6.requests.push({ url, name: tags.name })
      const { status, body } = k6.answer(url)
      return { status, body, json: () => JSON.parse(body) }
    },
  },
}))

/** Loads the script as k6 would. The path is not a literal, because the compiler has no types for k6's globals here. */
async function load(env: Record<string, string> = {}): Promise<Script> {
  vi.resetModules()
  vi.stubGlobal('__ENV', env)
  return (await import(`${folder}/${'guestbook'}.ts`)) as Script
}

beforeEach(() => {
  k6.requests.length = 0
  k6.failedChecks.length = 0
})

test('compiles with the types of k6', { timeout: 60_000 }, () => {
  const tsc = resolve('node_modules/typescript/bin/tsc')
  const { status, stdout: files } = spawnSync(process.execPath, [tsc, '-p', folder, '--listFiles'], {
    encoding: 'utf8',
  })
  expect(status, files).toBe(0)
  expect(files).toContain('traffic/guestbook.ts')
  expect(files).toContain('@types/k6/')
})

describe('the rate', () => {
  const average = (stages: Stage[]) => stages.reduce((sum, { target }) => sum + target, 0) / stages.length

  test.each([
    [5, 0.2],
    [0.1, 0.5],
    [500, 1],
  ])('of %d visits per second varies by up to a factor of %d for a day', async (rate, noise) => {
    const stages = (await load()).day(rate, noise, 1)
    expect(stages).toHaveLength(2880)
    const targets = stages.map(({ target }) => target)
    expect(Math.min(...targets)).toBeGreaterThanOrEqual(Math.round(rate * 60 * (1 - noise)))
    expect(Math.max(...targets)).toBeLessThanOrEqual(Math.round(rate * 60 * (1 + noise)))
    expect(average(stages) / (rate * 60)).toBeCloseTo(1, 1)
    expect(new Set(targets).size).toBeGreaterThan(3)
  })

  test('depends on the seed and is steady without noise', async () => {
    const { day } = await load()
    expect(day(5, 0.2, 7)).toEqual(day(5, 0.2, 7))
    expect(day(5, 0.2, 7)).not.toEqual(day(5, 0.2, 8))
    expect(new Set(day(5, 0, 1).map(({ target }) => target))).toEqual(new Set([300]))
  })

  test('is read from the environment', async () => {
    const { options } = await load({ RATE: '0.5', NOISE: '0' })
    expect(options.scenarios.visits).toMatchObject({ executor: 'ramping-arrival-rate', timeUnit: '1m', startRate: 30 })
    expect((options.scenarios.visits!.stages as Stage[])[0]).toEqual({ duration: '30s', target: 30 })
    await expect(load({ RATE: 'many' })).rejects.toThrow('RATE must be above 0, not many')
    await expect(load({ NOISE: '2' })).rejects.toThrow('NOISE must be from 0 to 1, not 2')
  })
})

describe('a visit', () => {
  const found = '{"data": "Hi, there,It\'s me"}'

  test('loads the page and the messages, and one in five signs', async () => {
    const { default: visit } = await load({ TARGET_URL: 'http://frontend/' })
    k6.answer = url => ({ status: 200, body: url.includes('cmd=set') ? '{"message": "Updated"}' : found })
    for (let i = 0; i < 2000; i++) visit()
    const names = (name: string) => k6.requests.filter(request => request.name === name)
    expect([names('index').length, names('get').length]).toEqual([2000, 2000])
    expect(names('set').length).toBeGreaterThan(300)
    expect(names('set').length).toBeLessThan(500)
    expect(names('index')[0]!.url).toBe('http://frontend/')
    expect(names('get')[0]!.url).toBe('http://frontend/guestbook.php?cmd=get&key=messages')
    const set = new URL(names('set')[0]!.url)
    expect(set.pathname).toBe('/guestbook.php')
    expect(Object.fromEntries(set.searchParams)).toEqual({
      cmd: 'set',
      key: 'messages',
      value: "Hi, there,It's me,Hello from visitor 321",
    })
    expect(k6.failedChecks).toEqual([])
  })

  test('with a wrong response fails its checks and does not sign', async () => {
    const { default: visit } = await load()
    k6.answer = url => ({ status: url.includes('php') ? 502 : 200, body: '<html>' })
    for (let i = 0; i < 50; i++) visit()
    expect(new Set(k6.failedChecks)).toEqual(new Set(['get: 200', 'get: messages']))
    expect(k6.requests.some(({ name }) => name === 'set')).toBe(false)
  })

  test('limits the number of messages and keeps those of people', async () => {
    const { sign } = await load()
    let messages = ['Alice was here', 'Bob too']
    for (let i = 0; i < 500; i++) messages = sign(messages, `Hello from visitor ${i}`)
    expect(messages).toEqual([
      'Alice was here',
      'Bob too',
      ...Array.from({ length: 10 }, (_, i) => `Hello from visitor ${490 + i}`),
    ])
    let crowd = Array.from({ length: 80 }, (_, i) => `person ${i}`)
    crowd = sign(crowd, 'Hello from visitor 1')
    expect(crowd).toHaveLength(50)
    expect(crowd.at(-1)).toBe('Hello from visitor 1')
  })
})
