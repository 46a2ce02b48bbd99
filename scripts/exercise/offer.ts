import { LabError } from '../../stacks/error.ts'
import { kernelDecision } from '../doctor/kernel.ts'
import { readSettings } from '../settings.ts'
import { runningSource } from '../tetra.ts'
import type { Offer } from './available.ts'

/** What there is to do exercises with: of the lab that runs, else of the one that would. */
export async function currentOffer(): Promise<Offer & { running: boolean }> {
  const settings = readSettings()
  const [decision, source] = await Promise.all([kernelDecision({ pull: false }), whatRuns()])
  const set = settings.tetragon.source
  return {
    settings,
    features: decision.features,
    running: source !== undefined,
    source: source ?? (set === 'auto' ? decision.source : set),
    why: set === 'replay' ? 'tetragon.source is set to replay' : decision.why,
  }
}

async function whatRuns(): Promise<'live' | 'replay' | undefined> {
  try {
    const source = await runningSource()
    return source === 'none' ? undefined : source
  } catch (error) {
    if (error instanceof LabError) return undefined
    throw error
  }
}
