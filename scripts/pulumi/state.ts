import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isMap, parseDocument } from 'yaml'
import { labPath, projectDir } from '../../stacks/paths.ts'
import { configNamespace } from '../../stacks/settings.ts'
import { stackName, stateDir } from '../environment.ts'

// The stack's state as Pulumi's file backend keeps it. Reading it directly saves a second a question.

/** A resource in the state. */
export interface StateResource {
  urn: string
  type: string
  inputs?: Record<string, unknown>
  outputs?: Record<string, unknown>
}

interface Checkpoint {
  checkpoint: { latest?: { resources?: StateResource[]; pending_operations?: unknown[] } }
}

const stackFile = (): string => join(stateDir(), '.pulumi', 'stacks', configNamespace, `${stackName}.json`)
const lockDir = (): string => join(stateDir(), '.pulumi', 'locks')

/** Whether the stack was ever made. */
export const stackExists = (): boolean => existsSync(stackFile())

const read = (): Checkpoint['checkpoint']['latest'] =>
  stackExists() ? (JSON.parse(readFileSync(stackFile(), 'utf8')) as Checkpoint).checkpoint.latest : undefined

/** What the state says is there. Empty when nothing is. */
export const stateResources = (): StateResource[] => read()?.resources ?? []

/** A digest of the state as it stands, empty where there is none: it changes with every update, whoever made it. */
export const stateDigest = (): string =>
  stackExists() ? createHash('sha256').update(readFileSync(stackFile())).digest('hex') : ''

/** Whether the state holds the cluster's node. */
export const stateHasNode = (): boolean => stateResources().some(resource => resource.urn.endsWith('::cluster-node'))

/** Whether an update was cut off in the middle of an operation. */
export const hasPendingOperations = (): boolean => (read()?.pending_operations?.length ?? 0) > 0

const lockFiles = (): string[] =>
  existsSync(lockDir())
    ? readdirSync(lockDir(), { recursive: true, encoding: 'utf8' })
        .filter(file => file.endsWith('.json'))
        .map(file => join(lockDir(), file))
    : []

/** Whether an update holds the state, or was killed while it did. */
export const isLocked = (): boolean => lockFiles().length > 0

/** Numbers of the processes that have locked the state, those included that were killed since. */
export const lockHolders = (): number[] =>
  lockFiles().flatMap(file => {
    try {
      return (JSON.parse(readFileSync(file, 'utf8')) as { pid?: number }).pid ?? []
    } catch {
      // Cut off while it was written: whoever wrote it is gone.
      return []
    }
  })

/** Takes away a lock that nobody holds any more. The caller has made sure that no update runs. */
export const breakLock = (): void => rmSync(lockDir(), { recursive: true, force: true })

/** Forgets everything that the state says is there, and what was cut off: for when the cluster that it describes is gone. */
export function forgetState(): void {
  if (!stackExists()) return
  const whole = JSON.parse(readFileSync(stackFile(), 'utf8')) as Checkpoint
  if (whole.checkpoint.latest) {
    whole.checkpoint.latest.resources = []
    whole.checkpoint.latest.pending_operations = []
  }
  writeFileSync(stackFile(), JSON.stringify(whole))
}

/** Removes the state altogether, and what belongs to its passphrase from the stack's settings file. */
export function removeState(): void {
  rmSync(stateDir(), { recursive: true, force: true })
  rmSync(labPath('passphrase'), { force: true })
  forgetSalt()
}

const settingsFile = (): string => join(projectDir, `Pulumi.${stackName}.yaml`)

/** Pulumi writes the salt of the passphrase into the settings; with another passphrase it would be refused. */
export function forgetSalt(): void {
  const text = readFileSync(settingsFile(), 'utf8')
  const document = parseDocument(text)
  if (!isMap(document.contents) || !document.has('encryptionsalt')) return
  document.delete('encryptionsalt')
  writeFileSync(settingsFile(), document.contents.items.length ? document.toString({ lineWidth: 0 }) : 'config: {}\n')
}
