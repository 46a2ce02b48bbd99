import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { createMetricsServer, readOptions } from '../../../../../stacks/monitoring/replay/main.ts'
import { entryPoint, readProgram, readRecordingFiles } from '../../../../../stacks/monitoring/replay-files.ts'
import {
  countEvents,
  parseExposition,
  recordedCounts,
  recordedEvents,
  writtenLines,
} from '../../../../unit/stacks/monitoring/replay/recorded.ts'

describe('options', () => {
  test('default to those of Tetragon', () => {
    expect(readOptions({})).toMatchObject({
      exportFile: { path: '/var/log/tetragon/tetragon.log', mode: 0o600, maxBytes: 10 * 1024 ** 2, maxBackups: 5 },
      eventsPerSecond: 12,
      metricsPort: 2112,
    })
  })

  test.each([
    ['EVENTS_PER_SECOND', 'fast'],
    ['METRICS_PORT', '70000'],
    ['EXPORT_FILE_PERM', 'rw'],
    ['EXPORT_FILE_MAX_SIZE_MB', '0'],
    ['EXPORT_FILE_MAX_BACKUPS', 'all'],
  ])('reject %s=%s and name the variable', (name, value) => {
    expect(() => readOptions({ [name]: value })).toThrow(new RegExp(`^${name} must be .+, not "${value}"$`))
  })
})

describe('the metrics server', () => {
  async function start(): Promise<string> {
    const server = createMetricsServer(() => 'up 1\n').listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  test('serves metrics in the Prometheus text format', async () => {
    const response = await fetch(`${await start()}/metrics`)
    expect(response.headers.get('content-type')).toContain('text/plain; version=0.0.4')
    expect(await response.text()).toBe('up 1\n')
  })

  test.each([
    ['GET', '/healthz', 200],
    ['GET', '/unknown', 404],
    ['POST', '/metrics', 405],
  ])('answers %s %s with %d', async (method, path, status) => {
    expect((await fetch((await start()) + path, { method })).status).toBe(status)
  })
})

describe('the program, mounted from a ConfigMap', () => {
  let folder = ''
  let child: ChildProcess | undefined
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'replay-'))
  })
  afterEach(() => {
    child?.kill('SIGKILL')
    rmSync(folder, { recursive: true })
  })

  /** Lays files out as the kubelet does: each is a symbolic link into the folder of the current version. */
  function mount(files: Record<string, string | Buffer>): string {
    const path = join(folder, 'replay')
    mkdirSync(join(path, '..2026_11_29'), { recursive: true })
    symlinkSync('..2026_11_29', join(path, '..data'))
    for (const [name, content] of Object.entries(files)) {
      writeFileSync(join(path, '..data', name), content)
      symlinkSync(join('..data', name), join(path, name))
    }
    return path
  }

  function start(path: string): { child: ChildProcess; output: () => string } {
    const exportFile = join(folder, 'log', 'tetragon.log')
    child = spawn(process.execPath, [join(path, entryPoint)], {
      env: { RECORDING_DIR: path, EXPORT_FILE: exportFile, EVENTS_PER_SECOND: '1000', METRICS_PORT: '0' },
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', chunk => (output += chunk))
    return { child, output: () => output }
  }

  test('writes events, serves metrics, and saves its state when it is terminated', async () => {
    const recording = Object.entries(readRecordingFiles()).map(([name, base64]) => [
      name,
      Buffer.from(base64, 'base64'),
    ])
    const { child, output } = start(mount({ ...readProgram(), ...Object.fromEntries(recording) }))
    const port = await vi.waitFor(() => /metrics on :(\d+)/.exec(output())![1], { timeout: 10_000 })
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    expect(parseExposition(metrics).faults).toEqual([])
    child.kill('SIGTERM')
    expect(await once(child, 'exit')).toEqual([0, null])
    expect(output()).toMatch(/^replay: 1107 events in 1\.1 s .*\n$/)
    const lines = writtenLines(join(folder, 'log'))
    expect(countEvents(lines.slice(0, recordedEvents.length))).toEqual(recordedCounts)
    const state = JSON.parse(readFileSync(join(folder, 'log', 'replay-state.json'), 'utf8'))
    expect(state).toMatchObject({ written: lines.length })
  })

  test('exits with 1 and one line when the recording is missing', async () => {
    const { child, output } = start(mount(readProgram()))
    expect(await once(child, 'close')).toEqual([1, null])
    expect(output()).toMatch(/^replay: ENOENT.*tetragon\.log\.zst.*\n$/)
  })
})
