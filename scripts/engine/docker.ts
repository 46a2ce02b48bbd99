import { execa, type Options } from 'execa'
import { LabError } from '../../shared/lab-error.ts'
import { dockerEndpoint } from './endpoint.ts'
import { engineAt, restart, start } from './products.ts'

// The one way to Docker: its own command, so that contexts, DOCKER_HOST and remote engines work as the user has set them up.

/** Output of `docker ARGS`. @throws LabError when Docker is missing, does not answer or refuses. */
export async function docker(args: readonly string[], options: Options = {}): Promise<string> {
  const result = await execa('docker', args, { ...options, reject: false })
  if (result.failed) throw dockerProblem(args, result)
  return String(result.stdout)
}

/** What is wrong when `docker ARGS` failed, and what to do about it. */
export function dockerProblem(
  args: readonly string[],
  failure: { code?: string | undefined; stderr?: unknown; cause?: unknown; timedOut?: boolean },
  platform: string = process.platform,
): LabError {
  const says = String(failure.stderr ?? '').trim()
  const cause = failure.cause
  if (failure.code === 'ENOENT')
    return new LabError({
      found: 'no docker command on PATH',
      expected: 'Docker Engine 20.10 or newer, or Docker Desktop',
      next: 'install it: https://docs.docker.com/engine/install',
      cause,
    })
  const endpoint = dockerEndpoint()
  const engine = engineAt(endpoint)
  if (failure.timedOut)
    return new LabError({
      found: `Docker takes the call at ${endpoint} and does not answer in time`,
      expected: 'an engine that answers at once',
      next: restart(engine, platform),
      cause,
    })
  if (/permission denied/i.test(says) && /sock|daemon|dial/i.test(says))
    return new LabError({
      found: "no right to use Docker's socket",
      expected: 'a user in the group docker',
      next: 'sudo usermod -aG docker "$USER", then sign out and in again',
      cause,
    })
  if (
    /cannot connect to the docker daemon|error during connect|is the docker daemon running|failed to connect/i.test(
      says,
    )
  )
    return new LabError({
      found: `Docker does not answer${/ at (\S+?)\.? /.exec(says)?.[1] ? ` at ${/ at (\S+?)\.? /.exec(says)![1]}` : ''}`,
      expected: 'a Docker engine that runs',
      next: start(engine, platform),
      cause,
    })
  return new LabError({
    found: `docker ${args[0]} failed: ${says.split('\n').at(-1)}`,
    expected: 'a Docker engine that can do it',
    next: './lab doctor',
    cause,
  })
}
