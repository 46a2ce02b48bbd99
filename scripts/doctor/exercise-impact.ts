import type { Settings } from '../../shared/settings/schema.ts'
import { at } from '../../shared/validation/schema-errors.ts'
import { doableTasks } from '../exercise/definition/capabilities.ts'
import type { Exercise } from '../exercise/definition/exercises.ts'
import type { Decision } from '../kernel/decision.ts'
import { eventSource, eventSourceReason } from '../kernel/event-source.ts'
import { type Feature, type Features, featureNames, noFeatures } from '../kernel/features.ts'
import type { CatalogEntry } from '../policy/catalog.ts'
import { monitorSuffix } from '../policy/model/policy-model.ts'

/** The exercises, and the policies that they and others use. */
export interface TeachingMaterial {
  exercises: readonly Exercise[]
  policies: readonly CatalogEntry[]
}

/** How much of an exercise can be completed on this machine. */
export interface ExerciseImpact {
  name: string
  title: string
  track: string
  /** `unknown`: it depends on the kernel, which has not been probed. */
  can: 'all' | 'some' | 'none' | 'unknown'
  /** The number of its tasks. */
  tasks: number
  /** The number of its tasks that can be completed. */
  doable: number
  /** Why the others cannot be; absent where all can. */
  why?: string
}

const allFeatures = Object.fromEntries(featureNames.map(name => [name, true])) as unknown as Features

/** Assesses how much of each exercise can be completed in a lab with these settings on this kernel. */
export function assessExercises(
  exercises: readonly Exercise[],
  settings: Settings,
  kernel: Decision,
): ExerciseImpact[] {
  const unknownKernel = kernel.probed === 'none' && settings.tetragon.source !== 'replay'
  const here = {
    source: eventSource(settings, kernel),
    why: eventSourceReason(settings, kernel),
    // What can be completed without any feature can be completed on every kernel.
    features: unknownKernel ? noFeatures : kernel.features,
    settings,
  }
  return exercises.map(exercise => {
    const { name, title, track, tasks } = exercise
    const { tasks: can, left } = doableTasks(exercise, here)
    const impact = { name, title, track, tasks: tasks.length, doable: can.length }
    if (left.length === 0) return { ...impact, can: 'all' }
    const best = doableTasks(exercise, { ...here, source: 'live', features: allFeatures })
    if (unknownKernel && !left.some(({ task }) => best.left.some(each => each.task === task)))
      return { ...impact, can: 'unknown', why: here.why }
    return { ...impact, can: can.length > 0 ? 'some' : 'none', why: left[0]!.why }
  })
}

/** Returns the first setting, with its required value, that this exercise or one of its tasks needs to be different. */
export function unmetSetting(
  { needs, tasks }: Exercise,
  settings: Settings,
): [path: string, value: unknown] | undefined {
  const required = [needs, ...tasks.map(task => task.needs)].flatMap(each => Object.entries(each?.settings ?? {}))
  return required.find(([path, value]) => at(settings, path.split('.')) !== value)
}

/** Lists the tasks and policies that do not work without these features; empty when all do. */
export function missingFeatureImpact(missing: readonly Feature[], { exercises, policies }: TeachingMaterial): string {
  const uses = (features: readonly Feature[] = []): boolean => features.some(feature => missing.includes(feature))
  const affectedTasks = exercises.flatMap(({ name, needs, tasks }) => {
    const affected = uses(needs.features) ? tasks : tasks.filter(task => uses(task.needs?.features))
    return affected.length > 0 ? [`${affected.length} of ${tasks.length} tasks of ${name}`] : []
  })
  const affectedPolicies = policies
    .filter(({ name, features }) => !name.endsWith(monitorSuffix) && uses(features))
    .map(({ name }) => name)
  const parts: string[] = []
  if (affectedTasks.length > 0) parts.push(abbreviate(affectedTasks))
  if (affectedPolicies.length > 0)
    parts.push(`${affectedPolicies.length === 1 ? 'policy' : 'policies'} ${abbreviate(affectedPolicies)}`)
  return parts.join(', ')
}

/** Lists up to four names, or the first three and the number of the others. */
export const abbreviate = (names: readonly string[]): string =>
  names.length > 4 ? `${names.slice(0, 3).join(', ')} and ${names.length - 3} more` : names.join(', ')
