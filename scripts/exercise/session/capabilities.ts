import { LabError } from '../../../shared/lab-error.ts'
import { readSettings } from '../../../shared/settings/stack-file.ts'
import { kubectl } from '../../cluster/kubectl.ts'
import { kernelDecision } from '../../kernel/decision.ts'
import { runningSource } from '../../tetragon/tetra.ts'
import type { Capabilities } from '../definition/requirements.ts'

/** What there is to do exercises with: of the lab that runs, else of the one that would. */
export async function currentCapabilities(): Promise<Capabilities & { running: boolean }> {
  const settings = readSettings()
  const [decision, source, cluster] = await Promise.all([
    kernelDecision({ cluster: settings.cluster, pull: false }),
    ifThere(runningSource),
    ifThere(() => kubectl(['get', 'namespace', 'kube-system', '-o', 'jsonpath={.metadata.uid}'])),
  ])
  const running = source === 'none' ? undefined : source
  const set = settings.tetragon.source
  return {
    settings,
    features: decision.features,
    running: running !== undefined,
    source: running ?? (set === 'auto' ? decision.source : set),
    why: set === 'replay' ? 'tetragon.source is set to replay' : decision.why,
    ...(cluster && { cluster }),
  }
}

async function ifThere<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof LabError) return undefined
    throw error
  }
}
