import { LabError } from '../../../shared/lab-error.ts'
import { readSettings } from '../../../shared/settings/stack-file.ts'
import { kubectl } from '../../cluster/kubectl.ts'
import { loadRunningLab } from '../../context/context.ts'
import { kernelDecision, undecided } from '../../kernel/decision.ts'
import { runningSource } from '../../tetragon/running-source.ts'
import type { Capabilities } from '../definition/capabilities.ts'

/** Returns the capabilities of the lab that runs, or else of the one that `./lab up` would start. */
export async function currentCapabilities(): Promise<Capabilities & { running: boolean }> {
  const settings = readSettings()
  const context = await unlessUnavailable(loadRunningLab)
  const [probed, source, cluster] = await Promise.all([
    // Without Docker there is no lab either, and the exercises say so.
    unlessUnavailable(() => kernelDecision({ cluster: settings.cluster, pull: false, env: context?.env })),
    context && unlessUnavailable(() => runningSource(context)),
    context &&
      unlessUnavailable(() => kubectl(context, ['get', 'namespace', 'kube-system', '-o', 'jsonpath={.metadata.uid}'])),
  ])
  const decision = probed ?? undecided('no Docker engine responds')
  const running = source === 'none' ? undefined : source
  const setting = settings.tetragon.source
  return {
    settings,
    features: decision.features,
    running: running !== undefined,
    source: running ?? (setting === 'auto' ? decision.source : setting),
    why: setting === 'replay' ? 'tetragon.source is set to replay' : decision.why,
    ...(cluster && { cluster }),
  }
}

/** Returns undefined when the lab is not running or does not respond. */
async function unlessUnavailable<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof LabError) return undefined
    throw error
  }
}
