import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { recordPulumi, withLabLock } from '../../../scripts/lab/run-lock.ts'
import { labPath } from '../../../shared/paths.ts'
import { fakePulumi } from '../support/fake-pulumi.ts'
import { newFolder } from '../support/folders.ts'
import { truncatedFiles } from '../support/truncated-files.ts'

beforeEach(() => {
  vi.stubEnv('LAB_DIR', newFolder())
})
afterEach(() => {
  vi.unstubAllEnvs()
})

const lock = (content: object | string): void =>
  writeFileSync(labPath('running.json'), typeof content === 'string' ? content : JSON.stringify(content))
const now = () => new Date().toISOString()
/** Above the highest pid that Linux and macOS give out. */
const noProcess = 2 ** 30
const acquire = () => withLabLock('up', async () => 'acquired', 1)

describe('withLabLock', () => {
  it('lets no second command in while the first is running, and any afterwards', async () => {
    await withLabLock('up', async () => {
      await expect(withLabLock('down', async () => {})).rejects.toMatchObject({
        name: 'LabError',
        found: expect.stringMatching(`^\`lab up\` has been running since .* \\(pid ${process.pid}\\)$`),
        next: expect.stringContaining(`kill -INT ${process.pid}`),
      })
    })
    expect(await withLabLock('down', async () => 'acquired')).toBe('acquired')
  })

  it('releases the lock after a failure', async () => {
    await expect(withLabLock('up', () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(await acquire()).toBe('acquired')
  })

  it('takes the lock of a killed process', async () => {
    lock({ pid: noProcess, action: 'up', since: now() })
    expect(await acquire()).toBe('acquired')
  })

  it('takes the lock of another boot, whose pid a new process has', async () => {
    lock({ pid: process.pid, action: 'up', since: now(), boot: 'another' })
    expect(await acquire()).toBe('acquired')
  })

  it.each([...truncatedFiles, '{"pid": 0, "action": "up", "since": "2026-11-26T10:00:00Z"}'])(
    'takes a lock that says %j',
    async content => {
      lock(content)
      expect(await acquire()).toBe('acquired')
    },
  )

  it('waits for a process that has created the file and not written it yet', async () => {
    lock('')
    setTimeout(() => lock({ pid: process.pid, action: 'down', since: now() }), 20)
    await expect(withLabLock('up', async () => {}, 1000)).rejects.toThrow(/`lab down` has been running/)
  })
})

describe('recordPulumi', () => {
  it('lets the next command interrupt a killed one’s Pulumi, but no other program with its pid', async () => {
    const killed = { pid: noProcess, action: 'up', since: now() }
    const [pulumi, other] = [fakePulumi('up'), fakePulumi('about')]
    lock({ ...killed, started: { pulumi: other.pid, run: randomUUID() } })
    await withLabLock('up', async () => {
      recordPulumi(pulumi.started)
    })
    expect(process.kill(other.pid, 0)).toBe(true)
    lock({ ...killed, started: pulumi.started })
    await withLabLock('down', async () => {})
    expect(await pulumi.exit).toBe('SIGINT')
    other.end()
  })

  it('does not fail when the lock file was damaged meanwhile', async () => {
    await withLabLock('up', async () => {
      lock('{')
      recordPulumi({ pulumi: 1, run: randomUUID() })
    })
  })
})
