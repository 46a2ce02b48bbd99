import { readFileSync } from 'node:fs'
import { readdir, readFile, readlink, stat, statfs } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { release } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { LabError } from '../../stacks/error.ts'
import { imagesOf } from '../../stacks/images.ts'
import { type ChartName, imageRef, type Lock, type LockedImage, type ToolName } from '../../stacks/lock.ts'
import { projectDir } from '../../stacks/paths.ts'
import type { Settings } from '../../stacks/settings.ts'
import { isOurs } from '../cluster/kind.ts'
import { expandAddress, thisPlatform } from '../tools/address.ts'
import { chartAddress, chartInPlace } from '../tools/charts.ts'
import { docker } from '../tools/docker.ts'
import { fileDigest, knownDigest } from '../tools/download.ts'
import { dockerEndpoint } from '../tools/engine.ts'
import { presentImages } from '../tools/images.ts'
import { findTool } from '../tools/tools.ts'
import { type Decision, kernelDecision } from './kernel.ts'

// What the checks judge. Gathered side by side and without changing anything; what cannot be known is absent.

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

/** One of the lab's ports on 127.0.0.1. */
export interface PortFacts {
  /** Setting that moves it, below `ports`. */
  name: keyof Settings['ports']
  number: number
  state: 'free' | 'held by the lab' | 'taken' | 'not allowed'
  /** Who holds it, where that can be found out. */
  holder?: string
}

/** Something that the lab needs and may have to fetch. */
export interface Supply {
  name: string
  here: boolean
  /** Where it comes from when it is not here. */
  host: string
}

export interface Facts {
  os: string
  /** Windows' Linux, which has no upstream support from KinD but works. */
  wsl: boolean
  engine: EngineFacts | { problem: LabError }
  kernel: Decision
  ports: PortFacts[]
  /** The lab's own node runs: what it takes is taken by right. */
  running: boolean
  /** There is a cluster of the lab's name that another made. */
  foreignNode: boolean
  /** Names of other KinD clusters that run. */
  otherClusters: string[]
  /** Tetragon agents that are seen among this machine's processes. */
  tetragons?: number
  /** Memory that is free for new programs, on a machine that Docker shares. */
  availableBytes?: number
  /** Free where Docker keeps its data. */
  diskBytes?: number
  inotify?: { watches: number; instances: number }
  tools: Supply[]
  charts: Supply[]
  /** Charts in folders that are no longer what they were. */
  changedCharts: { name: string; found: string; known: string }[]
  images: (Supply & { platforms: readonly string[] })[]
  /** Programs of Pulumi whose pinned version is not that of the npm package that speaks to it. */
  strangers: { name: string; pinned: string; npm: string }[]
  /** Hosts that something is to be fetched from, and whether they answer. */
  hosts: Map<string, boolean>
}

/** Milliseconds within which a host must answer. */
const patience = 1000

export async function gatherFacts(
  settings: Settings,
  lock: Lock,
  charts: readonly ChartName[],
  tools: readonly ToolName[],
): Promise<Facts> {
  const engine = await engineFacts()
  const answers = !('problem' in engine)
  const local = answers && engine.local
  const kernel = await kernelDecision({ pull: false })
  const [containers, inotify, tetragons, supplies, changedCharts] = await Promise.all([
    answers ? clusters() : [],
    local ? readInotify() : undefined,
    local ? countTetragons() : undefined,
    gatherSupplies(settings, lock, charts, tools, answers, kernel),
    findChangedCharts(lock, charts),
  ])
  const { name } = settings.cluster
  const ours = isOurs(name)
  const mine = containers.some(container => container.cluster === name)
  const running = ours && mine
  const missing = [...supplies.tools, ...supplies.charts, ...supplies.images].filter(supply => !supply.here)
  const [ports, hosts, diskBytes] = await Promise.all([
    gatherPorts(settings, running, answers && remote(engine)),
    askHosts(missing.map(supply => supply.host)),
    local ? freeDisk(engine.dataRoot) : undefined,
  ])
  return {
    os: process.platform,
    wsl: /microsoft/i.test(release()),
    engine,
    kernel,
    ports,
    running,
    foreignNode: mine && !ours,
    otherClusters: [...new Set(containers.map(container => container.cluster).filter(cluster => cluster !== name))],
    ...(tetragons === undefined ? {} : { tetragons }),
    ...(local ? availableMemory() : {}),
    ...(diskBytes === undefined ? {} : { diskBytes }),
    ...(inotify ? { inotify } : {}),
    ...supplies,
    changedCharts,
    strangers: findStrangers(lock),
    hosts,
  }
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

async function engineFacts(): Promise<EngineFacts | { problem: LabError }> {
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
async function clusters(): Promise<{ cluster: string; node: string }[]> {
  const label = 'io.x-k8s.kind.cluster'
  const lines = await docker(['ps', '--filter', `label=${label}`, '--format', `{{.Label "${label}"}} {{.Names}}`])
  return lines
    .split('\n')
    .filter(Boolean)
    .map(line => line.split(' '))
    .map(([cluster, node]) => ({ cluster: cluster!, node: node! }))
}

// --- Ports

function gatherPorts(settings: Settings, running: boolean, elsewhere: boolean): Promise<PortFacts[]> {
  const entries = Object.entries(settings.ports) as [keyof Settings['ports'], number][]
  return Promise.all(
    entries.map(async ([name, number]) => {
      const state = elsewhere ? 'free' : await portState(number)
      if (state !== 'taken') return { name, number, state }
      // The lab maps all of its ports or none: while its node runs, they are its own
      if (running) return { name, number, state: 'held by the lab' as const }
      const holder = await portHolder(number)
      return { name, number, state, ...(holder ? { holder } : {}) }
    }),
  )
}

/** Whether 127.0.0.1:port can be listened on: by trying. */
export async function portState(port: number): Promise<'free' | 'taken' | 'not allowed'> {
  const bound = await new Promise<'free' | 'taken' | 'not allowed'>(resolve => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EACCES' ? 'not allowed' : 'taken'))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve('free')))
  })
  // macOS lets one listen on 127.0.0.1 beside a program that listens everywhere, and Docker fails there all the same
  return bound === 'free' && process.platform === 'darwin' && (await answers(port)) ? 'taken' : bound
}

const answers = (port: number): Promise<boolean> =>
  new Promise(resolve => {
    const socket = connect({ port, host: '127.0.0.1', timeout: 200 })
    const end = (open: boolean) => {
      socket.destroy()
      resolve(open)
    }
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
    socket.once('timeout', () => end(false))
  })

/** A container or a program, in words. Another user's program does not show its name. */
async function portHolder(port: number): Promise<string | undefined> {
  const container = await execa('docker', ['ps', '--filter', `publish=${port}`, '--format', '{{.Names}}'], {
    reject: false,
  })
  if (!container.failed && container.stdout) return `container ${container.stdout.split('\n')[0]}`
  if (process.platform === 'linux') {
    const listening = await execa('ss', ['-Hltnp', `sport = :${port}`], { reject: false })
    const [, name, id] = /users:\(\("([^"]+)",pid=(\d+)/.exec(listening.stdout ?? '') ?? []
    // The name that ss shows is that of a thread
    return id && `${basename(await readlink(`/proc/${id}/exe`).catch(() => name!))} (process ${id})`
  }
  const listening = await execa('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-Fcp'], { reject: false })
  const command = /^c(.+)$/m.exec(listening.stdout ?? '')?.[1]
  return command && `${command} (process ${/^p(\d+)$/m.exec(listening.stdout)?.[1]})`
}

// --- The machine

async function readInotify(): Promise<{ watches: number; instances: number } | undefined> {
  const read = async (name: string): Promise<number> => Number(await readFile(`/proc/sys/fs/inotify/${name}`, 'utf8'))
  try {
    return { watches: await read('max_user_watches'), instances: await read('max_user_instances') }
  } catch {
    return undefined
  }
}

async function countTetragons(): Promise<number | undefined> {
  const processes = (await readdir('/proc').catch(() => [])).filter(name => /^\d+$/.test(name))
  const names = await Promise.all(processes.map(id => readFile(`/proc/${id}/comm`, 'utf8').catch(() => '')))
  return names.filter(name => name.trim() === 'tetragon').length
}

function availableMemory(): { availableBytes?: number } {
  try {
    const kilobytes = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]
    return kilobytes ? { availableBytes: Number(kilobytes) * 1024 } : {}
  } catch {
    return {}
  }
}

async function freeDisk(folder: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(folder)
    return bavail * bsize
  } catch {
    return undefined
  }
}

// --- What has to be fetched

async function gatherSupplies(
  settings: Settings,
  lock: Lock,
  charts: readonly ChartName[],
  tools: readonly ToolName[],
  engine: boolean,
  kernel: Decision,
): Promise<Pick<Facts, 'tools' | 'charts' | 'images'>> {
  const places = supported() ? thisPlatform() : {}
  const source = settings.tetragon.source === 'auto' ? kernel.source : settings.tetragon.source
  const wanted: LockedImage[] = [lock.nodeImage, ...imagesOf({ settings, source }).map(name => lock.images[name])]
  const [held, readyTools, readyCharts] = await Promise.all([
    engine ? presentImages(wanted.map(imageRef)) : new Map<string, string[]>(),
    Promise.all(tools.map(name => findTool(lock, name))),
    Promise.all(
      charts.map(
        async name => (await chartInPlace(lock, name)) !== undefined || (await isAtHand(chartAddress(lock, name))),
      ),
    ),
  ])
  return {
    tools: tools.map((name, at) => {
      const { url, version } = lock.tools[name]
      return {
        name: `${name} ${version}`,
        here: readyTools[at] !== undefined,
        host: url ? hostOf(expandAddress(url, lock.file, { ...places, version })) : '',
      }
    }),
    charts: charts.map((name, at) => ({
      name: `${name} ${lock.charts[name].version}`,
      here: readyCharts[at]!,
      host: hostOf(chartAddress(lock, name)),
    })),
    images: wanted.map(image => ({
      name: imageRef(image),
      here: held.has(imageRef(image)),
      host: registryHost(image),
      platforms: image.platforms ?? ['linux/amd64', 'linux/arm64'],
    })),
  }
}

const supported = (): boolean => process.platform === 'linux' || process.platform === 'darwin'

/** In a folder of this machine, and there. */
const isAtHand = async (url: URL): Promise<boolean> => url.protocol === 'file:' && (await isFile(fileURLToPath(url)))

const hostOf = (url: URL): string => (url.protocol === 'file:' ? '' : url.host)

/** Docker's own registry answers under another name than its images bear. */
function registryHost(image: LockedImage): string {
  const registry = image.repository.slice(0, image.repository.indexOf('/'))
  return registry === 'docker.io' ? 'registry-1.docker.io' : registry
}

const isFile = (file: string): Promise<boolean> =>
  stat(file).then(
    found => found.isFile(),
    () => false,
  )

/** A chart that comes from a folder is at hand: whether it still is what the lock or memory says can be seen at once. */
async function findChangedCharts(lock: Lock, names: readonly ChartName[]): Promise<Facts['changedCharts']> {
  const changed = await Promise.all(
    names.map(async name => {
      const { version, sha256 } = lock.charts[name]
      const url = chartAddress(lock, name)
      const known = knownDigest({ url, sha256 })
      if (!known || !(await isAtHand(url))) return undefined
      const found = await fileDigest(fileURLToPath(url))
      return found === known.digest ? undefined : { name: `${name} ${version}`, found, known: known.digest }
    }),
  )
  return changed.filter(chart => chart !== undefined)
}

const packages = {
  pulumi: '@pulumi/pulumi',
  'pulumi-resource-command': '@pulumi/command',
  'pulumi-resource-kubernetes': '@pulumi/kubernetes',
} as const

function findStrangers(lock: Lock): Facts['strangers'] {
  return Object.entries(packages).flatMap(([name, packageName]) => {
    const text = readFileSync(join(projectDir, 'node_modules', packageName, 'package.json'), 'utf8')
    const npm = (JSON.parse(text) as { version: string }).version
    const pinned = lock.tools[name as keyof typeof packages].version
    return pinned === npm ? [] : [{ name, pinned, npm }]
  })
}

async function askHosts(hosts: readonly string[]): Promise<Map<string, boolean>> {
  const distinct = [...new Set(hosts)].filter(Boolean)
  const answered = await Promise.all(
    distinct.map(host =>
      // Any answer will do, also one that says no: what counts is that there is a way
      fetch(`https://${host}/`, { method: 'HEAD', redirect: 'manual', signal: AbortSignal.timeout(patience) }).then(
        () => true,
        () => false,
      ),
    ),
  )
  return new Map(distinct.map((host, at) => [host, answered[at]!]))
}
