import * as pulumi from '@pulumi/pulumi'
import { type Decision, kernelDecision } from '../scripts/doctor/kernel.ts'
import { type Lock, readLock } from './lock.ts'
import { type Settings, settingsFromConfig } from './settings.ts'

/** What a lab is made from: what the user has set, what is pinned, and where its events come from. */
export interface Lab {
  settings: Settings
  lock: Lock
  /** `live` where the kernel can run Tetragon, or where the user insists; else `replay`. */
  source: 'live' | 'replay'
}

/**
 * Reads the stack's configuration and the lock, and lets the kernel decide where the settings leave it open.
 * @throws LabError for a wrong setting or lock.
 */
export async function readLab(): Promise<Lab> {
  const settings = settingsFromConfig(pulumi.runtime.allConfig())
  return {
    settings,
    lock: readLock(),
    source: await decideSource(settings, () => kernelDecision({ cluster: settings.cluster })),
  }
}

/** The source of events: as set, or as the kernel allows when the setting is `auto`. */
export async function decideSource(settings: Settings, decide: () => Promise<Decision>): Promise<'live' | 'replay'> {
  return settings.tetragon.source === 'auto' ? (await decide()).source : settings.tetragon.source
}
