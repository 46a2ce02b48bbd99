import { z } from 'zod'
import { readLock } from '../../shared/lock.ts'
import { stackPath } from '../../shared/stack.ts'
import { readStateFile, writeStateFile } from '../../shared/state-file.ts'
import type { ClusterTarget } from '../context/kubeconfig.ts'
import { engineKernel } from './engine-kernel.ts'
import { noFeatures } from './features.ts'
import { type KernelFacts, parseProbe } from './kernel-facts.ts'
import type { ProbeOptions, ProbeTarget } from './probe-target.ts'
import { kernelVerdict, type Verdict } from './verdict.ts'

/** Where the lab's events come from, and the kernel that decides it. */
export interface Decision extends Verdict {
  /** The machine whose kernel was probed. With `none` the verdict is the cautious one and is not cached. */
  probed: ProbeTarget['host'] | 'none'
  kernel?: Pick<KernelFacts, 'release' | 'lockdown' | 'lsm' | 'tracefs'>
}

const cacheSchema = z.object({
  key: z.string(),
  asked: z.enum(['this machine', 'engine', 'no engine', 'node']),
  rootless: z.boolean(),
  probe: z.string(),
})
type Cached = z.infer<typeof cacheSchema>

/** Raised with every change to the output of probe.sh, which invalidates the cache. */
const probeVersion = 4
const cacheFile = (): string => stackPath('kernel.json')

interface DecisionOptions extends Partial<ProbeOptions> {
  /**
   * The cluster of the settings. With an existing cluster a node's kernel decides, else the one under the Docker
   * engine.
   */
  cluster?: ClusterTarget
}

/**
 * Decides whether the kernel that the lab runs on can run Tetragon.
 *
 * The probe runs once for each engine or node and each boot of its kernel; its output is cached in `.lab/kernel.json`.
 * @param options.pull whether to pull the node image or create a pod where the probe needs it; default true.
 * @param options.timeoutMs how long the engine or cluster may take. When it takes longer, nothing is probed.
 * @throws LabError when the node image cannot be pulled, or the cluster does not respond.
 */
export async function kernelDecision(options: DecisionOptions = {}): Promise<Decision> {
  const target = await findKernel(options)
  if ('reason' in target) return undecided(target.reason)
  const key = [`probe ${probeVersion}`, ...target.identity].join(' ')
  const cached = readStateFile(cacheFile(), cacheSchema)
  if (cached?.key === key && cached.asked === target.host) return decide(cached)
  const output = await target.run()
  if ('reason' in output) return undecided(output.reason)
  const fresh: Cached = { key, asked: target.host, ...output }
  writeStateFile(cacheFile(), fresh)
  return decide(fresh)
}

async function findKernel({ cluster, pull = true, ...rest }: DecisionOptions) {
  const options = { pull, ...rest }
  if (cluster?.mode !== 'existing') return engineKernel(options)
  const { nodeKernel } = await import('./node-kernel.ts')
  return nodeKernel(cluster, options)
}

function decide({ probe, rootless, asked }: Cached): Decision {
  // A node of an existing cluster may well be a container: that is for its owner to decide.
  const facts = { ...parseProbe(probe, rootless), ...(asked === 'node' && { container: undefined }) }
  const { release, lockdown, lsm, tracefs } = facts
  return {
    ...kernelVerdict(facts, readLock().images.tetragon.tag),
    probed: asked,
    kernel: { release, lockdown, lsm, tracefs },
  }
}

/** Returns the cautious decision for a kernel that could not be probed. */
export const undecided = (reason: string): Decision => ({
  source: 'replay',
  why: `The kernel was not probed: ${reason}`,
  features: noFeatures,
  probed: 'none',
})
