import { createDecipheriv, createHash, pbkdf2Sync } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isMap, parseDocument } from 'yaml'
import { z } from 'zod'
import { stackName } from '../../shared/names.ts'
import { labPath, projectDir } from '../../shared/paths.ts'
import { configNamespace } from '../../shared/settings/schema.ts'
import { readStateFile, writeStateFile } from '../../shared/state-file.ts'
import { stateDir } from '../context/environment.ts'

// The stack's state as Pulumi's file backend keeps it. Reading it directly saves a second a question.

const resourceSchema = z.looseObject({
  urn: z.string(),
  type: z.string(),
  inputs: z.record(z.string(), z.unknown()).optional(),
  outputs: z.record(z.string(), z.unknown()).optional(),
})

/** A resource in the state. */
export type StateResource = z.infer<typeof resourceSchema>

/** What the lab looks at of a checkpoint; all else stays as it is. */
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
const stackFile = (): string => join(storeDir(), 'stacks', configNamespace, `${stackName}.json`)
const lockDir = (): string => join(storeDir(), 'locks')

/** Whether the stack was ever made. */
export const stackExists = (): boolean => existsSync(stackFile())

const read = () => readStateFile(stackFile(), checkpointSchema)

const latest = () => read()?.checkpoint.latest

/** What the state says is there. Empty when nothing is, or the state is damaged. */
export const stateResources = (): StateResource[] => latest()?.resources ?? []

/**
 * Why the state is of no use, as the end of a sentence: it was cut off, or locked with a passphrase that is gone. Undefined when it is sound, or
 * there is none.
 */
export function stateProblem(): string | undefined {
  if (!stackExists()) return undefined
  const state = read()
  if (!state) return 'is damaged'
  const salt = state.checkpoint.latest?.secrets_providers?.state?.salt
  const passphrase = labPath('passphrase')
  // A passphrase is older than what it locks; only of a newer one is it a question, which takes Pulumi's third of a second to answer.
  const newer = existsSync(passphrase) && statSync(passphrase).mtimeMs > statSync(stackFile()).mtimeMs
  return salt && newer && !opens(readFileSync(passphrase, 'utf8').trim(), salt)
    ? 'was locked with a passphrase that is gone'
    : undefined
}

/** Whether a passphrase is the one of a salt as Pulumi writes it: `v1:SALT:v1:NONCE:` and the word "pulumi" encrypted, each in base64. */
export function opens(passphrase: string, salt: string): boolean {
  const [, saltText = '', , nonce = '', sealed = ''] = salt.split(':')
  try {
    const key = pbkdf2Sync(passphrase, Buffer.from(saltText, 'base64'), 1_000_000, 32, 'sha256')
    const bytes = Buffer.from(sealed, 'base64')
    const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(nonce, 'base64'))
    decipher.setAuthTag(bytes.subarray(-16))
    return Buffer.concat([decipher.update(bytes.subarray(0, -16)), decipher.final()]).toString() === 'pulumi'
  } catch {
    return false
  }
}

/** Drops a state that is of no use. The passphrase stays: the next state is locked with it. */
export const dropState = (): void => rmSync(storeDir(), { recursive: true, force: true })

/**
 * Mends what Pulumi keeps beside the state, and without which it does not read it.
 * @returns whether something was damaged.
 */
export function mendStore(): boolean {
  if (!stackExists()) return false
  const meta = join(storeDir(), 'meta.yaml')
  const damaged: string[] = []
  if (existsSync(meta) && !/^version: \d+$/m.test(readFileSync(meta, 'utf8'))) damaged.push(meta)
  // Attributes of the file, for stores that have none of their own.
  const attributes = `${stackFile()}.attrs`
  if (existsSync(attributes) && !readStateFile(attributes, z.looseObject({}))) damaged.push(attributes)
  // Without either, Pulumi does as well.
  for (const file of damaged) rmSync(file)
  return damaged.length > 0
}

/** A digest of the state as it stands, empty where there is none: it changes with every update, whoever made it. */
export const stateDigest = (): string =>
  stackExists() ? createHash('sha256').update(readFileSync(stackFile())).digest('hex') : ''

/** Whether the state holds the cluster's node. */
export const stateHasNode = (): boolean => stateResources().some(resource => resource.urn.endsWith('::cluster-node'))

/** Whether an update was cut off in the middle of an operation. */
export const hasPendingOperations = (): boolean => (latest()?.pending_operations?.length ?? 0) > 0

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
  const whole = read()
  if (!whole?.checkpoint.latest) return
  whole.checkpoint.latest.resources = []
  whole.checkpoint.latest.pending_operations = []
  writeStateFile(stackFile(), whole)
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
  if (!existsSync(settingsFile())) return
  const document = parseDocument(readFileSync(settingsFile(), 'utf8'))
  // One that is not YAML is for its owner to mend, and is told so when it is read.
  if (document.errors.length > 0 || !isMap(document.contents) || !document.has('encryptionsalt')) return
  document.delete('encryptionsalt')
  writeFileSync(settingsFile(), document.contents.items.length ? document.toString({ lineWidth: 0 }) : 'config: {}\n')
}
