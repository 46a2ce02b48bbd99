import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { newCheckout, type Publishers, startPublishers } from '../pins/fake-publishers.ts'
import { newFolder } from '../support/folders.ts'
import { runLab } from '../support/run-lab.ts'

let publishers: Publishers
let lockFile: string
let current: string

beforeAll(async () => {
  publishers = await startPublishers()
})
afterAll(async () => {
  delete process.env.LAB_DIR
  await publishers.stop()
})
beforeEach(async () => {
  process.env.LAB_DIR = newFolder()
  const { folder, lock } = newCheckout(publishers)
  lockFile = join(folder, 'lab.lock.yaml')
  current = lock.charts.grafana.version
  await publishers.addCharts('grafana', { '99.1.0': {}, [current]: {} })
})

const pins = (...words: string[]) => runLab('--lock', lockFile, 'pins', ...words)

test('lab pins outdated shows what is newer, and how to update it', async () => {
  const { stdout, stderr, exitCode } = await pins('outdated', 'charts.grafana', 'tools.kubectl')
  expect(exitCode).toBe(0)
  expect(stdout).toContain('charts.grafana')
  expect(stdout).toContain('99.1.0')
  expect(stdout).toContain('1 of 1 pins have a newer version.')
  expect(stderr).toBe('To update one: ./lab pins update charts.grafana\n')
})

test('lab pins outdated --json prints every pin, and exits with 1 when a publisher does not respond', async () => {
  const { stdout, exitCode } = await pins('outdated', 'charts.grafana', 'images.k6', '--json')
  expect(exitCode).toBe(1)
  expect(JSON.parse(stdout)).toEqual([
    { pin: 'charts.grafana', current, newest: '99.1.0', change: 'major' },
    { pin: 'images.k6', current: expect.any(String), problem: expect.stringContaining('answered 404') },
  ])
})

test('lab pins update changes the lock file that has the pin, once', async () => {
  const first = await pins('update', 'charts.grafana')
  expect(first).toMatchObject({ exitCode: 0, stderr: '' })
  expect(first.stdout).toContain(`charts.grafana  ${current} → 99.1.0`)
  expect(first.stdout).toContain(`Changed:\n  ${lockFile}\n`)
  expect(readFileSync(lockFile, 'utf8')).toContain(`url: ${publishers.base}/charts/grafana-99.1.0.tgz`)
  expect((await pins('update', 'charts.grafana')).stdout).toBe('charts.grafana 99.1.0 is up to date.\n')
})

test('lab pins update --dry-run changes nothing', async () => {
  const before = readFileSync(lockFile, 'utf8')
  const { stdout } = await pins('update', 'charts.grafana', '--dry-run', '--json')
  expect(JSON.parse(stdout)).toEqual({
    moves: [{ pin: 'charts.grafana', from: current, to: '99.1.0' }],
    files: [lockFile],
    next: ['./lab test'],
  })
  expect(readFileSync(lockFile, 'utf8')).toBe(before)
})
