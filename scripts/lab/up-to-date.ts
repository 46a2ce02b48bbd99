import { createHash } from 'node:crypto'
import { globSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { LabError } from '../../shared/lab-error.ts'
import type { Lock } from '../../shared/lock.ts'
import { projectDir } from '../../shared/paths.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { stackDir, stackPath } from '../../shared/stack.ts'
import { readStateFile, writeStateFile } from '../../shared/state-file.ts'
import type { ClusterAccess } from '../cluster/kubectl.ts'
import { isReady, readWorkloads, type Workload } from '../cluster/workloads.ts'
import { stateDigest } from '../pulumi/state.ts'

// Decides whether `lab up` can skip Pulumi, which needs seconds to find that nothing has changed. It can when the
// program's inputs are identical, the state is the one that the last `up` left, and every workload is ready. Pulumi
// checks less: without a refresh it does not notice what was deleted from the cluster.

const recordSchema = z.object({
  /** Digest of everything that decides what the program creates. */
  inputs: z.string(),
  /** Digest of Pulumi's state. */
  state: z.string(),
  workloads: z.array(z.object({ key: z.string(), release: z.string().optional() })),
})

const recordFile = (): string => stackPath('stood-up.json')
const keyOf = ({ namespace, kind, name }: Workload): string => `${namespace}/${kind}/${name}`

/** The files that the program consists of or reads. */
const programFiles = [
  'index.ts',
  'Pulumi.yaml',
  'package-lock.json',
  '{stacks,shared,dashboards,policies}/**/*',
  'scripts/{cluster,context,engine,kernel,pulumi,supplies}/**/*',
]

/** Returns a digest of everything that decides what the program creates. */
export function inputsDigest(settings: Settings, lock: Lock, source: string): string {
  const hash = createHash('sha256').update(JSON.stringify({ settings, lock, source, dir: stackDir() }))
  const files = globSync(programFiles, { cwd: projectDir, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
  for (const path of files.sort()) hash.update(path).update(readFileSync(path))
  return hash.digest('hex')
}

/** How the lab differs from what the last `up` created. */
export interface LastUpComparison {
  /** `changed`: other inputs or another state. `drifted`: a workload is missing or not ready. */
  result: 'same' | 'changed' | 'drifted'
  /** Helm releases to install again. Helm itself does not check what has become of the objects that it installed. */
  broken: { release: string; why: string }[]
}

/** Compares inputs, state and cluster with those of the last `up`. */
export async function compareWithLastUp(access: ClusterAccess, inputs: string): Promise<LastUpComparison> {
  const record = readStateFile(recordFile(), recordSchema)
  if (!record || record.inputs !== inputs || record.state !== stateDigest()) return { result: 'changed', broken: [] }
  try {
    return compareWorkloads(record.workloads, await readWorkloads(access))
  } catch (error) {
    // The cluster does not respond.
    if (error instanceof LabError) return { result: 'drifted', broken: [] }
    throw error
  }
}

function compareWorkloads(
  recorded: z.infer<typeof recordSchema>['workloads'],
  workloads: Workload[],
): LastUpComparison {
  const keys = new Set(workloads.map(keyOf))
  const missing = recorded.filter(({ key }) => !keys.has(key))
  const unready = !workloads.every(isReady)
  const reasons = new Map<string, string>()
  for (const { release, keepsRunningOutOfMemory } of workloads)
    if (release && keepsRunningOutOfMemory) reasons.set(release, 'it kept running out of memory')
  for (const { release } of missing) if (release) reasons.set(release, 'some of its objects were missing')
  return {
    result: missing.length > 0 || unready || reasons.size > 0 ? 'drifted' : 'same',
    broken: [...reasons].map(([release, why]) => ({ release, why })),
  }
}

/** Records the inputs and the workloads of a successful `up`. */
export function recordUp(workloads: readonly Workload[], inputs: string): void {
  writeStateFile(recordFile(), {
    inputs,
    state: stateDigest(),
    workloads: workloads.map(workload => ({ key: keyOf(workload), release: workload.release })),
  } satisfies z.infer<typeof recordSchema>)
}

/** Deletes the record, before a run that can change the lab. */
export const clearUpRecord = (): void => rmSync(recordFile(), { force: true })
