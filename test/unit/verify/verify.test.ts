import { expect, it } from 'vitest'
import { runAreas } from '../../../scripts/verify/verify.ts'
import { checksOf, eachCheck } from '../../../scripts/verify/verify-check.ts'
import { LabError } from '../../../shared/lab-error.ts'

const { ok } = checksOf('pods')
const silent = new LabError({ found: 'fetch failed', next: './lab status' })
const once = { timeoutMs: 0, intervalMs: 1 }

it('checks at most 3 areas at once', async () => {
  let running = 0
  let most = 0
  const waiting: (() => void)[] = []
  const areas = Array.from({ length: 8 }, (_, index) => {
    const make = async () => {
      running++
      most = Math.max(most, running)
      await new Promise<void>(resolve => waiting.push(resolve))
      running--
      return ok(`check ${index}`, 'fine')
    }
    return ['pods', make] as const
  })
  const done = runAreas(areas, once)
  for (let ended = 0; ended < 8; ) {
    await expect.poll(() => waiting.length).toBeGreaterThan(0)
    for (const resolve of waiting.splice(0)) {
      resolve()
      ended++
    }
  }
  expect((await done).map(({ title }) => title)).toEqual(areas.map((_, index) => `check ${index}`))
  expect(most).toBe(3)
})

it('asks an area again that does not respond, and fails it alone when it never does', async () => {
  let requests = 0
  const later = async () => {
    if (++requests < 3) throw silent
    return ok('later', 'fine')
  }
  const never = async () => Promise.reject(silent)
  const other = () => ok('other', 'fine')
  expect(await runAreas([['pods', later]], { timeoutMs: 10_000, intervalMs: 1 })).toMatchObject([{ result: 'ok' }])
  const checks = await runAreas(
    [
      ['targets', never],
      ['pods', other],
    ],
    once,
  )
  expect(checks).toMatchObject([
    { area: 'targets', title: 'targets', result: 'fail', found: 'fetch failed', next: './lab status' },
    { title: 'other', result: 'ok' },
  ])
})

it('reports the other checks of an area when one cannot be made', async () => {
  const checks = await eachCheck('agent', [
    ['first', () => [ok('a', 'fine'), ok('b', 'fine')]],
    ['second', async () => Promise.reject(silent)],
    ['third', async () => ok('c', 'fine')],
  ])
  expect(checks.map(({ title, result }) => `${title} ${result}`)).toEqual(['a ok', 'b ok', 'second fail', 'c ok'])
})

it('does not take a bug for a failed check', async () => {
  await expect(runAreas([['pods', async () => Promise.reject(new TypeError('bug'))]], once)).rejects.toThrow('bug')
})
