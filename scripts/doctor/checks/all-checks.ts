import type { Lock } from '../../../shared/lock.ts'
import type { Settings } from '../../../shared/settings/schema.ts'
import { type DoctorCheck, fail, ok } from '../doctor-check.ts'
import type { TeachingMaterial } from '../exercise-impact.ts'
import type { DoctorFacts } from '../facts/gather-facts.ts'
import { clockChecks, dockerChecks, podmanCheck } from './docker-checks.ts'
import { exerciseCheck } from './exercise-check.ts'
import { kernelChecks } from './kernel-checks.ts'
import { neighborChecks } from './neighbor-checks.ts'
import { portChecks } from './port-checks.ts'
import { proxyChecks } from './proxy-checks.ts'
import { resourceChecks } from './resource-checks.ts'
import { chartCheck, imageCheck, lockCheck, toolCheck } from './supply-checks.ts'
import { systemCheck } from './system-check.ts'

/**
 * Judges whether a lab with these settings can start on a machine with these facts. Reads nothing else.
 * @param material adds what the kernel means for exercises and policies.
 */
export function allChecks(
  settings: Settings,
  lock: Lock,
  facts: DoctorFacts,
  material?: TeachingMaterial,
): DoctorCheck[] {
  const { engine } = facts
  const supplies = [lockCheck(lock, facts), toolCheck(facts), chartCheck(facts), ...clockChecks(facts)]
  const exercises = material ? [exerciseCheck(settings, facts, material)] : []
  const { mode, context } = settings.cluster
  if (mode === 'existing')
    return [
      systemCheck(facts),
      ok('cluster', 'Cluster', `context ${context}: the Docker engine and kernel of this machine are not used`),
      ...kernelChecks(settings, facts, material),
      ...proxyChecks(facts),
      ...supplies,
      ...exercises,
    ]
  if ('problem' in engine || engine.product === 'Podman')
    return [
      systemCheck(facts),
      'problem' in engine ? fail('docker', 'Docker', engine.problem) : podmanCheck(engine, facts),
      ...kernelChecks(settings, facts, material),
      ...portChecks(facts),
      ...proxyChecks(facts),
      ...supplies,
      ...exercises,
    ]
  return [
    systemCheck(facts),
    ...dockerChecks(engine, facts),
    ...resourceChecks(engine, facts, lock),
    ...kernelChecks(settings, facts, material),
    ...neighborChecks(settings, facts),
    ...portChecks(facts),
    ...proxyChecks(facts),
    ...supplies,
    imageCheck(settings, lock, engine, facts),
    ...exercises,
  ]
}
