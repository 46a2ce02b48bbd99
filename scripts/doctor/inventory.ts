import { hostname } from 'node:os'
import type { Settings } from '../../shared/settings/schema.ts'
import type { Product } from '../engine/products.ts'
import type { Features } from '../kernel/features.ts'
import type { DoctorCheck } from './doctor-check.ts'
import { type Possible, possible, type TeachingMaterial } from './exercise-impact.ts'
import type { Facts } from './facts/facts.ts'

/**
 * What `lab doctor --json` prints: one machine of a school's inventory. Keys stay as they are; what is not known is null.
 */
export interface Inventory {
  /** The lab will stand up: no check fails. */
  ready: boolean
  machine: Machine
  exercises: Possible[]
  checks: DoctorCheck[]
}

export interface Machine {
  host: string
  /** linux, darwin. */
  os: string
  /** As in "Ubuntu 24.04.3 LTS". */
  osName: string
  /** Linux inside Windows. */
  wsl: boolean
  /** amd64, arm64. */
  arch: string
  /** Of the kernel under the engine. */
  kernel: string | null
  engine: {
    product: Product
    version: string
    /** As in linux/arm64: images are for this one. */
    platform: string
    /** Name of its own system. */
    system: string
    endpoint: string
    /** It runs in a virtual machine. */
    virtual: boolean
    rootless: boolean
    cgroup: 1 | 2
  } | null
  /** What the engine has of it, in bytes, and how many. */
  memoryBytes: number | null
  memoryFreeBytes: number | null
  cpus: number | null
  diskFreeBytes: number | null
  /** Where events would come from, and why; null where nobody could ask the kernel yet. */
  source: 'live' | 'replay' | null
  why: string
  /** What the kernel can; null as above. */
  features: Features | null
}

/** The inventory of this machine. */
export function inventory(
  settings: Settings,
  facts: Facts,
  checks: DoctorCheck[],
  lessons: TeachingMaterial,
): Inventory {
  const { kernel, engine } = facts
  const answers = 'problem' in engine ? undefined : engine
  const set = settings.tetragon.source
  const known = kernel.asked !== 'nobody'
  return {
    ready: checks.every(({ level }) => level !== 'fail'),
    machine: {
      host: hostname(),
      os: facts.os,
      osName: facts.osName,
      wsl: facts.wsl,
      arch: { x64: 'amd64' }[process.arch as string] ?? process.arch,
      kernel: answers?.kernel ?? kernel.kernel?.release ?? null,
      engine: answers
        ? {
            product: answers.product,
            version: answers.version,
            platform: answers.platform,
            system: answers.system,
            endpoint: answers.endpoint,
            virtual: !answers.local,
            rootless: answers.rootless,
            cgroup: answers.cgroup,
          }
        : null,
      memoryBytes: answers?.memoryBytes ?? null,
      memoryFreeBytes: facts.availableBytes ?? null,
      cpus: answers?.cpus ?? null,
      diskFreeBytes: facts.diskBytes ?? null,
      source: set !== 'auto' ? set : known ? kernel.source : null,
      why: set === 'auto' ? kernel.why : `tetragon.source is set to ${set}`,
      features: known ? kernel.features : null,
    },
    exercises: possible(lessons.exercises, settings, kernel),
    checks,
  }
}
