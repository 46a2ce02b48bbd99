import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { configNamespace } from '../../shared/settings/config-commands.ts'
import { stackName, stackPath } from '../../shared/stack.ts'
import { readStateFile, writeStateFile } from '../../shared/state-file.ts'
import { stateDir } from '../context/environment.ts'
import { passphraseFits, removeSalt } from './salt.ts'

// Reads and repairs the stack's state as Pulumi's file backend stores it. Starting `pulumi` takes a second each time.

const resourceSchema = z.looseObject({
  urn: z.string(),
  type: z.string(),
  inputs: z.record(z.string(), z.unknown()).optional(),
  outputs: z.record(z.string(), z.unknown()).optional(),
})

/** A resource in the state. */
export type StateResource = z.infer<typeof resourceSchema>

/** The fields of a checkpoint that the lab uses. All others are kept as they are. */
const checkpointSchema = z.looseObject({
  version: z.int().min(1),
  checkpoint: z.looseObject({
    latest: z
      .looseObject({
        resources: z.array(resourceSchema).optional(),
        pending_operations: z.array(z.unknown()).optional(),
        secrets_providers: z
          .looseObject({ state: z.looseObject({ salt: z.string().optional() }).optional() })
          .optional(),
      })
      .optional(),
  }),
})

const storeDir = (): string => join(stateDir(), '.pulumi')
const stackFile = (): string => join(storeDir(), 'stacks', configNamespace, `${stackName()}.json`)
const lockDir = (): string => join(storeDir(), 'locks')

/** Returns whether the stack exists. */
export const stackExists = (): boolean => existsSync(stackFile())

const readCheckpoint = () => readStateFile(stackFile(), checkpointSchema)

const latest = () => readCheckpoint()?.checkpoint.latest

/** Returns the resources in the state; none when the state is damaged. */
export const stateResources = (): StateResource[] => latest()?.resources ?? []

/** Returns why the state is unusable, as in "is damaged"; undefined when it is usable, or there is none. */
export function stateProblem(): string | undefined {
  if (!stackExists()) return undefined
  const state = readCheckpoint()
  if (!state) return 'is damaged'
  const salt = state.checkpoint.latest?.secrets_providers?.state?.salt
  const passphrase = stackPath('passphrase')
  // A passphrase is older than the state that it encrypts. Only a newer one is tried: that takes a third of a second.
  const newer = existsSync(passphrase) && statSync(passphrase).mtimeMs > statSync(stackFile()).mtimeMs
  return salt && newer && !passphraseFits(readFileSync(passphrase, 'utf8').trim(), salt)
    ? 'is encrypted with a passphrase that is lost'
    : undefined
}

/** Deletes an unusable state. The passphrase stays, for the next state. */
export const deleteState = (): void => rmSync(storeDir(), { recursive: true, force: true })

/**
 * Deletes damaged files beside the state, with which Pulumi would refuse to read it.
 * @returns whether there were any.
 */
export function repairStore(): boolean {
  if (!stackExists()) return false
  const meta = join(storeDir(), 'meta.yaml')
  const damaged: string[] = []
  if (existsSync(meta) && !/^version: \d+$/m.test(readFileSync(meta, 'utf8'))) damaged.push(meta)
  // The file store keeps a file's attributes beside it.
  const attributes = `${stackFile()}.attrs`
  if (existsSync(attributes) && !readStateFile(attributes, z.looseObject({}))) damaged.push(attributes)
  // Pulumi needs neither.
  for (const file of damaged) rmSync(file)
  return damaged.length > 0
}

/** Returns a digest of the state, which changes with every update; empty when there is none. */
export const stateDigest = (): string =>
  stackExists() ? createHash('sha256').update(readFileSync(stackFile())).digest('hex') : ''

const node = (): StateResource | undefined => stateResources().find(({ urn }) => urn.endsWith('::cluster-node'))

/** Returns whether the state contains the cluster's node. */
export const stateHasNode = (): boolean => node() !== undefined

/** Returns the digest of what the node in the state was created from, as `nodeDigest` makes it. */
export const nodeDigestInState = (): unknown => (node()?.inputs?.triggers as unknown[] | undefined)?.[0]

/** Returns whether an update was interrupted in the middle of an operation. */
export const hasPendingOperations = (): boolean => (latest()?.pending_operations?.length ?? 0) > 0

const lockFiles = (): string[] =>
  existsSync(lockDir())
    ? readdirSync(lockDir(), { recursive: true, encoding: 'utf8' })
        .filter(file => file.endsWith('.json'))
        .map(file => join(lockDir(), file))
    : []

/** Returns whether an update has locked the state. It may have been killed since. */
export const isLocked = (): boolean => lockFiles().length > 0

/** Returns the ids of the processes that have locked the state, including killed ones. */
export const lockHolders = (): number[] =>
  lockFiles().flatMap(file => {
    try {
      return (JSON.parse(readFileSync(file, 'utf8')) as { pid?: number }).pid ?? []
    } catch {
      // Truncated: its writer was killed.
      return []
    }
  })

/** Removes the locks of killed updates. The caller has checked that no update is running. */
export const removeLocks = (): void => rmSync(lockDir(), { recursive: true, force: true })

/** Removes all resources and pending operations from the state, after their cluster is gone. */
export function clearState(): void {
  const state = readCheckpoint()
  if (!state?.checkpoint.latest) return
  state.checkpoint.latest.resources = []
  state.checkpoint.latest.pending_operations = []
  writeStateFile(stackFile(), state)
}

/** Deletes the state, its passphrase, and the passphrase's salt in the stack's settings file. */
export function removeState(): void {
  rmSync(stateDir(), { recursive: true, force: true })
  rmSync(stackPath('passphrase'), { force: true })
  removeSalt()
}
