import { join } from 'node:path'
import { execa } from 'execa'
import type { PlannedResource, Recording } from '../../../scripts/plan/fake-engine.ts'

/** Plans the lab with each of these settings, in one process. */
export async function planEach<Name extends string>(
  settings: Record<Name, Record<string, unknown>>,
  env: Record<string, string>,
): Promise<Record<Name, Recording>> {
  const names = Object.keys(settings) as Name[]
  const { stdout } = await execa(process.execPath, [join(import.meta.dirname, 'plan-runner.ts')], {
    input: JSON.stringify(Object.values(settings)),
    env,
    stderr: 'inherit',
  })
  const recordings = JSON.parse(stdout) as Recording[]
  return Object.fromEntries(names.map((name, index) => [name, recordings[index]!])) as Record<Name, Recording>
}

/** Finds a resource by name; not a component, which can have the same name as a release in it. */
export function resourceNamed({ resources }: Recording, name: string): PlannedResource {
  const found = resources.find(resource => resource.name === name && resource.custom)
  if (!found) throw new Error(`no resource named ${name} among ${resources.map(each => each.name).join(', ')}`)
  return found
}
