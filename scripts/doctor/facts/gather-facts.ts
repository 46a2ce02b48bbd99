import { readFileSync } from 'node:fs'
import { release, type } from 'node:os'
import { LabError } from '../../../shared/lab-error.ts'
import { type ChartName, imageRef, type Lock, type ToolName } from '../../../shared/lock.ts'
import type { Settings } from '../../../shared/settings/schema.ts'
import { isOwnCluster } from '../../cluster/cluster-records.ts'
import { type EnclosingContainer, enclosingContainer } from '../../engine/enclosing-container.ts'
import { type EngineFacts, isRemoteEngine, readEngineFacts, runningKindNodes } from '../../engine/engine-facts.ts'
import { isWslKernel } from '../../engine/products.ts'
import { type Decision, kernelDecision, undecided } from '../../kernel/decision.ts'
import { eventSource } from '../../kernel/event-source.ts'
import { type EngineMachineFacts, localMachineFacts, vmFacts } from './engine-machine.ts'
import { type HostResponse, probeHosts } from './host-facts.ts'
import { type PortFacts, portFacts } from './port-facts.ts'
import { type ProxyFacts, readProxies } from './proxy-facts.ts'
import {
  fileSupplies,
  findChangedCharts,
  findVersionMismatches,
  imageSupplies,
  type Supply,
  type SupplyFacts,
} from './supply-facts.ts'

/** What the checks judge. A value that cannot be determined is absent. */
export interface DoctorFacts extends EngineMachineFacts, SupplyFacts {
  os: string
  /** As in "Ubuntu 24.04.3 LTS". */
  osName: string
  /** The container in which the lab runs, instead of on the machine itself. */
  container?: EnclosingContainer
  /** kind does not support WSL officially, but works there. */
  wsl: boolean
  engine: EngineFacts | { problem: LabError }
  /** Value of KIND_EXPERIMENTAL_PROVIDER. */
  kindProvider?: string
  kernel: Decision
  ports: PortFacts[]
  /** The lab's own node is running, so its ports and its Tetragon agent are expected. */
  running: boolean
  /** A cluster with the lab's name exists that this lab did not create. */
  foreignCluster: boolean
  /** Names of the other kind clusters that are running. */
  otherClusters: string[]
  proxies: ProxyFacts
  /** The hosts of missing supplies, and how each responds. Empty when nothing is missing. */
  hosts: Map<string, HostResponse>
}

/**
 * Gathers the facts about this machine in parallel, without changing anything.
 * @param timeoutMs how long the engine may take for each call.
 */
export async function gatherFacts(
  settings: Settings,
  lock: Lock,
  charts: readonly ChartName[],
  tools: readonly ToolName[],
  timeoutMs: number,
): Promise<DoctorFacts> {
  const pendingFiles = fileSupplies(lock, charts, tools)
  // Starts before the engine has responded, because a slow host and a hanging engine each take their whole time limit.
  const pendingHosts = pendingFiles.then(files => probeHosts(missingHosts([...files.tools, ...files.charts])))
  const [engineInfo, kernel, files, changedCharts] = await Promise.all([
    readEngineFacts(timeoutMs),
    kernelDecision({ cluster: settings.cluster, pull: false, timeoutMs }).catch(notProbed),
    pendingFiles,
    findChangedCharts(lock, charts),
  ])
  const { engine, nodes, images } = await readEngineContents(engineInfo, settings, lock, kernel, timeoutMs)
  const usable = 'problem' in engine || engine.product === 'Podman' ? undefined : engine
  const nodeImage = images.find(image => image.present && image.name === imageRef(lock.nodeImage))?.name

  const { name } = settings.cluster
  const exists = nodes.some(({ cluster }) => cluster === name)
  const running = exists && (await isOwnCluster(name))
  const fileHosts = missingHosts([...files.tools, ...files.charts])
  const [ports, hosts, imageHosts, machine] = await Promise.all([
    portFacts(settings, { running, remote: usable !== undefined && isRemoteEngine(usable), engine: !!usable }),
    pendingHosts,
    probeHosts(missingHosts(images).filter(host => !fileHosts.includes(host))),
    usable ? engineMachineFacts(usable, nodeImage, timeoutMs) : {},
  ])
  return {
    os: process.platform,
    osName: osName(),
    container: enclosingContainer(),
    wsl: isWslKernel(release()),
    engine,
    kindProvider: process.env.KIND_EXPERIMENTAL_PROVIDER,
    kernel,
    ports,
    running,
    foreignCluster: exists && !running,
    otherClusters: [...new Set(nodes.map(({ cluster }) => cluster).filter(cluster => cluster !== name))],
    ...machine,
    ...files,
    changedCharts,
    images,
    versionMismatches: findVersionMismatches(lock),
    proxies: readProxies(),
    hosts: new Map([...hosts, ...imageHosts]),
  }
}

function osName(): string {
  if (process.platform !== 'linux') return `${type()} ${release()}`
  try {
    return /^PRETTY_NAME="?(.+?)"?$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'Linux'
  } catch {
    return 'Linux'
  }
}

const missingHosts = (supplies: readonly Supply[]): string[] =>
  supplies.filter(({ present }) => !present).map(({ host }) => host)

/** Reads the kind nodes and images of an engine. An engine that stops responding here counts as one that never did. */
async function readEngineContents(
  engine: DoctorFacts['engine'],
  settings: Settings,
  lock: Lock,
  kernel: Decision,
  timeoutMs: number,
): Promise<Pick<DoctorFacts, 'engine' | 'images'> & { nodes: Awaited<ReturnType<typeof runningKindNodes>> }> {
  if ('problem' in engine || engine.product === 'Podman') return { engine, nodes: [], images: [] }
  try {
    const [nodes, images] = await Promise.all([
      runningKindNodes(timeoutMs),
      imageSupplies(settings, lock, eventSource(settings, kernel), timeoutMs),
    ])
    return { engine, nodes, images }
  } catch (error) {
    if (error instanceof LabError) return { engine: { problem: error }, nodes: [], images: [] }
    throw error
  }
}

/** Reads a VM only where that is fast: through an image that its engine already has. */
async function engineMachineFacts(
  engine: EngineFacts,
  image: string | undefined,
  timeoutMs: number,
): Promise<EngineMachineFacts> {
  if (engine.local) return localMachineFacts(engine.dataRoot)
  return image && !isRemoteEngine(engine) ? vmFacts(image, timeoutMs) : {}
}

/** The engine's own problem is reported as such, so it must not stop the doctor here. */
function notProbed(error: unknown): Decision {
  if (error instanceof LabError) return undecided(error.found)
  throw error
}
