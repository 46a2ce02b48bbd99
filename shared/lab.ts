import type { Lock } from './lock.ts'
import type { Settings } from './settings/schema.ts'

/** Where the lab's events come from: the real agent, or a recording of one. */
export type EventSource = 'live' | 'replay'

/** Everything that decides what a lab is made of. */
export interface Lab {
  settings: Settings
  /** The pinned versions, addresses and digests. */
  lock: Lock
  source: EventSource
}
