import { existsSync } from 'node:fs'
import { execa, type Options } from 'execa'
import { LabError } from '../../shared/lab-error.ts'
import { dockerEndpoint } from './endpoint.ts'
import { engineFromEndpoint, fixFor } from './products.ts'

// The lab reaches Docker only through the docker command, so contexts, DOCKER_HOST and remote engines work as the user
// configured them.

/** Returns the output of `docker ARGS`. @throws LabError when Docker is missing, does not respond or refuses. */
export async function docker(args: readonly string[], options: Options = {}): Promise<string> {
  const result = await execa('docker', args, { ...options, reject: false })
  if (result.failed) throw dockerError(args, result)
  return String(result.stdout)
}

/** Describes why `docker ARGS` failed, with the fix for this engine and system. */
export function dockerError(
  args: readonly string[],
  failure: { code?: string | undefined; stderr?: unknown; cause?: unknown; timedOut?: boolean },
  platform: string = process.platform,
  exists: (path: string) => boolean = existsSync,
): LabError {
  const message = String(failure.stderr ?? '').trim()
  const cause = failure.cause
  if (failure.code === 'ENOENT')
    return new LabError({
      found: 'The docker command is not on PATH',
      expected: 'Docker Engine 20.10 or newer, or Docker Desktop',
      next: 'install it: https://docs.docker.com/engine/install',
      cause,
    })
  const endpoint = dockerEndpoint()
  const engine = engineFromEndpoint(endpoint)
  if (failure.timedOut)
    return new LabError({
      found: `Docker at ${endpoint} is not responding (the VM may not have resumed from sleep)`,
      next: fixFor(engine, 'restart', { platform }),
      cause,
    })
  if (/permission denied/i.test(message) && /sock|daemon|dial/i.test(message))
    return new LabError({
      found: 'You do not have permission to use the Docker socket',
      expected: 'a user in the docker group',
      next: 'sudo usermod -aG docker "$USER", then sign out and in again',
      cause,
    })
  if (unreachable.test(message)) {
    const address = / at (\S+?)\.? /.exec(message)?.[1]
    return new LabError({
      found: `Cannot connect to Docker${address ? ` at ${address}` : ''}`,
      next: exists(devContainerInit) ? `sudo ${devContainerInit}` : fixFor(engine, 'start', { platform }),
      cause,
    })
  }
  return new LabError({
    found: `docker ${args[0]} failed: ${message.split('\n').at(-1)}`,
    next: './lab doctor',
    cause,
  })
}

/** Starts the engine of the dev container feature docker-in-docker, which has no service manager. */
const devContainerInit = '/usr/local/share/docker-init.sh'

const unreachable =
  /cannot connect to the docker daemon|error during connect|is the docker daemon running|failed to connect/i
