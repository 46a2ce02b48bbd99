import { LabError } from '../../stacks/error.ts'
import { type Lock, type ToolName, toolNames } from '../../stacks/lock.ts'
import type { Settings } from '../../stacks/settings.ts'
import { chartsOf } from '../tools/charts.ts'
import { type Check, judge } from './checks.ts'
import { gatherFacts } from './facts.ts'

/** Programs that a lab takes; `tetra` is fetched when it is asked for, and Node is there. */
const neededTools = toolNames.filter((name): name is ToolName => name !== 'tetra' && name !== 'node')

/**
 * Whether a lab with these settings will stand up on this machine, found out without changing anything, within two seconds.
 * @throws LabError for a lock that cannot be read as it stands.
 */
export async function preflight(settings: Settings, lock: Lock): Promise<Check[]> {
  return judge(settings, lock, await gatherFacts(settings, lock, chartsOf(settings), neededTools))
}

/** @throws LabError for the first check that fails. */
export async function requireHealthy(settings: Settings, lock: Lock): Promise<void> {
  const broken = (await preflight(settings, lock)).find(check => check.level === 'fail')
  if (broken) throw new LabError(broken)
}
