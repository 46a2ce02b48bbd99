import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { withLabLock } from '../../../scripts/lab/run-lock.ts'
import { removeState, stackExists } from '../../../scripts/pulumi/state.ts'
import { kubeconfigFile } from '../../../shared/kubeconfig.ts'
import { LabError } from '../../../shared/lab-error.ts'
import { labDir, labPath } from '../../../shared/paths.ts'
import { storedSecret } from '../../../shared/secrets.ts'
import { labId, selectStack, stackDir, stackPath } from '../../../shared/stack.ts'
import { newFolder } from '../support/folders.ts'

beforeEach(() => {
  vi.stubEnv('LAB_DIR', newFolder())
  vi.stubEnv('LAB_STACK', undefined)
})
afterEach(() => {
  vi.unstubAllEnvs()
})

/** Creates a stack as Pulumi's file store does. */
function createState(stack: string): void {
  selectStack(stack)
  writeFileSync(stackPath('state', '.pulumi', 'stacks', 'tetragon-lab', `${stack}.json`), '{}')
  storedSecret('passphrase')
}

describe('the stack dev', () => {
  it('is used where no other is named, and has its files in .lab itself', () => {
    expect(stackDir()).toBe(labDir())
    expect(kubeconfigFile()).toBe(join(labDir(), 'kubeconfig'))
    selectStack('dev')
    expect(stackDir()).toBe(labDir())
  })
})

describe('two stacks', () => {
  it('have their own kubeconfig, passphrase and id, and share downloads', () => {
    const dev = [kubeconfigFile(), storedSecret('passphrase'), labId(), labPath('charts', 'x')]
    selectStack('production')
    const production = [kubeconfigFile(), storedSecret('passphrase'), labId(), labPath('charts', 'x')]
    expect(production[0]).toBe(join(labDir(), 'stacks', 'production', 'kubeconfig'))
    expect(dev.map((value, index) => value === production[index])).toEqual([false, false, false, true])
  })

  it('can run `up` at the same time, but each of them only once', async () => {
    await withLabLock('up', async () => {
      selectStack('production')
      await withLabLock('up', async () => {
        await expect(withLabLock('down', async () => {})).rejects.toThrow('has been running since')
      })
    })
  })

  it('keep the state of the other when one is removed', () => {
    createState('production')
    createState('dev')
    removeState()
    expect(stackExists()).toBe(false)
    selectStack('production')
    expect(stackExists()).toBe(true)
    expect(existsSync(stackPath('passphrase'))).toBe(true)
  })
})

describe('the fix of an error', () => {
  const fix = () =>
    new LabError({
      found: 'x',
      next: './lab up && ./lab pulumi config set --path a 1',
    })

  it('names the stack, so that it changes no other', () => {
    expect(fix().next).toBe('./lab up && ./lab pulumi config set --path a 1')
    selectStack('production')
    const expected = './lab --stack production up && ./lab --stack production pulumi config set --path a 1'
    expect(fix().next).toBe(expected)
    expect(LabError.parse(fix().message)?.next).toBe(expected)
  })
})
