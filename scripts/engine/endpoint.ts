import { createHash } from 'node:crypto'
import { request } from 'node:http'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { z } from 'zod'
import { readStateFile } from '../../shared/state-file.ts'

// Talks to the Docker socket directly where it is on this machine: that takes milliseconds, starting the docker command
// ten times as long.

const configSchema = z.object({ currentContext: z.string() })
const contextSchema = z.object({ Endpoints: z.object({ docker: z.object({ Host: z.string().min(1) }) }) })

const dockerHome = (): string => process.env.DOCKER_CONFIG ?? join(homedir(), '.docker')

/**
 * Returns the address that the docker command would use: DOCKER_HOST, else the current context's, else the default
 * socket.
 */
export function dockerEndpoint(): string {
  if (process.env.DOCKER_HOST) return process.env.DOCKER_HOST
  const context =
    process.env.DOCKER_CONTEXT ?? readStateFile(join(dockerHome(), 'config.json'), configSchema)?.currentContext
  if (context && context !== 'default') {
    const id = createHash('sha256').update(context).digest('hex')
    const meta = readStateFile(join(dockerHome(), 'contexts/meta', id, 'meta.json'), contextSchema)
    if (meta) return meta.Endpoints.docker.Host
  }
  return 'unix:///var/run/docker.sock'
}

/** The fields of the engine's GET /version response that the lab reads. */
export interface EngineVersion {
  Arch: string
  KernelVersion: string
}

/**
 * Returns the engine's version, or undefined when it does not respond.
 * @param timeoutMs defaults to 2 s for a socket on this machine and 5 s otherwise.
 */
export async function engineVersion(
  endpoint = dockerEndpoint(),
  timeoutMs?: number,
): Promise<EngineVersion | undefined> {
  if (endpoint.startsWith('unix://')) return readVersion(endpoint.slice('unix://'.length), timeoutMs ?? 2000)
  const { execa } = await import('execa')
  const { stdout, failed } = await execa('docker', ['version', '--format', '{{json .Server}}'], {
    reject: false,
    timeout: timeoutMs ?? 5000,
  })
  return failed ? undefined : (JSON.parse(stdout) as EngineVersion)
}

const readVersion = (socketPath: string, timeout: number): Promise<EngineVersion | undefined> =>
  new Promise(resolve => {
    const call = request({ socketPath, path: '/version', timeout, agent: false }, async response => {
      try {
        const body = await text(response)
        resolve(response.statusCode === 200 ? (JSON.parse(body) as EngineVersion) : undefined)
      } catch {
        resolve(undefined)
      }
    })
    call.on('timeout', () => call.destroy())
    call.on('error', () => resolve(undefined))
    call.end()
  })
