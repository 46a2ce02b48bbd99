import { type Settings, setCommand } from '../../../shared/settings/schema.ts'
import { type DoctorCheck, ok, warn } from '../doctor-check.ts'
import { few, type Possible, possible, type TeachingMaterial } from '../exercise-impact.ts'
import type { Facts } from '../facts/facts.ts'

/** How many exercises can be done in a lab that stands up here, and why the others cannot. */
export function exercises(settings: Settings, { kernel }: Facts, lessons: TeachingMaterial): DoctorCheck {
  const all = possible(lessons.exercises, settings, kernel)
  const count = (can: Possible['can']): number => all.filter(each => each.can === can).length
  const whole = `${count('all')} of ${all.length} can be done here in full`
  const open = count('unknown')
  const short = all.filter(({ can }) => can === 'some' || can === 'none')
  if (short.length === 0)
    return ok(
      'exercises',
      'Exercises',
      open > 0 ? `${whole}; ${open} take the live kernel, which \`lab up\` asks` : whole,
    )
  const left = short.map(
    ({ name, tasks, doable }) => `${name} ${doable === 0 ? 'not at all' : `${doable} of ${tasks} tasks`}`,
  )
  const [, path, wanted] = /^(\S+) is \S+, and must be (\S+)$/.exec(short[0]!.why ?? '') ?? []
  return warn('exercises', 'Exercises', {
    found: `${count('all')} of ${all.length} can be done here in full; ${few(left)}: ${short[0]!.why}`,
    expected: 'all of them, with a live kernel',
    next: path ? setCommand(path, wanted!) : './lab exercise list',
  })
}
