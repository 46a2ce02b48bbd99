import { setCommand } from '../../../shared/settings/config-commands.ts'
import type { Settings } from '../../../shared/settings/schema.ts'
import { type DoctorCheck, ok, warn } from '../doctor-check.ts'
import { abbreviate, assessExercises, type TeachingMaterial, unmetSetting } from '../exercise-impact.ts'
import type { DoctorFacts } from '../facts/gather-facts.ts'

/** Counts the exercises that students can complete on this machine, and gives the reason for the others. */
export function exerciseCheck(
  settings: Settings,
  { kernel }: DoctorFacts,
  { exercises }: TeachingMaterial,
): DoctorCheck {
  const impacts = assessExercises(exercises, settings, kernel)
  const complete = impacts.filter(({ can }) => can === 'all').length
  const unknown = impacts.filter(({ can }) => can === 'unknown').length
  const limited = impacts.filter(({ can }) => can === 'some' || can === 'none')
  const summary = `${complete} of ${impacts.length} can be completed here`
  if (limited.length === 0)
    return ok(
      'exercises',
      'Exercises',
      unknown > 0 ? `${summary}; ${unknown} need a live kernel, which \`lab up\` probes` : summary,
    )
  const list = limited.map(({ name, tasks, doable }) => `${name} (${doable} of ${tasks} tasks)`)
  const setting = limited
    .map(({ name }) => unmetSetting(exercises.find(exercise => exercise.name === name)!, settings))
    .find(found => found !== undefined)
  return warn('exercises', 'Exercises', {
    found: `${summary}. Limited: ${abbreviate(list)}: ${limited[0]!.why}`,
    next: setting ? setCommand(...setting) : './lab exercise list',
  })
}
