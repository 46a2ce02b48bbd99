import { readFileSync } from 'node:fs'
import { release } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { labPath } from '../../stacks/paths.ts'
import { keep, readKept } from '../kept.ts'
import { dockerEndpoint, engineVersion } from '../tools/engine.ts'
import { decideSource, noFeatures, parseProbe, type Verdict } from './decision.ts'

/** Where the lab's events can come from, and how that was found out. */
export interface Decision extends Verdict {
  /**
   * Whose kernel was asked: that of this machine, of the engine's own (virtual) machine, of this machine because no engine answers, or
   * nobody's, in which case the verdict is the cautious one and is not kept.
   */
  asked: 'this machine' | 'engine' | 'no engine' | 'nobody'
}

const cachedSchema = z.object({
  key: z.string(),
  asked: z.enum(['this machine', 'engine', 'no engine']),
  rootless: z.boolean(),
  probe: z.string(),
})

type Cached = z.infer<typeof cachedSchema>

const script = join(import.meta.dirname, 'kernel-probe.sh')
const cacheFile = (): string => labPath('kernel.json')

/**
 * Whether the kernel under the Docker engine can run Tetragon.
 *
 * Asked once for each engine and kernel, then read from `.lab/kernel.json`. A local engine shares this machine's kernel, which is asked
 * directly; another one (Docker Desktop, a remote host) is asked from a short-lived privileged container of the kind node image.
 * @param options.pull fetch the node image where it is needed for asking and is not there; default true.
 * @throws LabError when that image cannot be had.
 */
export async function kernelDecision(options: { pull?: boolean } = {}): Promise<Decision> {
  const endpoint = dockerEndpoint()
  const engine = await engineVersion(endpoint)
  const linux = process.platform === 'linux'
  if (!engine && !linux) return unasked('no Docker engine answers')
  const local = linux && (!engine || (endpoint.startsWith('unix://') && engine.KernelVersion === release()))
  const key = [endpoint, engine?.KernelVersion ?? release(), engine?.Arch ?? process.arch, local ? bootId() : ''].join(
    ' ',
  )
  const asked: Cached['asked'] = local ? (engine ? 'this machine' : 'no engine') : 'engine'

  const kept = readKept(cacheFile(), cachedSchema)
  if (kept?.key === key && kept.asked === asked) return decide(kept)

  const rootless = engine ? await isRootless() : false
  const probe = local ? await askHere() : await askContainer(options.pull ?? true)
  if (probe === undefined) return unasked('the node image, from which the kernel is asked, is not here yet')
  const found: Cached = { key, asked, rootless, probe }
  keep(cacheFile(), found)
  return decide(found)
}

const decide = ({ probe, rootless, asked }: Cached): Decision => ({
  ...decideSource(parseProbe(probe, rootless)),
  asked,
})

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

async function isRootless(): Promise<boolean> {
  const { docker } = await import('../tools/docker.ts')
  return (await docker(['info', '--format', '{{json .SecurityOptions}}'])).includes('rootless')
}

async function askHere(): Promise<string> {
  const { execa } = await import('execa')
  return (await execa('sh', [script])).stdout
}

async function askContainer(mayPull: boolean): Promise<string | undefined> {
  const { docker } = await import('../tools/docker.ts')
  const { presentImages, pullNodeImage } = await import('../tools/images.ts')
  const { imageRef, readLock } = await import('../../stacks/lock.ts')
  const { dockerLabel } = await import('../../stacks/names.ts')
  const lock = readLock()
  const image = imageRef(lock.nodeImage)
  if (!(await presentImages([image])).has(image)) {
    if (!mayPull) return undefined
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
  return docker([...args, '--entrypoint', 'sh', image, '-s', 'mount'], { input: readFileSync(script) })
}
