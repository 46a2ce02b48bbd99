import type { Lock } from './lock.ts'
import type { Settings } from './settings/schema.ts'

/** Where events come from: the real agent, or a recording of one. */
export type EventSource = 'live' | 'replay'

/** Everything that determines which resources a lab has. */
export interface Lab {
  settings: Settings
  lock: Lock
  source: EventSource
}
