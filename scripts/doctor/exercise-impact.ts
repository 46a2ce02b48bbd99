import type { Settings } from '../../shared/settings/schema.ts'
import type { Exercise } from '../exercise/definition/exercises.ts'
import { doable } from '../exercise/definition/requirements.ts'
import type { Decision } from '../kernel/decision.ts'
import { type Feature, noFeatures } from '../kernel/features.ts'
import type { CatalogEntry } from '../policy/catalog.ts'
import { monitorSuffix } from '../policy/model/policy-model.ts'

// What a kernel is worth to a class: which exercises can pass with it, and what the lack of something costs. Pure.

/** What is taught: exercises, and the policies that they and others use. */
export interface TeachingMaterial {
  exercises: readonly Exercise[]
  policies: readonly CatalogEntry[]
}

/** What of an exercise can be done here. */
export interface Possible {
  name: string
  title: string
  track: string
  /** `unknown`: it takes the kernel, and nobody could ask it yet. */
  can: 'all' | 'some' | 'none' | 'unknown'
  /** How many tasks it has, and how many can be done. */
  tasks: number
  doable: number
  /** Why not all of it; absent where all can be done. */
  why?: string
}

/** What of each exercise could be done in a lab of these settings on this kernel. */
export function possible(exercises: readonly Exercise[], settings: Settings, kernel: Decision): Possible[] {
  const set = settings.tetragon.source
  const source = set === 'auto' ? kernel.source : set
  const why = set === 'replay' ? 'tetragon.source is set to replay' : kernel.why
  const unknown = kernel.asked === 'nobody' && set !== 'replay'
  return exercises.map(exercise => {
    const { name, title, track, tasks } = exercise
    // A kernel that nobody asked is taken for one that can nothing: what can be done even so is certain
    const features = unknown ? noFeatures : kernel.features
    const { tasks: can, left } = doable(exercise, { source, why, features, settings })
    const said = { name, title, track, tasks: tasks.length, doable: can.length }
    if (left.length === 0) return { ...said, can: 'all' }
    if (unknown && left.every(({ why }) => !why.includes(' must be '))) return { ...said, can: 'unknown', why }
    return { ...said, can: can.length > 0 ? 'some' : 'none', why: left[0]!.why }
  })
}

/** What the lack of features costs, in words; empty when nothing. */
export function costOf(lacking: readonly Feature[], { exercises, policies }: TeachingMaterial): string {
  const touched = exercises.flatMap(({ name, needs, tasks }) => {
    const whole = needs.features.some(feature => lacking.includes(feature))
    const some = whole ? tasks : tasks.filter(task => task.needs?.features.some(feature => lacking.includes(feature)))
    return some.length > 0 ? [`${some.length} of ${tasks.length} tasks of ${name}`] : []
  })
  const refused = policies
    .filter(
      ({ name, features }) => !name.endsWith(monitorSuffix) && features.some(feature => lacking.includes(feature)),
    )
    .map(({ name }) => name)
  const parts = [
    ...(touched.length > 0 ? [few(touched)] : []),
    ...(refused.length > 0 ? [`${refused.length === 1 ? 'policy' : 'policies'} ${few(refused)}`] : []),
  ]
  return parts.join(', ')
}

/** The first three by name, the others by number. */
export const few = (names: readonly string[]): string =>
  names.length > 4 ? `${names.slice(0, 3).join(', ')} and ${names.length - 3} more` : names.join(', ')
