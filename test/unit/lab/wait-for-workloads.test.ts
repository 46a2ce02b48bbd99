import { afterEach, beforeEach, expect, it } from 'vitest'
import { waitForWorkloads, watchWorkloads } from '../../../scripts/lab/wait-for-workloads.ts'
import { parseSettings } from '../../../shared/settings/parser.ts'
import { type FakePrograms, fakePrograms } from '../support/fake-programs.ts'

let programs: FakePrograms
beforeEach(() => {
  programs = fakePrograms()
})
afterEach(() => programs.restore())

const access = () => ({
  settings: parseSettings({ cluster: { mode: 'existing', context: 'mine' } }),
  env: programs.env,
})

it('waits until the pods of every workload are ready', async () => {
  programs.workloads({ name: 'loki' }, { name: 'tetragon', ready: 0 })
  const reports: number[] = []
  const waiting = waitForWorkloads(access(), list => reports.push(list.reduce((sum, { ready }) => sum + ready, 0)), {
    intervalMs: 1,
  })
  await expect.poll(() => reports.length, { timeout: 15_000 }).toBeGreaterThan(1)
  programs.workloads({ name: 'loki' }, { name: 'tetragon' })
  expect(await waiting).toMatchObject([{ name: 'loki' }, { name: 'tetragon' }])
  expect(new Set(reports)).toEqual(new Set([1, 2]))
})

it('names the workload that is not ready in time, and states the time that has passed', async () => {
  programs.workloads({ name: 'tetragon', ready: 0 })
  await expect(waitForWorkloads(access(), () => {}, { timeoutMs: 0 })).rejects.toMatchObject({
    found: expect.stringMatching(/^Waited \d+ s for the pods: tetragon is not ready$/),
  })
})

it('goes on while the cluster does not respond, and fails with its message when time runs out', async () => {
  programs.fail('get deployments', 'The connection to the server was refused')
  await expect(waitForWorkloads(access(), () => {}, { timeoutMs: 0 })).rejects.toMatchObject({
    found: expect.stringContaining('refused'),
  })
  const waiting = waitForWorkloads(access(), () => {}, { intervalMs: 1 })
  programs.remove('fail')
  programs.workloads({ name: 'loki' })
  expect(await waiting).toMatchObject([{ name: 'loki' }])
})

it('reports the workloads while Pulumi runs, and stops when told to', async () => {
  programs.workloads({ name: 'loki', ready: 0 })
  const done = new AbortController()
  const names: string[] = []
  const watching = watchWorkloads(access(), list => names.push(...list.map(({ name }) => name)), {
    signal: done.signal,
    intervalMs: 1,
  })
  await expect.poll(() => names, { timeout: 15_000 }).toContain('loki')
  done.abort()
  await watching
  const reported = names.length
  programs.workloads({ name: 'grafana' })
  expect(names).toHaveLength(reported)
})
