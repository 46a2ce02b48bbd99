import { utimesSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import {
  clearState,
  hasPendingOperations,
  isLocked,
  lockHolders,
  removeLocks,
  repairStore,
  stackExists,
  stateDigest,
  stateHasNode,
  stateProblem,
  stateResources,
} from '../../../scripts/pulumi/state.ts'
import { labPath } from '../../../shared/paths.ts'
import { newFolder } from '../support/folders.ts'
import { truncatedFiles } from '../support/truncated-files.ts'

beforeEach(() => {
  vi.stubEnv('LAB_DIR', newFolder())
})
afterEach(() => {
  vi.unstubAllEnvs()
})

const write = (path: string, content: string): void => writeFileSync(labPath(...path.split('/')), content)
const stateFile = 'state/.pulumi/stacks/tetragon-lab/dev.json'
const lockFile = 'state/.pulumi/locks/organization/tetragon-lab/dev/x.json'
const checkpoint = (latest: unknown): string => JSON.stringify({ version: 3, checkpoint: { stack: 'dev', latest } })
const node = {
  urn: 'urn:pulumi:dev::tetragon-lab::lab:cluster:Cluster$command:local:Command::cluster-node',
  type: 'command:local:Command',
}
// The pinned Pulumi wrote this salt, with the passphrase x.
const salt = 'v1:2r4DnGOZc2g=:v1:rnz52nM10+eYcftI:z/JeLSY1bUKuPPJlgJLYheu3traoNg=='
const encrypted = checkpoint({
  secrets_providers: { type: 'passphrase', state: { salt } },
  resources: [{ urn: 'a::b', type: 'c' }],
})

it('is empty before the first `lab up`', () => {
  expect(stackExists()).toBe(false)
  expect(stateResources()).toEqual([])
  expect(hasPendingOperations()).toBe(false)
  expect(isLocked()).toBe(false)
  expect(stateDigest()).toBe('')
  expect(stateProblem()).toBeUndefined()
})

it('loses its resources and pending operations when it is cleared', () => {
  write(stateFile, checkpoint({ resources: [node], pending_operations: [{ type: 'creating' }] }))
  expect([stateHasNode(), hasPendingOperations()]).toEqual([true, true])
  const digest = stateDigest()
  clearState()
  expect([stackExists(), stateHasNode(), hasPendingOperations()]).toEqual([true, false, false])
  expect(stateDigest()).not.toBe(digest)
})

it('loses the lock of a killed update', () => {
  write(lockFile, '{"pid": 12}')
  expect([isLocked(), lockHolders()]).toEqual([true, [12]])
  removeLocks()
  expect([isLocked(), lockHolders()]).toEqual([false, []])
})

it('has no lock holder when the lock file was truncated', () => {
  write(lockFile, '{"pid": 12')
  expect([isLocked(), lockHolders()]).toEqual([true, []])
})

it.each([...truncatedFiles, encrypted.slice(0, -30), checkpoint({ resources: [1] })])(
  'is damaged when it says %j',
  content => {
    write(stateFile, content)
    expect([stateProblem(), stateResources()]).toEqual(['is damaged', []])
  },
)

it('is usable as long as the passphrase fits', () => {
  write(stateFile, encrypted)
  const later = Date.now() / 1000 + 10
  for (const [passphrase, problem] of [
    ['x', undefined],
    ['y', 'is encrypted with a passphrase that is lost'],
  ] as const) {
    write('passphrase', `${passphrase}\n`)
    utimesSync(labPath('passphrase'), later, later)
    expect(stateProblem()).toBe(problem)
  }
})

it('loses damaged files beside it, and no others', () => {
  write(stateFile, encrypted)
  expect(repairStore()).toBe(false)
  write('state/.pulumi/meta.yaml', 'version: 1\n')
  write(`${stateFile}.attrs`, '{"user.cache_control":""}')
  expect(repairStore()).toBe(false)
  write('state/.pulumi/meta.yaml', '')
  write(`${stateFile}.attrs`, '{')
  expect([repairStore(), repairStore()]).toEqual([true, false])
})
