import { readFileSync } from 'node:fs'
import { release, type } from 'node:os'
import { LabError } from '../../../shared/lab-error.ts'
import { type ChartName, imageRef, type Lock, type ToolName } from '../../../shared/lock.ts'
import type { Settings } from '../../../shared/settings/schema.ts'
import { isOurs } from '../../cluster/kind.ts'
import { clusters, type EngineFacts, engineFacts, remote } from '../../engine/engine-facts.ts'
import { isWslKernel } from '../../engine/products.ts'
import { type Decision, kernelDecision } from '../../kernel/decision.ts'
import { noFeatures } from '../../kernel/features.ts'
import { type Answer, askHosts } from './hosts.ts'
import { type InsideFacts, insideHere, insideMachine } from './machine.ts'
import { gatherPorts, type PortFacts } from './ports.ts'
import { type ProxyFacts, readProxies } from './proxies.ts'
import {
  findChangedCharts,
  findVersionMismatches,
  gatherFiles,
  gatherImages,
  type Supply,
  type SupplyFacts,
} from './supplies.ts'

// What the checks judge. Gathered side by side and without changing anything; what cannot be known is absent.

export interface Facts extends InsideFacts, SupplyFacts {
  os: string
  /** Its name, as in "Ubuntu 24.04.3 LTS". */
  osName: string
  /** Windows' Linux, which has no upstream support from KinD but works. */
  wsl: boolean
  engine: EngineFacts | { problem: LabError }
  /** kind is told by KIND_EXPERIMENTAL_PROVIDER to use this in Docker's place. */
  kindProvider?: string
  kernel: Decision
  ports: PortFacts[]
  /** The lab's own node runs: what it takes is taken by right. */
  running: boolean
  /** There is a cluster of the lab's name that another made. */
  foreignNode: boolean
  /** Names of other KinD clusters that run. */
  otherClusters: string[]
  proxies: ProxyFacts
  /** Hosts that something is to be fetched from, and how they answer. None is asked when everything is here. */
  hosts: Map<string, Answer>
}

/**
 * Looks at this machine.
 * @param patience milliseconds that the engine may take for each answer.
 */
export async function gatherFacts(
  settings: Settings,
  lock: Lock,
  charts: readonly ChartName[],
  tools: readonly ToolName[],
  patience: number,
): Promise<Facts> {
  const files = gatherFiles(lock, charts, tools)
  // Begun before the engine is known: one that hangs takes the time that the hosts take as well
  const fileHosts = files.then(supplies => askHosts(hostsOf([...supplies.tools, ...supplies.charts])))
  const [first, kernel, supplies, changedCharts] = await Promise.all([
    engineFacts(patience),
    kernelDecision({ cluster: settings.cluster, pull: false, patience }).catch(unasked),
    files,
    findChangedCharts(lock, charts),
  ])
  const { engine, containers, images } = await askEngine(first, settings, lock, kernel, patience)
  const answers = !('problem' in engine) && engine.product !== 'Podman'
  const nodeImage = images.find(image => image.here && image.name === imageRef(lock.nodeImage))?.name

  const { name } = settings.cluster
  const there = containers.some(container => container.cluster === name)
  const running = there && (await isOurs(name))
  const asked = hostsOf([...supplies.tools, ...supplies.charts])
  const [ports, hosts, imageHosts, inside] = await Promise.all([
    gatherPorts(settings, { running, elsewhere: answers && remote(engine), engine: answers }),
    fileHosts,
    askHosts(hostsOf(images).filter(host => !asked.includes(host))),
    answers ? lookInside(engine, nodeImage, patience) : {},
  ])
  return {
    os: process.platform,
    osName: osName(),
    wsl: isWslKernel(release()),
    engine,
    ...(process.env.KIND_EXPERIMENTAL_PROVIDER ? { kindProvider: process.env.KIND_EXPERIMENTAL_PROVIDER } : {}),
    kernel,
    ports,
    running,
    foreignNode: there && !running,
    otherClusters: [...new Set(containers.map(container => container.cluster).filter(cluster => cluster !== name))],
    ...inside,
    ...supplies,
    changedCharts,
    images,
    strangers: findVersionMismatches(lock),
    proxies: readProxies(),
    hosts: new Map([...hosts, ...imageHosts]),
  }
}

/** What the system calls itself. */
function osName(): string {
  if (process.platform !== 'linux') return `${type()} ${release()}`
  try {
    return /^PRETTY_NAME="?(.+?)"?$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'Linux'
  } catch {
    return 'Linux'
  }
}

const hostsOf = (supplies: readonly Supply[]): string[] => supplies.filter(({ here }) => !here).map(({ host }) => host)

/** What runs in an engine and what it holds. One that answered once and then does not is none. */
async function askEngine(
  engine: Facts['engine'],
  settings: Settings,
  lock: Lock,
  kernel: Decision,
  patience: number,
): Promise<Pick<Facts, 'engine' | 'images'> & { containers: Awaited<ReturnType<typeof clusters>> }> {
  if ('problem' in engine || engine.product === 'Podman') return { engine, containers: [], images: [] }
  try {
    const [containers, images] = await Promise.all([clusters(patience), gatherImages(settings, lock, kernel, patience)])
    return { engine, containers, images }
  } catch (error) {
    if (error instanceof LabError) return { engine: { problem: error }, containers: [], images: [] }
    throw error
  }
}

/** A machine of its own is looked into only where that is cheap: from an image that it has. */
async function lookInside(engine: EngineFacts, image: string | undefined, patience: number): Promise<InsideFacts> {
  if (engine.local) return insideHere(engine.dataRoot)
  return image && !remote(engine) ? insideMachine(image, patience) : {}
}

/** An engine that refuses to be asked about its kernel is judged by its own answer. */
function unasked(error: unknown): Decision {
  if (!(error instanceof LabError)) throw error
  return { source: 'replay', why: `The kernel was not asked: ${error.found}`, features: noFeatures, asked: 'nobody' }
}
