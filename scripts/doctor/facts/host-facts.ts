import { join } from 'node:path'
import { execa } from 'execa'

/** How a host responds to HTTPS. */
export interface HostResponse {
  /**
   * `reachable`: it responded, with whatever status. `unresolved`: its name does not resolve, or not in time.
   * `unreachable`: the name resolves, but there is no response. `untrusted`: this machine does not trust its
   * certificate. `unknown`: this machine was too busy to ask in time.
   */
  state: 'reachable' | 'unresolved' | 'unreachable' | 'proxy unreachable' | 'untrusted' | 'unknown'
  /** The proxy that was used, without a password. */
  proxy?: string
  /** As in ENOTFOUND, SELF_SIGNED_CERT_IN_CHAIN. */
  code?: string
  /** How many seconds this machine's clock is ahead of the host's. */
  clockAhead?: number
}

/**
 * Asks each host for a response; every host is in the result.
 * @param timeoutMs includes the start of the child process.
 */
export async function probeHosts(hosts: readonly string[], timeoutMs = 1300): Promise<Map<string, HostResponse>> {
  const distinct = [...new Set(hosts)].filter(Boolean)
  const responses = new Map<string, HostResponse>(distinct.map(host => [host, { state: 'unknown' }]))
  if (distinct.length === 0) return responses
  const program = join(import.meta.dirname, 'probe-hosts.ts')
  const { stdout } = await execa(process.execPath, [program, ...distinct], {
    env: { NODE_USE_ENV_PROXY: '1' },
    timeout: timeoutMs,
    forceKillAfterDelay: 100,
    reject: false,
  })
  for (const line of stdout.split('\n').filter(Boolean)) {
    const [host, response] = JSON.parse(line) as [string, HostResponse]
    responses.set(host, response)
  }
  return responses
}
