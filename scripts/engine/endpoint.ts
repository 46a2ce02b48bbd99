import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { homedir } from 'node:os'
import { join } from 'node:path'

// A look at the Docker engine in milliseconds, where it has a socket on this machine; its command takes ten times as long to start.

const dockerHome = (): string => process.env.DOCKER_CONFIG ?? join(homedir(), '.docker')

/** Where the docker command would go: DOCKER_HOST, else the context in use, else the socket of every installation. */
export function dockerEndpoint(): string {
  if (process.env.DOCKER_HOST) return process.env.DOCKER_HOST
  const context =
    process.env.DOCKER_CONTEXT ??
    readJson<{ currentContext?: string }>(join(dockerHome(), 'config.json'))?.currentContext
  if (context && context !== 'default') {
    const id = createHash('sha256').update(context).digest('hex')
    const meta = readJson<{ Endpoints?: { docker?: { Host?: string } } }>(
      join(dockerHome(), 'contexts/meta', id, 'meta.json'),
    )
    if (meta?.Endpoints?.docker?.Host) return meta.Endpoints.docker.Host
  }
  return 'unix:///var/run/docker.sock'
}

function readJson<T>(file: string): T | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as T
  } catch {
    return undefined
  }
}

/** What GET /version of the engine answers, of which the lab uses this. */
export interface EngineVersion {
  Version: string
  ApiVersion: string
  Os: string
  Arch: string
  KernelVersion: string
}

/**
 * The engine's version, or undefined when it does not answer.
 * @param patience milliseconds that it may take; default two seconds on a socket of this machine, five elsewhere.
 */
export async function engineVersion(
  endpoint = dockerEndpoint(),
  patience?: number,
): Promise<EngineVersion | undefined> {
  if (endpoint.startsWith('unix://')) return askSocket(endpoint.slice('unix://'.length), patience ?? 2000)
  const { execa } = await import('execa')
  const { stdout, failed } = await execa('docker', ['version', '--format', '{{json .Server}}'], {
    reject: false,
    timeout: patience ?? 5000,
  })
  return failed ? undefined : (JSON.parse(stdout) as EngineVersion)
}

const askSocket = (socketPath: string, timeout: number): Promise<EngineVersion | undefined> =>
  new Promise(resolve => {
    const asking = request({ socketPath, path: '/version', timeout, agent: false }, answer => {
      let text = ''
      answer.setEncoding('utf8')
      answer.on('data', (chunk: string) => {
        text += chunk
      })
      answer.on('end', () => {
        try {
          resolve(answer.statusCode === 200 ? (JSON.parse(text) as EngineVersion) : undefined)
        } catch {
          resolve(undefined)
        }
      })
    })
    asking.on('timeout', () => asking.destroy())
    asking.on('error', () => resolve(undefined))
    asking.end()
  })
