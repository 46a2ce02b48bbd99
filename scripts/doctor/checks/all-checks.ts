import type { Lock } from '../../../shared/lock.ts'
import type { Settings } from '../../../shared/settings/schema.ts'
import { type DoctorCheck, fail, ok } from '../doctor-check.ts'
import type { TeachingMaterial } from '../exercise-impact.ts'
import type { Facts } from '../facts/facts.ts'
import { docker, podman, worldClock } from './engine.ts'
import { exercises } from './exercises.ts'
import { kernel } from './kernel.ts'
import { neighbours } from './neighbours.ts'
import { proxies } from './network.ts'
import { ports } from './ports.ts'
import { resources } from './resources.ts'
import { charts, images, pins, tools } from './supplies.ts'
import { system } from './system.ts'

// Judgement, apart from looking: facts in, checks out.

/**
 * Everything that can be said about whether a lab with these settings will stand up here, the gravest first within each part.
 * @param lessons exercises and policies, to say what of them a kernel costs; by default that is left out, and so are they.
 */
export function judge(settings: Settings, lock: Lock, facts: Facts, lessons?: TeachingMaterial): DoctorCheck[] {
  const supplies = [...pins(lock, facts), ...tools(facts), ...charts(facts), ...worldClock(facts)]
  const taught = lessons ? [exercises(settings, facts, lessons)] : []
  if (settings.cluster.mode === 'existing')
    return [
      system(facts),
      ok('cluster', 'Cluster', `context ${settings.cluster.context}: Docker and this machine's kernel play no part`),
      ...proxies(facts),
      ...supplies,
      ...taught,
    ]
  const { engine } = facts
  if ('problem' in engine || engine.product === 'Podman') {
    const no = 'problem' in engine ? engine.problem : podman(engine, facts)
    return [
      system(facts),
      fail('docker', 'Docker', { found: no.found, expected: no.expected, next: no.next }),
      ...kernel(settings, facts, lessons),
      ...ports(facts),
      ...proxies(facts),
      ...supplies,
      ...taught,
    ]
  }
  return [
    system(facts),
    ...docker(engine, facts),
    ...resources(engine, facts, lock),
    ...kernel(settings, facts, lessons),
    ...neighbours(settings, facts),
    ...ports(facts),
    ...proxies(facts),
    ...supplies,
    ...images(settings, lock, engine, facts),
    ...taught,
  ]
}
