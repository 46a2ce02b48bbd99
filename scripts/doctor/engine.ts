import { release } from 'node:os'
import { LabError } from '../../stacks/error.ts'
import { docker } from '../tools/docker.ts'
import { dockerEndpoint } from '../tools/engine.ts'

/** A Docker engine that answers. */
export interface EngineFacts {
  endpoint: string
  /** As in 28.2.2. */
  version: string
  /** As in linux/amd64. */
  platform: string
  /** Name of its operating system, as in "Docker Desktop". */
  system: string
  /** It shares this machine's kernel, ports and disk. */
  local: boolean
  rootless: boolean
  cpus: number
  memoryBytes: number
  cgroup: 1 | 2
  /** Folder in which it keeps its data. */
  dataRoot: string
  /** Its clock ahead of this machine's, in seconds. */
  clockAhead: number
}

/** An engine in a virtual machine on this one, which shares its ports. */
export const desktop = ({ system, endpoint }: EngineFacts): boolean =>
  /desktop|orbstack|colima|rancher/i.test(`${system} ${endpoint}`)

/** An engine on another machine. */
export const remote = (engine: EngineFacts): boolean =>
  !engine.local && !desktop(engine) && /^(tcp|ssh|https?):/.test(engine.endpoint)

interface Info {
  ServerVersion?: string
  OSType: string
  Architecture: string
  OperatingSystem: string
  KernelVersion: string
  SecurityOptions: string[]
  NCPU: number
  MemTotal: number
  CgroupVersion?: string
  DockerRootDir: string
  SystemTime: string
  ServerErrors?: string[]
}

/** What `docker info` says, or what is wrong with Docker. */
export async function engineFacts(): Promise<EngineFacts | { problem: LabError }> {
  try {
    const info = JSON.parse(await docker(['info', '--format', '{{json .}}'])) as Info
    const now = Date.now()
    const endpoint = dockerEndpoint()
    return {
      endpoint,
      version: info.ServerVersion ?? '0.0.0',
      platform: `${info.OSType}/${{ x86_64: 'amd64', aarch64: 'arm64' }[info.Architecture] ?? info.Architecture}`,
      system: info.OperatingSystem,
      local: process.platform === 'linux' && endpoint.startsWith('unix://') && info.KernelVersion === release(),
      rootless: info.SecurityOptions.some(option => option.includes('rootless')),
      cpus: info.NCPU,
      memoryBytes: info.MemTotal,
      cgroup: info.CgroupVersion === '2' ? 2 : 1,
      dataRoot: info.DockerRootDir,
      clockAhead: (Date.parse(info.SystemTime) - now) / 1000,
    }
  } catch (error) {
    if (error instanceof LabError) return { problem: error }
    throw error
  }
}

/** Nodes of KinD clusters that run. */
export async function clusters(): Promise<{ cluster: string; node: string }[]> {
  const label = 'io.x-k8s.kind.cluster'
  const lines = await docker(['ps', '--filter', `label=${label}`, '--format', `{{.Label "${label}"}} {{.Names}}`])
  return lines
    .split('\n')
    .filter(Boolean)
    .map(line => line.split(' '))
    .map(([cluster, node]) => ({ cluster: cluster!, node: node! }))
}
