import { release } from 'node:os'
import { LabError } from '../../shared/lab-error.ts'
import { docker } from './docker.ts'
import { dockerEndpoint } from './endpoint.ts'
import { type Engine, isWslKernel, productOf, type Signs } from './products.ts'

/** A Docker engine that answers, or Podman in its place. */
export interface EngineFacts extends Engine {
  /** As in 28.2.2. */
  version: string
  /** As in linux/amd64. */
  platform: string
  /** Name of its operating system, as in "Ubuntu 24.04.3 LTS". */
  system: string
  /** Release of its kernel. */
  kernel: string
  rootless: boolean
  cpus: number
  memoryBytes: number
  cgroup: 1 | 2
  /** Folder in which it keeps its data. */
  dataRoot: string
  /** Its clock ahead of this machine's, in seconds. */
  clockAhead: number
  /** The proxies through which it pulls images; empty where there is none. */
  proxy: { http: string; https: string; no: string }
}

/** An engine in a virtual machine on this one, which shares its ports. */
export const inMachine = ({ product, local }: Engine): boolean =>
  !local && product !== 'Docker Engine' && product !== 'Podman'

/** An engine on another machine. */
export const remote = (engine: EngineFacts): boolean =>
  !engine.local && !inMachine(engine) && /^(tcp|ssh|https?):/.test(engine.endpoint)

/** What `docker info` says, of which the lab uses this. */
export interface Info extends Signs {
  ServerVersion?: string
  OSType?: string
  Architecture?: string
  SecurityOptions?: string[] | null
  NCPU?: number
  MemTotal?: number
  CgroupVersion?: string
  SystemTime?: string
  HttpProxy?: string
  HttpsProxy?: string
  NoProxy?: string
  /** Podman's own command, where `docker` is another name for it. */
  host?: { arch?: string; kernel?: string; cpus?: number; memTotal?: number; security?: { rootless?: boolean } }
  version?: { Version?: string }
}

/** Where and when it was asked. */
interface Asked {
  endpoint: string
  /** This machine's system and kernel. */
  os: string
  release: string
  /** This machine's clock, in milliseconds. */
  now: number
}

/** Reads what `docker info` says. */
export function readEngine(info: Info, { endpoint, os, release, now }: Asked): EngineFacts {
  const { host } = info
  const kernel = info.KernelVersion ?? host?.kernel ?? ''
  const product = productOf(info, endpoint)
  const arch = info.Architecture ?? host?.arch ?? ''
  const ahead = (Date.parse(info.SystemTime ?? '') - now) / 1000
  return {
    endpoint,
    product,
    wsl: isWslKernel(kernel),
    // In Windows those of the desktops share the kernel with this machine, and nothing else
    local:
      os === 'linux' &&
      endpoint.startsWith('unix://') &&
      kernel === release &&
      (product === 'Docker Engine' || product === 'Podman'),
    version: info.ServerVersion ?? info.version?.Version ?? '0.0.0',
    platform: `${info.OSType ?? 'linux'}/${{ x86_64: 'amd64', aarch64: 'arm64' }[arch] ?? arch}`,
    system: info.OperatingSystem ?? '',
    kernel,
    rootless: info.SecurityOptions?.some(option => option.includes('rootless')) ?? host?.security?.rootless ?? false,
    cpus: info.NCPU ?? host?.cpus ?? 0,
    memoryBytes: info.MemTotal ?? host?.memTotal ?? 0,
    cgroup: info.CgroupVersion === '1' ? 1 : 2,
    dataRoot: info.DockerRootDir ?? '',
    clockAhead: Number.isNaN(ahead) ? 0 : ahead,
    proxy: { http: info.HttpProxy ?? '', https: info.HttpsProxy ?? '', no: info.NoProxy ?? '' },
  }
}

/**
 * What `docker info` says, or what is wrong with Docker.
 * @param patience milliseconds that it may take.
 */
export async function engineFacts(patience: number): Promise<EngineFacts | { problem: LabError }> {
  try {
    const info = JSON.parse(await docker(['info', '--format', '{{json .}}'], { timeout: patience })) as Info
    return readEngine(info, { endpoint: dockerEndpoint(), os: process.platform, release: release(), now: Date.now() })
  } catch (error) {
    if (error instanceof LabError) return { problem: error }
    throw error
  }
}

/** Nodes of KinD clusters that run. @throws LabError when Docker does not say within that many milliseconds. */
export async function clusters(patience: number): Promise<{ cluster: string; node: string }[]> {
  const label = 'io.x-k8s.kind.cluster'
  const args = ['ps', '--filter', `label=${label}`, '--format', `{{.Label "${label}"}} {{.Names}}`]
  const lines = await docker(args, { timeout: patience })
  return lines
    .split('\n')
    .filter(Boolean)
    .map(line => line.split(' '))
    .map(([cluster, node]) => ({ cluster: cluster!, node: node! }))
}
