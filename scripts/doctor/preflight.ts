import { LabError } from '../../shared/lab-error.ts'
import { type Lock, type ToolName, toolNames } from '../../shared/lock.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { requiredCharts } from '../supplies/charts.ts'
import { allChecks } from './checks/all-checks.ts'
import type { DoctorCheck } from './doctor-check.ts'
import { type DoctorFacts, gatherFacts } from './facts/gather-facts.ts'
import { describeMachine, type Inventory } from './inventory.ts'

/** `tetra` is downloaded on first use, and Node is already running. */
const requiredTools = toolNames.filter((name): name is ToolName => name !== 'tetra' && name !== 'node')

/**
 * How long the engine may take for each call. `lab doctor` finishes within 3 s; `lab up` waits for a VM that has just
 * resumed.
 */
const engineTimeoutMs = { doctor: 1500, up: 10_000 }

const factsFor = (settings: Settings, lock: Lock, timeoutMs: number): Promise<DoctorFacts> =>
  gatherFacts(settings, lock, requiredCharts(settings), requiredTools, timeoutMs)

/**
 * Checks whether a lab with these settings can start on this machine, without changing anything.
 * @throws LabError when an address in the lock file is invalid.
 */
export async function runChecks(settings: Settings, lock: Lock): Promise<DoctorCheck[]> {
  return allChecks(settings, lock, await factsFor(settings, lock, engineTimeoutMs.up))
}

/** Runs the checks within 3 s, and adds a description of the machine and of the exercises that work on it. */
export async function takeInventory(
  settings: Settings,
  lock: Lock,
  timeoutMs = engineTimeoutMs.doctor,
): Promise<Inventory> {
  const { readExercises } = await import('../exercise/definition/exercises.ts')
  const { readCatalog } = await import('../policy/catalog.ts')
  const pendingFacts = factsFor(settings, lock, timeoutMs)
  const material = { exercises: readExercises(), policies: readCatalog() }
  const facts = await pendingFacts
  return describeMachine(settings, facts, allChecks(settings, lock, facts, material), material)
}

/** @throws LabError for the first check that fails. */
export async function requireHealthy(settings: Settings, lock: Lock): Promise<void> {
  const failure = (await runChecks(settings, lock)).find(({ level }) => level === 'fail')
  if (failure) throw new LabError(failure)
}
