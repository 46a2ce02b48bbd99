import { hostname } from 'node:os'
import type { Settings } from '../../shared/settings/schema.ts'
import type { EngineFacts } from '../engine/engine-facts.ts'
import type { Product } from '../engine/products.ts'
import { eventSourceReason } from '../kernel/event-source.ts'
import type { Features } from '../kernel/features.ts'
import type { DoctorCheck } from './doctor-check.ts'
import { assessExercises, type ExerciseImpact, type TeachingMaterial } from './exercise-impact.ts'
import type { DoctorFacts } from './facts/gather-facts.ts'

/** What `lab doctor --json` prints, for the inventory of a school. The keys never change; an unknown value is null. */
export interface Inventory {
  /** No check fails, so the lab can start. */
  ready: boolean
  machine: Machine
  exercises: ExerciseImpact[]
  checks: DoctorCheck[]
}

export interface Machine {
  host: string
  /** linux, darwin. */
  os: string
  /** As in "Ubuntu 24.04.3 LTS". */
  osName: string
  /** Linux on Windows. */
  wsl: boolean
  /** The container in which the lab runs: GitHub Codespaces, a dev container. */
  container: string | null
  /** amd64, arm64. */
  arch: string
  /** Release of the kernel under the engine. */
  kernel: string | null
  engine: InventoryEngine | null
  /** Memory and processors of the engine. */
  memoryBytes: number | null
  memoryFreeBytes: number | null
  cpus: number | null
  diskFreeBytes: number | null
  /** The event source, and why; null where the kernel has not been probed. */
  source: 'live' | 'replay' | null
  why: string
  features: Features | null
}

interface InventoryEngine {
  product: Product
  version: string
  /** The platform of its images, as in linux/arm64. */
  platform: string
  /** Its operating system. */
  system: string
  endpoint: string
  /** It runs in a VM. */
  virtual: boolean
  rootless: boolean
  cgroup: 1 | 2
}

/** Assembles the inventory entry of this machine. */
export const describeMachine = (
  settings: Settings,
  facts: DoctorFacts,
  checks: DoctorCheck[],
  { exercises }: TeachingMaterial,
): Inventory => ({
  ready: checks.every(({ level }) => level !== 'fail'),
  machine: machineOf(settings, facts),
  exercises: assessExercises(exercises, settings, facts.kernel),
  checks,
})

function machineOf(settings: Settings, facts: DoctorFacts): Machine {
  const { kernel } = facts
  const engine = 'problem' in facts.engine ? undefined : facts.engine
  const probed = kernel.probed !== 'none'
  const { source } = settings.tetragon
  return {
    host: hostname(),
    os: facts.os,
    osName: facts.osName,
    wsl: facts.wsl,
    container: facts.container ?? null,
    arch: { x64: 'amd64' }[process.arch as string] ?? process.arch,
    kernel: engine?.kernel ?? kernel.kernel?.release ?? null,
    engine: engine ? engineOf(engine) : null,
    memoryBytes: engine?.memoryBytes ?? null,
    memoryFreeBytes: facts.availableMemoryBytes ?? null,
    cpus: engine?.cpus ?? null,
    diskFreeBytes: facts.freeDiskBytes ?? null,
    source: source !== 'auto' ? source : probed ? kernel.source : null,
    why: eventSourceReason(settings, kernel),
    features: probed ? kernel.features : null,
  }
}

const engineOf = (engine: EngineFacts): InventoryEngine => ({
  product: engine.product,
  version: engine.version,
  platform: engine.platform,
  system: engine.system,
  endpoint: engine.endpoint,
  virtual: !engine.local,
  rootless: engine.rootless,
  cgroup: engine.cgroup,
})
