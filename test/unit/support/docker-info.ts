import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type DockerInfo, type EngineFacts, parseDockerInfo } from '../../../scripts/engine/engine-facts.ts'

// What `docker info` prints for each way to run an engine, shortened to the fields that identify it and that the lab
// reads.

const folder = join(import.meta.dirname, '../engine/docker-info')

/** The names of the recorded engines. */
export const engineNames = readdirSync(folder).map(file => file.replace(/\.json$/, ''))

/** Returns the facts of a recorded engine, asked from the machine of the recording or from a container. */
export function recordedEngine(
  name: string,
  from: Pick<Parameters<typeof parseDockerInfo>[1], 'hostname' | 'container'> = { hostname: '', container: undefined },
): EngineFacts {
  const { info, now, ...client } = JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as {
    endpoint: string
    os: string
    release: string
    now: string
    info: DockerInfo
  }
  return parseDockerInfo(info, { ...client, ...from, now: Date.parse(now) })
}
