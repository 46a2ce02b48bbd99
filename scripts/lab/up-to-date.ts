import { createHash } from 'node:crypto'
import { globSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { LabError } from '../../shared/lab-error.ts'
import type { Lock } from '../../shared/lock.ts'
import { labDir, labPath, projectDir } from '../../shared/paths.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { readStateFile, writeStateFile } from '../../shared/state-file.ts'
import { outOfMemory, readWorkloads, type Workload } from '../cluster/workloads.ts'
import { stateDigest } from '../pulumi/state.ts'

// An `up` that has nothing to do should not take the seconds that Pulumi needs to find that out. It is skipped only where everything that
// the program is made from is the same to the byte, the state is the one that the last `up` left, and all that it stood up is there and ready.
// That is more than Pulumi would look at: without a refresh it does not see what somebody has deleted from the cluster.

const recordSchema = z.object({
  /** Of everything that decides what the program makes. */
  inputs: z.string(),
  /** Of Pulumi's state. */
  state: z.string(),
  workloads: z.array(z.object({ key: z.string(), release: z.string().optional() })),
})

const file = (): string => labPath('stood-up.json')
const key = ({ namespace, kind, name }: Workload): string => `${namespace}/${kind}/${name}`

/** Files that the program consists of or reads. */
const programFiles = [
  'index.ts',
  'Pulumi.yaml',
  'package-lock.json',
  '{stacks,shared,dashboards,policies}/**/*',
  'scripts/{cluster,context,engine,kernel,supplies}/**/*',
]

/** A digest of everything that decides what the program makes. */
export function inputsDigest(settings: Settings, lock: Lock, source: string): string {
  const hash = createHash('sha256').update(JSON.stringify({ settings, lock, source, dir: labDir() }))
  const files = globSync(programFiles, { cwd: projectDir, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
  for (const path of files.sort()) hash.update(path).update(readFileSync(path))
  return hash.digest('hex')
}

/** How things stand against the last `up`. */
export interface Since {
  /** `same`: nothing is to be done. `drifted`: not all that it stood up is there and ready. `changed`: something it was made from is different. */
  is: 'same' | 'changed' | 'drifted'
  /** Releases that are installed anew, and why. Helm by itself does not look at what has become of what it installed. */
  broken: { release: string; why: string }[]
}

/** Compares inputs, state and cluster with those of the last `up`. */
export async function sinceLastUp(inputs: string): Promise<Since> {
  const record = readStateFile(file(), recordSchema)
  if (!record || record.inputs !== inputs || record.state !== stateDigest()) return { is: 'changed', broken: [] }
  try {
    const there = new Map((await readWorkloads()).map(workload => [key(workload), workload]))
    const missing = record.workloads.filter(workload => !there.has(workload.key))
    const waiting = [...there.values()].some(({ ready, wanted }) => ready < wanted || wanted === 0)
    const why = new Map<string, string>()
    for (const { release } of [...there.values()].filter(outOfMemory))
      if (release) why.set(release, 'it ran out of memory again and again')
    for (const { release } of missing) if (release) why.set(release, 'something of it was gone')
    const broken = [...why].map(([release, why]) => ({ release, why }))
    return { is: missing.length > 0 || waiting ? 'drifted' : 'same', broken }
  } catch (error) {
    if (error instanceof LabError) return { is: 'drifted', broken: [] }
    throw error
  }
}

/** Writes down what this `up` was made from and stood up. */
export async function rememberUp(inputs: string): Promise<void> {
  const workloads = (await readWorkloads()).map(workload => ({ key: key(workload), release: workload.release }))
  writeStateFile(file(), { inputs, state: stateDigest(), workloads } satisfies z.infer<typeof recordSchema>)
}

/** Forgets it: something has begun that may leave things otherwise. */
export const forgetUp = (): void => rmSync(file(), { force: true })
