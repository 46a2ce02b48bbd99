import { readFileSync } from 'node:fs'
import { release } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { LabError } from '../../shared/lab-error.ts'
import { labPath } from '../../shared/paths.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { readStateFile, writeStateFile } from '../../shared/state-file.ts'
import { dockerEndpoint, engineVersion } from '../engine/endpoint.ts'
import { judgeKernel, type KernelFacts, noFeatures, parseProbe, type Verdict } from './features.ts'

/** Where the lab's events can come from, and how that was found out. */
export interface Decision extends Verdict {
  /**
   * Whose kernel was asked: that of this machine, of the engine's own (virtual) machine, of this machine because no engine answers, of a node
   * of the cluster that the settings name, or nobody's, in which case the verdict is the cautious one and is not kept.
   */
  asked: 'this machine' | 'engine' | 'no engine' | 'node' | 'nobody'
  /** What else is known about that kernel. */
  kernel?: Pick<KernelFacts, 'release' | 'lockdown' | 'lsm' | 'tracefs'>
}

const cachedSchema = z.object({
  key: z.string(),
  asked: z.enum(['this machine', 'engine', 'no engine', 'node']),
  rootless: z.boolean(),
  probe: z.string(),
})

type Cached = z.infer<typeof cachedSchema>

const script = join(import.meta.dirname, 'probe.sh')
/** Raised with every change of what the script asks, so that no older answer is taken for one of its own. */
const probeVersion = 2
const cacheFile = (): string => labPath('kernel.json')

/** How a kernel is asked. */
interface Asking {
  /** A cluster of the user's own is asked in place of the engine. */
  cluster?: Pick<Settings['cluster'], 'mode' | 'context'>
  pull?: boolean
  patience?: number
}

/**
 * Whether the kernel under the Docker engine can run Tetragon, or that under the cluster which the settings name.
 *
 * Asked once for each engine and kernel, then read from `.lab/kernel.json`. A local engine shares this machine's kernel, which is asked
 * directly; another one (Docker Desktop, a remote host) is asked from a short-lived privileged container of the kind node image, and a node from a
 * short-lived privileged pod.
 * @param options.pull fetch the node image where it is needed for asking and is not there, or make the pod; default true.
 * @param options.patience milliseconds that the container may take; by default as long as it takes. Where it takes longer, nobody was asked.
 * @throws LabError when that image cannot be had, or the cluster cannot be asked.
 */
export async function kernelDecision(options: Asking = {}): Promise<Decision> {
  const { cluster } = options
  const kernel = cluster?.mode === 'existing' ? await ofNode(cluster.context, options) : await ofEngine(options)
  if ('why' in kernel) return unasked(kernel.why)
  const { asked } = kernel
  const key = [`probe ${probeVersion}`, ...kernel.key].join(' ')
  const kept = readStateFile(cacheFile(), cachedSchema)
  if (kept?.key === key && kept.asked === asked) return decide(kept)
  const answer = await kernel.ask()
  if ('why' in answer) return unasked(answer.why)
  const found: Cached = { key, asked, ...answer }
  writeStateFile(cacheFile(), found)
  return decide(found)
}

/** Why a kernel was not asked. */
interface Unasked {
  why: string
}

/** A kernel that can be asked. */
interface Kernel {
  asked: Cached['asked']
  /** What tells it, and how it was booted, from another. */
  key: string[]
  ask: () => Promise<Pick<Cached, 'rootless' | 'probe'> | Unasked>
}

async function ofEngine({ pull = true, patience }: Asking): Promise<Kernel | Unasked> {
  const endpoint = dockerEndpoint()
  const engine = await engineVersion(endpoint, patience)
  const linux = process.platform === 'linux'
  if (!engine && !linux) return { why: 'no Docker engine answers' }
  const local = linux && (!engine || (endpoint.startsWith('unix://') && engine.KernelVersion === release()))
  return {
    asked: local ? (engine ? 'this machine' : 'no engine') : 'engine',
    key: [endpoint, engine?.KernelVersion ?? release(), engine?.Arch ?? process.arch, local ? bootId() : ''],
    ask: async () => {
      const rootless = engine ? await isRootless(patience) : false
      const probe = local ? await askHere() : await askContainer(pull, patience)
      if (probe === 'no image') return { why: 'the node image, from which the kernel is asked, is not here yet' }
      if (probe === 'too slow') return { why: 'the engine took too long' }
      return { rootless, probe }
    },
  }
}

async function ofNode(context: string, { pull = true, patience }: Asking): Promise<Kernel | Unasked> {
  const { askNode, identityOf, nodeToAsk } = await import('./node-probe.ts')
  const node = await nodeToAsk(context, patience).catch((error: unknown) => {
    if (!(error instanceof LabError)) throw error
    if (!pull) return 'no answer' as const
    throw new LabError({
      found: `the cluster of context ${context} does not answer: ${error.found.replace(/^kubectl get nodes: /, '')}`,
      expected: 'the cluster that cluster.context names, in your kubeconfig',
      next: './lab pulumi config set --path tetragon-lab:cluster.context NAME   (NAME: kubectl config get-contexts)',
    })
  })
  if (node === 'no answer') return { why: `the cluster of context ${context} does not answer` }
  if (!node) return { why: `the cluster of context ${context} has no node` }
  return {
    asked: 'node',
    key: [context, identityOf(node)],
    ask: async () => {
      if (!pull) return { why: `\`lab up\` asks that of node ${node.metadata.name}` }
      try {
        return { rootless: false, probe: await askNode(context, node, script) }
      } catch (error) {
        // A cluster may allow the lab and refuse such a pod: `tetragon.source` says then what is played.
        if (error instanceof LabError) return { why: error.found }
        throw error
      }
    },
  }
}

function decide({ probe, rootless, asked }: Cached): Decision {
  const facts = parseProbe(probe, rootless)
  const { release, lockdown, lsm, tracefs } = facts
  return { ...judgeKernel(facts), asked, kernel: { release, lockdown, lsm, tracefs } }
}

const unasked = (why: string): Decision => ({
  source: 'replay',
  why: `The kernel was not asked: ${why}`,
  features: noFeatures,
  asked: 'nobody',
})

/** Which boot of this machine it is: lockdown and Linux security modules are chosen then. Empty where the system does not say. */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return ''
  }
}

// What only the first asking needs is loaded then: the way by the cache takes milliseconds

async function isRootless(patience?: number): Promise<boolean> {
  const { docker } = await import('../engine/docker.ts')
  const args = ['info', '--format', '{{json .SecurityOptions}}']
  return (await docker(args, limit(patience))).includes('rootless')
}

const limit = (patience?: number): { timeout?: number } => (patience === undefined ? {} : { timeout: patience })

async function askHere(): Promise<string> {
  const { execa } = await import('execa')
  return (await execa('sh', [script])).stdout
}

/** What the probe says from inside the engine's machine, or why it was not asked. */
async function askContainer(mayPull: boolean, patience?: number): Promise<string | 'no image' | 'too slow'> {
  const { docker } = await import('../engine/docker.ts')
  const { presentImages, pullNodeImage } = await import('../supplies/images.ts')
  const { imageRef, readLock } = await import('../../shared/lock.ts')
  const { dockerLabel } = await import('../../shared/names.ts')
  const lock = readLock()
  const image = imageRef(lock.nodeImage)
  if (!(await presentImages([image])).has(image)) {
    if (!mayPull) return 'no image'
    await pullNodeImage(lock)
  }
  const args = [
    'run',
    '--rm',
    '-i',
    '--label',
    `${dockerLabel}=kernel-probe`,
    '--privileged',
    '--pid=host',
    '--network=none',
  ]
  const asking = docker([...args, '--entrypoint', 'sh', image, '-s', 'mount'], {
    input: readFileSync(script),
    ...limit(patience),
  })
  if (patience === undefined) return asking
  const began = performance.now()
  return asking.catch((error: unknown) => {
    if (performance.now() - began >= patience) return 'too slow'
    throw error
  })
}
