import type { Settings } from '../../../shared/settings/schema.ts'
import { featureWords } from '../../kernel/feature-words.ts'
import type { Feature } from '../../kernel/features.ts'
import type { Exercise } from './exercises.ts'
import type { Needs, Task } from './schema.ts'

/** What this machine and its lab offer an exercise. */
export interface Capabilities {
  /** What runs, or what would: where events come from. */
  source: 'live' | 'replay'
  /** Why it is that one. */
  why: string
  features: Record<Feature, boolean>
  settings: Settings
  /** Which cluster it is, among all that there ever were: what an exercise has set up is gone with it. Undefined where none runs. */
  cluster?: string
}

const played = (why: string): string => `, and here a recording is played: ${why}`

/** A reason without the part that is the same for all: why a recording is played here. */
export const shortReason = (reason: string, { why }: Capabilities): string => reason.replace(played(why), '')

/** Why something with these needs cannot be done here; undefined when it can. */
export function obstacle(needs: Needs, { source, why, features, settings }: Capabilities): string | undefined {
  if (needs.source !== 'any' && needs.source !== source)
    return needs.source === 'live'
      ? `needs the live Tetragon${played(why)}`
      : 'needs a recording, and here Tetragon itself runs'
  const lacking = needs.features.filter(feature => !features[feature])
  if (lacking.length > 0) return `the kernel lacks ${lacking.map(feature => featureWords[feature]).join(' and ')}`
  for (const [path, wanted] of Object.entries(needs.settings)) {
    const value = path
      .split('.')
      .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], settings)
    if (value !== wanted) return `${path} is ${value}, and must be ${wanted}`
  }
  return undefined
}

/** What is needed beyond a lab that is up, in words; empty for nothing. */
export const needsInWords = ({ source, features, settings }: Needs): string =>
  [
    { any: '', live: 'a live Tetragon', replay: 'a recording that is played' }[source],
    features.length > 0 ? `of the kernel ${features.map(feature => featureWords[feature]).join(', ')}` : '',
    ...Object.entries(settings).map(([path, value]) => `${path}: ${value}`),
  ]
    .filter(Boolean)
    .join('; ')

/** Reasons why tasks are left out, each with those that it is the reason for. */
export const leftOut = (left: { task: { id: string }; why: string }[]): { why: string; tasks: string[] }[] =>
  [...Map.groupBy(left, ({ why }) => why)].map(([why, each]) => ({ why, tasks: each.map(({ task }) => task.id) }))

/** Tasks that can be done here, and why the others cannot. An exercise that cannot be done at all has none. */
export function doable(
  { needs, tasks }: Exercise,
  offer: Capabilities,
): { tasks: Task[]; left: { task: Task; why: string }[] } {
  const all = obstacle(needs, offer)
  const left = tasks.flatMap(task => {
    const why = all ?? (task.needs && obstacle(task.needs, offer))
    return why ? [{ task, why }] : []
  })
  return { tasks: tasks.filter(task => !left.some(each => each.task === task)), left }
}
