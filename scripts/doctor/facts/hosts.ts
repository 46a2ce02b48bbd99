import { join } from 'node:path'
import { execa } from 'execa'

/** How a host takes a question by HTTPS. */
export interface Answer {
  /**
   * `answers`: whatever it says. `no such name`: it does not resolve, or not in time. `silent`: the name resolves, and nothing comes.
   * `proxy is silent`: nothing comes through the proxy. `not trusted`: its certificate is none that this machine knows. `not asked`: this
   * machine was too busy to ask in time.
   */
  state: 'answers' | 'no such name' | 'silent' | 'proxy is silent' | 'not trusted' | 'not asked'
  /** The proxy that was asked in its place, without a password. */
  proxy?: string
  /** As in ENOTFOUND, SELF_SIGNED_CERT_IN_CHAIN. */
  code?: string
  /** This machine's clock ahead of that host's, in seconds. */
  clockAhead?: number
}

/**
 * How these hosts answer; each of them is in the result.
 * @param patience milliseconds within which they must, with the start of the program that asks.
 */
export async function askHosts(hosts: readonly string[], patience = 1300): Promise<Map<string, Answer>> {
  const distinct = [...new Set(hosts)].filter(Boolean)
  const answers = new Map<string, Answer>(distinct.map(host => [host, { state: 'not asked' }]))
  if (distinct.length === 0) return answers
  const program = join(import.meta.dirname, 'ask-hosts.ts')
  const { stdout } = await execa(process.execPath, [program, ...distinct], {
    env: { NODE_USE_ENV_PROXY: '1' },
    timeout: patience,
    forceKillAfterDelay: 100,
    reject: false,
  })
  for (const line of stdout.split('\n').filter(Boolean)) {
    const [host, answer] = JSON.parse(line) as [string, Answer]
    answers.set(host, answer)
  }
  return answers
}
