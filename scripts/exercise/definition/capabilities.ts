import type { Settings } from '../../../shared/settings/schema.ts'
import { at } from '../../../shared/validation/schema-errors.ts'
import { type Feature, featureDescriptions } from '../../kernel/features.ts'
import type { Exercise } from './exercises.ts'
import type { Needs, Task } from './schema.ts'

/** What exercises can use here: the lab that runs, or the one that `./lab up` would start. */
export interface Capabilities {
  /** Where events come from. */
  source: 'live' | 'replay'
  /** Why the events come from there. */
  why: string
  features: Record<Feature, boolean>
  settings: Settings
  /** Unique id of the cluster, absent when none runs. What an exercise set up is lost with its cluster. */
  cluster?: string
}

/** The tasks of an exercise that can be done here, and the others with the reason. */
export interface TaskChoice {
  tasks: Task[]
  left: { task: Task; why: string }[]
}

/** Separates the tasks that can be done here from the others. */
export function doableTasks({ needs, tasks }: Exercise, capabilities: Capabilities): TaskChoice {
  const forAll = unmetNeed(needs, capabilities)
  const left = tasks.flatMap(task => {
    const why = forAll ?? (task.needs && unmetNeed(task.needs, capabilities))
    return why ? [{ task, why }] : []
  })
  return { tasks: tasks.filter(task => !left.some(each => each.task === task)), left }
}

/** Returns why these needs are not met here; undefined when they are. */
export function unmetNeed(needs: Needs, { source, why, features, settings }: Capabilities): string | undefined {
  if (needs.source !== 'any' && needs.source !== source)
    return needs.source === 'live'
      ? `needs live Tetragon${replayReason(why)}`
      : 'needs a recording, but Tetragon is live here'
  const missing = needs.features.filter(feature => !features[feature])
  if (missing.length > 0)
    return `the kernel lacks ${missing.map(feature => featureDescriptions[feature]).join(' and ')}`
  for (const [path, wanted] of Object.entries(needs.settings)) {
    const value = at(settings, path.split('.'))
    if (value !== wanted) return `${path} is ${value}, and must be ${wanted}`
  }
  return undefined
}

const replayReason = (why: string): string => `, but this lab replays a recording: ${why}`

/** Returns a reason without the part that is the same for all: why this lab replays a recording. */
export const shortReason = (reason: string, { why }: Capabilities): string => reason.replace(replayReason(why), '')

/** Returns the needs beyond a running lab in words; empty for none. */
export const describeNeeds = ({ source, features, settings }: Needs): string =>
  [
    { any: '', live: 'live Tetragon', replay: 'a recording' }[source],
    features.length > 0 ? `kernel features: ${features.map(feature => featureDescriptions[feature]).join(', ')}` : '',
    ...Object.entries(settings).map(([path, value]) => `${path}: ${value}`),
  ]
    .filter(Boolean)
    .join('; ')

/** Returns each reason once, with the tasks that it keeps out. */
export const groupByReason = (left: { task: { id: string }; why: string }[]): { why: string; tasks: string[] }[] =>
  [...Map.groupBy(left, ({ why }) => why)].map(([why, each]) => ({ why, tasks: each.map(({ task }) => task.id) }))
