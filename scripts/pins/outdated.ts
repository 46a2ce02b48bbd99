import pLimit from 'p-limit'
import { LabError } from '../../shared/lab-error.ts'
import type { Lock } from '../../shared/lock.ts'
import { newestChart } from './chart-repository.ts'
import { openRepository } from './image-registry.ts'
import type { Pin } from './pins.ts'
import { newestRelease } from './releases.ts'
import { changeBetween, newestVersion } from './version.ts'

/** A pin and the newest version that its publisher has. */
export interface PinAge {
  pin: string
  current: string
  /** Absent for a pin that stays or follows another, and where the publisher did not say. */
  newest?: string
  /** Absent where the current version is the newest. */
  change?: 'major' | 'minor' | 'patch'
  follows?: string
  held?: string
  /** Why the publisher did not say. */
  problem?: string
}

/** Returns the newest version of a pin. @throws LabError when its publisher does not respond or does not say. */
export async function newestOf(pin: Pin, lock: Lock): Promise<string> {
  switch (pin.kind) {
    case 'chart':
      return newestChart(lock, pin.name)
    case 'image':
      return newestVersion(pin.version, await openRepository(lock.images[pin.name].repository).tags())
    case 'tool':
      return newestRelease(lock, pin.name)
    case 'node image':
      throw new Error('The node image follows kind')
  }
}

/** Looks up the newest version of each pin. A publisher that does not respond is in the result, not an error. */
export function findOutdated(pins: readonly Pin[], lock: Lock): Promise<PinAge[]> {
  const limit = pLimit(6)
  return Promise.all(pins.map(pin => limit(() => ageOf(pin, lock))))
}

async function ageOf(pin: Pin, lock: Lock): Promise<PinAge> {
  const { id, version: current, follows, held } = pin
  const age: PinAge = { pin: id, current, ...(follows && { follows }), ...(held && { held }) }
  if (follows || held) return age
  try {
    const newest = await newestOf(pin, lock)
    const change = changeBetween(current, newest)
    return { ...age, newest, ...(change && { change }) }
  } catch (error) {
    if (error instanceof LabError) return { ...age, problem: error.found }
    throw error
  }
}
