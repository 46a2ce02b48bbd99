import { existsSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { loadContext, loadRunningLab } from '../../../scripts/context/context.ts'
import { allPrograms, labEnvironment } from '../../../scripts/context/environment.ts'
import { readLock } from '../../../shared/lock.ts'
import { labPath } from '../../../shared/paths.ts'
import { newFolder } from '../support/folders.ts'

const lock = readLock('')
let folder: string

beforeEach(() => {
  folder = newFolder()
  vi.stubEnv('LAB_DIR', join(folder, '.lab'))
  vi.stubEnv('PATH', [folder, process.env.PATH].join(delimiter))
  for (const name of ['pulumi', 'kind', 'kubectl', 'pulumi-resource-command', 'pulumi-resource-kubernetes'] as const)
    writeFileSync(join(folder, name), `#!/bin/sh\necho v${lock.tools[name].version}\n`, { mode: 0o755 })
})
afterEach(() => {
  vi.unstubAllEnvs()
})

describe('labEnvironment', () => {
  it('puts the pinned programs first on PATH, and the plugins where Pulumi looks for them', async () => {
    const env = await labEnvironment(lock)
    expect(env.PATH!.split(delimiter).slice(0, 2)).toEqual([dirname(process.execPath), folder])
    for (const name of ['command', 'kubernetes'] as const) {
      const plugin = `pulumi-resource-${name}` as const
      const version = lock.tools[plugin].version
      expect(readlinkSync(labPath('pulumi', 'plugins', `resource-${name}-v${version}`, plugin))).toBe(
        join(folder, plugin),
      )
    }
  })

  it('downloads only the programs that the caller uses', async () => {
    for (const name of ['pulumi', 'kind', 'pulumi-resource-command', 'pulumi-resource-kubernetes'])
      rmSync(join(folder, name))
    // A download would fail, because the lock has no such address.
    const offline = structuredClone(lock)
    for (const name of allPrograms) offline.tools[name].url = 'https://lab.invalid/{os}'
    const { PATH: path } = await labEnvironment(offline, ['kubectl'])
    expect(path!.split(delimiter)).toContain(folder)
    expect(existsSync(labPath('passphrase'))).toBe(false)
  })

  it('creates a passphrase that only its owner can read', async () => {
    const env = await labEnvironment(lock)
    expect(statSync(env.PULUMI_CONFIG_PASSPHRASE_FILE!).mode & 0o777).toBe(0o600)
  })
})

describe('loadContext', () => {
  it('leaves the environment of this process as it is', async () => {
    const before = { ...process.env }
    const { env } = await loadContext()
    expect(process.env).toEqual(before)
    expect(env.KIND_EXPERIMENTAL_PROVIDER).toBe('docker')
  })
})

describe('loadRunningLab', () => {
  it('downloads nothing when no lab is running', async () => {
    process.env.PATH = dirname(process.execPath)
    await expect(loadRunningLab()).rejects.toMatchObject({ found: 'No lab is running', next: './lab up' })
  })
})
