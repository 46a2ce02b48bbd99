import { hostname, release } from 'node:os'
import { LabError } from '../../shared/lab-error.ts'
import { docker } from './docker.ts'
import { type EnclosingContainer, enclosingContainer } from './enclosing-container.ts'
import { dockerEndpoint } from './endpoint.ts'
import { type Engine, isWslKernel, type ProductInfo, productOf } from './products.ts'

/** A Docker engine that responds, or Podman answering the docker command. */
export interface EngineFacts extends Engine {
  /** For example 28.2.2. */
  version: string
  /** For example linux/amd64. */
  platform: string
  /** Name of its operating system, for example "Ubuntu 24.04.3 LTS". */
  system: string
  /** Release of its kernel. */
  kernel: string
  rootless: boolean
  cpus: number
  memoryBytes: number
  cgroup: 1 | 2
  /** Folder in which it keeps its data. */
  dataRoot: string
  /** Seconds that its clock is ahead of this machine's. */
  clockAhead: number
  /** It runs outside of the container in which this command runs. */
  outsideContainer: boolean
  /** The proxies through which it pulls images, empty where it uses none. */
  proxy: { http: string; https: string; no: string }
}

/** Returns whether the engine runs in a VM on this machine, which forwards its ports. */
export const runsInLocalVm = ({ product, local }: Engine): boolean =>
  !local && product !== 'Docker Engine' && product !== 'Podman'

/** Returns whether the engine runs on another machine. */
export const isRemoteEngine = (engine: EngineFacts): boolean =>
  !engine.local && !runsInLocalVm(engine) && /^(tcp|ssh|https?):/.test(engine.endpoint)

/** The fields of `docker info` that the lab reads. */
export interface DockerInfo extends ProductInfo {
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
  /** Podman's own command prints its facts here. */
  host?: { arch?: string; kernel?: string; cpus?: number; memTotal?: number; security?: { rootless?: boolean } }
  version?: { Version?: string }
}

/** The machine on which `docker info` ran. */
interface Client {
  endpoint: string
  os: string
  /** Release of its kernel. */
  release: string
  /** Its clock, in milliseconds. */
  now: number
  hostname: string
  /** The container in which it ran. */
  container: EnclosingContainer | undefined
}

/** Reads the output of `docker info`, which has one form for Docker and another for Podman's own command. */
export function parseDockerInfo(
  info: DockerInfo,
  { endpoint, os, release, now, hostname, container }: Client,
): EngineFacts {
  const { host } = info
  const kernel = info.KernelVersion ?? host?.kernel ?? ''
  const product = productOf(info, endpoint)
  const arch = info.Architecture ?? host?.arch ?? ''
  // An engine in the same container has its host name
  const outsideContainer = container !== undefined && info.Name !== hostname
  const clockAhead = (Date.parse(info.SystemTime ?? '') - now) / 1000
  return {
    endpoint,
    product,
    wsl: isWslKernel(kernel),
    // The desktop products on Windows share the WSL kernel with this machine, but neither its disk nor its processes
    local:
      os === 'linux' &&
      endpoint.startsWith('unix://') &&
      kernel === release &&
      !outsideContainer &&
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
    outsideContainer,
    clockAhead: Number.isNaN(clockAhead) ? 0 : clockAhead,
    proxy: { http: info.HttpProxy ?? '', https: info.HttpsProxy ?? '', no: info.NoProxy ?? '' },
  }
}

/** Returns what `docker info` reports, or the error that explains why Docker did not respond within the time. */
export async function readEngineFacts(timeoutMs: number): Promise<EngineFacts | { problem: LabError }> {
  try {
    const info = JSON.parse(await docker(['info', '--format', '{{json .}}'], { timeout: timeoutMs })) as DockerInfo
    return parseDockerInfo(info, {
      endpoint: dockerEndpoint(),
      os: process.platform,
      release: release(),
      now: Date.now(),
      hostname: hostname(),
      container: enclosingContainer(),
    })
  } catch (error) {
    if (error instanceof LabError) return { problem: error }
    throw error
  }
}

/** Returns the running nodes of all kind clusters. @throws LabError when Docker does not respond within the time. */
export async function runningKindNodes(timeoutMs: number): Promise<{ cluster: string; node: string }[]> {
  const label = 'io.x-k8s.kind.cluster'
  const args = ['ps', '--filter', `label=${label}`, '--format', `{{.Label "${label}"}} {{.Names}}`]
  const lines = await docker(args, { timeout: timeoutMs })
  return lines
    .split('\n')
    .filter(Boolean)
    .map(line => line.split(' '))
    .map(([cluster, node]) => ({ cluster: cluster!, node: node! }))
}
