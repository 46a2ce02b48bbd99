import { readFileSync } from 'node:fs'
import { readdir, readFile, statfs } from 'node:fs/promises'
import { release } from 'node:os'
import type { LabError } from '../../stacks/error.ts'
import type { ChartName, Lock, ToolName } from '../../stacks/lock.ts'
import type { Settings } from '../../stacks/settings.ts'
import { isOurs } from '../cluster/kind.ts'
import { clusters, type EngineFacts, engineFacts, remote } from './engine.ts'
import { type Decision, kernelDecision } from './kernel.ts'
import { gatherPorts, type PortFacts } from './ports.ts'
import { askHosts, findChangedCharts, findStrangers, gatherSupplies, type Supply } from './supplies.ts'

// What the checks judge. Gathered side by side and without changing anything; what cannot be known is absent.

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

export async function gatherFacts(
  settings: Settings,
  lock: Lock,
  charts: readonly ChartName[],
  tools: readonly ToolName[],
): Promise<Facts> {
  const [engine, kernel] = await Promise.all([engineFacts(), kernelDecision({ pull: false })])
  const answers = !('problem' in engine)
  const local = answers && engine.local
  const [containers, inotify, tetragons, supplies, changedCharts] = await Promise.all([
    answers ? clusters() : [],
    local ? readInotify() : undefined,
    local ? countTetragons() : undefined,
    gatherSupplies(settings, lock, charts, tools, answers, kernel),
    findChangedCharts(lock, charts),
  ])
  const { name } = settings.cluster
  const ours = await isOurs(name)
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
