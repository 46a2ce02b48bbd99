import { LabError } from '../../shared/lab-error.ts'
import { type Lock, type ToolName, toolNames } from '../../shared/lock.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { chartsOf } from '../supplies/charts.ts'
import { judge } from './checks/all-checks.ts'
import type { DoctorCheck } from './doctor-check.ts'
import { type Facts, gatherFacts } from './facts/facts.ts'
import { type Inventory, inventory } from './inventory.ts'

/** Programs that a lab takes; `tetra` is fetched when it is asked for, and Node is there. */
const neededTools = toolNames.filter((name): name is ToolName => name !== 'tetra' && name !== 'node')

/**
 * Milliseconds that an engine may take for an answer: the doctor answers within three seconds himself; before an `up` there is time for one
 * that has just woken.
 */
const patience = { doctor: 1500, up: 10_000 }

const look = (settings: Settings, lock: Lock, patience: number): Promise<Facts> =>
  gatherFacts(settings, lock, chartsOf(settings), neededTools, patience)

/**
 * Whether a lab with these settings will stand up on this machine, found out without changing anything.
 * @throws LabError for a lock that cannot be read as it stands.
 */
export async function preflight(settings: Settings, lock: Lock): Promise<DoctorCheck[]> {
  return judge(settings, lock, await look(settings, lock, patience.up))
}

/**
 * The same within three seconds, with what this machine is and which exercises can be done on it.
 * @param enginePatience milliseconds that the engine may take for each answer.
 */
export async function examine(settings: Settings, lock: Lock, enginePatience = patience.doctor): Promise<Inventory> {
  const { readExercises } = await import('../exercise/definition/exercises.ts')
  const { readCatalog } = await import('../policy/catalog.ts')
  const looking = look(settings, lock, enginePatience)
  // Read while the engine and hosts are waited for
  const lessons = { exercises: readExercises(), policies: readCatalog() }
  const facts = await looking
  return inventory(settings, facts, judge(settings, lock, facts, lessons), lessons)
}

/** @throws LabError for the first check that fails. */
export async function requireHealthy(settings: Settings, lock: Lock): Promise<void> {
  const broken = (await preflight(settings, lock)).find(check => check.level === 'fail')
  if (broken) throw new LabError(broken)
}
