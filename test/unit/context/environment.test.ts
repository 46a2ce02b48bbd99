import { mkdtempSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadContext } from '../../../scripts/context/context.ts'
import { labEnvironment } from '../../../scripts/context/environment.ts'
import { readLock } from '../../../shared/lock.ts'
import { labPath } from '../../../shared/paths.ts'

const { PATH, LAB_DIR } = process.env
const lock = readLock('')
let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lab-environment-'))
  process.env.LAB_DIR = join(folder, '.lab')
  process.env.PATH = [folder, PATH].join(delimiter)
  for (const name of ['pulumi', 'kind', 'kubectl', 'pulumi-resource-command', 'pulumi-resource-kubernetes'] as const)
    writeFileSync(join(folder, name), `#!/bin/sh\necho v${lock.tools[name].version}\n`, { mode: 0o755 })
})
afterEach(() => {
  process.env.PATH = PATH
  if (LAB_DIR === undefined) delete process.env.LAB_DIR
  else process.env.LAB_DIR = LAB_DIR
  rmSync(folder, { recursive: true, force: true })
})

describe('labEnvironment', () => {
  it('puts the pinned programs first on PATH, and the plugins where Pulumi looks for them', async () => {
    const env = await labEnvironment(lock, 'create')
    expect(env.PATH!.split(delimiter).slice(0, 2)).toEqual([dirname(process.execPath), folder])
    for (const name of ['command', 'kubernetes'] as const) {
      const plugin = `pulumi-resource-${name}` as const
      const version = lock.tools[plugin].version
      expect(readlinkSync(labPath('pulumi', 'plugins', `resource-${name}-v${version}`, plugin))).toBe(
        join(folder, plugin),
      )
    }
  })

  it('sets the kubeconfig of the lab, but with a cluster of the user’s own leaves the user’s', async () => {
    expect((await labEnvironment(lock, 'create')).KUBECONFIG).toBe(labPath('kubeconfig'))
    expect(await labEnvironment(lock, 'existing')).not.toHaveProperty('KUBECONFIG')
  })

  it('creates a passphrase that only its owner can read', async () => {
    const env = await labEnvironment(lock, 'create')
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
