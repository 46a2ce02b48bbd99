import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { notePulumi, withLabLock } from '../../../scripts/lab/run-lock.ts'
import { partOf, UpProgress } from '../../../scripts/lab/up-progress.ts'
import { inputsDigest, sinceLastUp } from '../../../scripts/lab/up-to-date.ts'
import { endRun, processesOf, runVariable } from '../../../scripts/pulumi/processes.ts'
import { requireNoOtherUpdate } from '../../../scripts/pulumi/repair.ts'
import { explainFailure } from '../../../scripts/pulumi/run.ts'
import {
  breakLock,
  forgetState,
  hasPendingOperations,
  isLocked,
  lockHolders,
  stackExists,
  stateDigest,
  stateHasNode,
  stateResources,
} from '../../../scripts/pulumi/state.ts'
import { LabError } from '../../../shared/lab-error.ts'
import { readLock } from '../../../shared/lock.ts'
import { labPath } from '../../../shared/paths.ts'
import { rememberedSecret } from '../../../shared/secrets.ts'
import { parseSettings } from '../../../shared/settings/schema.ts'

let before: string | undefined
beforeEach(() => {
  before = process.env.LAB_DIR
  process.env.LAB_DIR = mkdtempSync(join(tmpdir(), 'lab-'))
})
afterEach(() => {
  rmSync(process.env.LAB_DIR!, { recursive: true, force: true })
  if (before === undefined) delete process.env.LAB_DIR
  else process.env.LAB_DIR = before
})

describe('alone', () => {
  it('lets nobody else in meanwhile, and everybody afterwards', async () => {
    await withLabLock('up', async () => {
      const refused = await withLabLock('down', async () => 'in').catch((error: unknown) => error)
      expect(refused).toBeInstanceOf(LabError)
      expect((refused as LabError).found).toContain(`process ${process.pid}`)
    })
    expect(await withLabLock('down', async () => 'in')).toBe('in')
  })

  it('does not wait for one that was killed', async () => {
    // No process has this number: it is above what Linux and macOS give out.
    writeFileSync(
      labPath('running.json'),
      JSON.stringify({ pid: 2 ** 30, action: 'up', since: new Date().toISOString() }),
    )
    expect(await withLabLock('up', async () => 'in')).toBe('in')
  })

  /** A program that is called as Pulumi is, and does nothing for a minute. A fake. */
  const fakePulumi = (action: string, source = 'setTimeout(() => {}, 60_000)') => {
    const folder = mkdtempSync(join(process.env.LAB_DIR!, 'fake-pulumi-'))
    symlinkSync(process.execPath, join(folder, 'pulumi'))
    writeFileSync(join(folder, action), source)
    const run = randomUUID()
    const env = { ...process.env, [runVariable]: run }
    const fake = spawn(join(folder, 'pulumi'), [action], { cwd: folder, detached: true, stdio: 'ignore', env })
    return {
      started: { pulumi: fake.pid!, run },
      pid: fake.pid!,
      ended: once(fake, 'exit').then(([, signal]) => signal),
      end: () => fake.kill(),
    }
  }

  it('ends the Pulumi of one that was killed, and no other program that has its number by now', async () => {
    const killed = { pid: 2 ** 30, action: 'up', since: new Date().toISOString() }
    const [pulumi, other] = [fakePulumi('up'), fakePulumi('about')]
    writeFileSync(
      labPath('running.json'),
      JSON.stringify({ ...killed, started: { pulumi: other.pid, run: randomUUID() } }),
    )
    await withLabLock('up', async () => notePulumi(pulumi.started))
    process.kill(other.pid, 0)
    writeFileSync(labPath('running.json'), JSON.stringify({ ...killed, started: pulumi.started }))
    await withLabLock('down', async () => {})
    expect(await pulumi.ended).toBe('SIGINT')
    other.end()
  })

  it.each([
    { left: 'that it leaves behind', kill: undefined },
    { left: 'that has outlived it', kill: 'SIGKILL' as const },
  ])('ends what that Pulumi has started as well, also in a group of its own and $left', async ({ kill }) => {
    const ready = labPath('ready')
    const source = `
      const { spawn } = require('node:child_process')
      spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)'], { detached: true, stdio: 'ignore' })
      require('node:fs').writeFileSync(${JSON.stringify(ready)}, '')
      setTimeout(() => {}, 60000)`
    const pulumi = fakePulumi('up', source)
    await expect.poll(() => existsSync(ready)).toBe(true)
    expect(await processesOf(pulumi.started.run)).toHaveLength(2)
    if (kill) {
      process.kill(pulumi.pid, kill)
      await pulumi.ended
      expect(await processesOf(pulumi.started.run)).toHaveLength(1)
    }
    await endRun(pulumi.started)
    expect(await pulumi.ended).toBe(kill ?? 'SIGINT')
    expect(await processesOf(pulumi.started.run)).toEqual([])
  })

  it('refuses to work beside a Pulumi that was started by hand', async () => {
    const pulumi = fakePulumi('up')
    const lock = labPath('state', '.pulumi', 'locks', 'organization', 'tetragon-lab', 'dev', 'x.json')
    writeFileSync(lock, JSON.stringify({ pid: pulumi.pid }))
    await expect(requireNoOtherUpdate()).rejects.toThrow(`process ${pulumi.pid}`)
    pulumi.end()
    await pulumi.ended
    await requireNoOtherUpdate()
    writeFileSync(lock, '{"pid": 12')
    expect(lockHolders()).toEqual([])
    await requireNoOtherUpdate()
  })

  it('opens again after a failure', async () => {
    await expect(withLabLock('up', () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(await withLabLock('up', async () => 'in')).toBe('in')
  })
})

describe('the state', () => {
  const write = (latest: unknown) => {
    const file = labPath('state', '.pulumi', 'stacks', 'tetragon-lab', 'dev.json')
    writeFileSync(file, JSON.stringify({ version: 3, checkpoint: { stack: 'dev', latest } }))
  }
  const node = {
    urn: 'urn:pulumi:dev::tetragon-lab::lab:cluster:Cluster$command:local:Command::cluster-node',
    type: 'command:local:Command',
  }

  it('of a lab that never was is empty', () => {
    expect([stackExists(), stateResources(), hasPendingOperations(), isLocked(), stateDigest()]).toEqual([
      false,
      [],
      false,
      false,
      '',
    ])
  })

  it('knows its node and what was cut off, and forgets both', () => {
    write({ resources: [node], pending_operations: [{ type: 'creating' }] })
    expect([stateHasNode(), hasPendingOperations()]).toEqual([true, true])
    const digest = stateDigest()
    forgetState()
    expect([stackExists(), stateHasNode(), hasPendingOperations()]).toEqual([true, false, false])
    expect(stateDigest()).not.toBe(digest)
  })

  it('that an update was killed in is unlocked', () => {
    writeFileSync(labPath('state', '.pulumi', 'locks', 'organization', 'tetragon-lab', 'dev', 'x.json'), '{}')
    expect(isLocked()).toBe(true)
    breakLock()
    expect(isLocked()).toBe(false)
  })
})

describe('what failed', () => {
  it('is the lab’s own error where one of its programs printed one', () => {
    const own = new LabError({ found: 'loki cannot be pulled', expected: 'a network', next: './lab up' })
    const error = explainFailure(
      'up',
      ['update failed', `exit status 1: running "node"\n${own.lines().join('\n')}`],
      '',
      'up.log',
    )
    expect(error).toMatchObject({ found: 'loki cannot be pulled', next: './lab up' })
  })

  it('is else the first that says something, in one line', () => {
    const error = explainFailure(
      'up',
      ['update failed', 'Helm release "loki" failed:\ntimed out waiting'],
      '',
      'up.log',
    )
    expect(error.found).toBe('pulumi up failed: Helm release "loki" failed: timed out waiting')
    expect(error.next).toContain('up.log')
  })
})

describe('progress', () => {
  const urn = (type: string, name: string) => `urn:pulumi:dev::tetragon-lab::${type}::${name}`
  it('tells by the component which part a resource is of', () => {
    expect(partOf(urn('lab:monitoring:Loki$kubernetes:helm.sh/v3:Release', 'loki'))).toBe('lab:monitoring:Loki')
    expect(partOf(urn('lab:monitoring:Tetragon$lab:monitoring:Replay$kubernetes:apps/v1:DaemonSet', 'replay'))).toBe(
      'lab:monitoring:Tetragon',
    )
    expect(partOf(urn('kubernetes:core/v1:Namespace', 'monitoring'))).toBeUndefined()
  })

  it('ends a part when its resources are made, and the rest at the end', async () => {
    const progress = new UpProgress()
    // A fake of what shows a task: it keeps what it is told.
    const fake = () => ({
      output: '',
      skipped: false,
      skip() {
        this.skipped = true
      },
    })
    const shown = progress.tasks().map(({ title, task }) => {
      const wrapper = fake()
      return { title, wrapper, done: task({}, wrapper as never) }
    })
    const loki = shown.find(part => part.title === 'Loki')!
    const metadata = {
      op: 'create',
      type: 'kubernetes:helm.sh/v3:Release',
      urn: urn('lab:monitoring:Loki$kubernetes:helm.sh/v3:Release', 'loki'),
    }
    progress.on({ resourcePreEvent: { metadata } })
    progress.on({ diagnosticEvent: { urn: metadata.urn, severity: 'info', message: 'waiting\nfor pods' } })
    expect(loki.wrapper.output).toBe('for pods')
    progress.on({ resOutputsEvent: { metadata } })
    await loki.done
    progress.close(false)
    await Promise.all(shown.map(part => part.done))
    expect(loki.wrapper.skipped).toBe(false)
    expect(shown.find(part => part.title === 'Prometheus')!.wrapper.skipped).toBe(true)
  })
})

describe('progress of a run that fails', () => {
  it('marks the part that was refused, and calls nothing done that was not', async () => {
    const progress = new UpProgress()
    const skipped: string[] = []
    const parts = new Map(
      progress.tasks().map(({ title, task }) => {
        const wrapper = { output: '', skip: () => void skipped.push(title) }
        return [
          title,
          task({}, wrapper as never).then(
            () => 'done',
            () => 'failed',
          ),
        ] as const
      }),
    )
    const urn = (part: string, name: string) => `urn:pulumi:dev::tetragon-lab::lab:monitoring:${part}$x:y:Z::${name}`
    const begin = (part: string) => ({ metadata: { op: 'create', type: 'x:y:Z', urn: urn(part, 'thing') } })
    for (const part of ['Loki', 'Grafana']) progress.on({ resourcePreEvent: begin(part) })
    progress.on({ resOutputsEvent: begin('Grafana') })
    progress.on({ diagnosticEvent: { urn: urn('Loki', 'loki'), severity: 'error', message: 'no such chart' } })
    progress.close(true)
    expect(await parts.get('Loki')).toBe('failed')
    expect(await parts.get('Grafana and dashboards')).toBe('done')
    expect(skipped).toContain('Grafana and dashboards')
  })
})

describe('an up with nothing to do', () => {
  it('is one whose inputs are the same to the byte', () => {
    const lock = readLock('')
    const digest = inputsDigest(parseSettings({}), lock, 'replay')
    expect(inputsDigest(parseSettings({}), lock, 'replay')).toBe(digest)
    expect(inputsDigest(parseSettings({}), lock, 'live')).not.toBe(digest)
    expect(inputsDigest(parseSettings({ traffic: { rate: 6 } }), lock, 'replay')).not.toBe(digest)
  })

  it('is never the first', async () => {
    expect(await sinceLastUp('anything')).toEqual({ is: 'changed', broken: [] })
  })
})

describe('a remembered secret', () => {
  it('is made once, for its owner alone', () => {
    const secret = rememberedSecret('passphrase')
    expect(secret).toMatch(/^[\w-]{24}$/)
    expect(rememberedSecret('passphrase')).toBe(secret)
    expect(readFileSync(labPath('passphrase'), 'utf8')).toBe(`${secret}\n`)
  })
})
