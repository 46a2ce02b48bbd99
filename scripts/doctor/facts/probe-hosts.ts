import { lookup } from 'node:dns/promises'
import { getProxyForUrl } from 'proxy-from-env'
import type { HostResponse } from './host-facts.ts'
import { withoutPassword } from './proxy-facts.ts'

// Started as a child process with host names as arguments, because killing the process is the only way to cancel a DNS
// lookup. Each line of its output is JSON: a host, and the state that applies if the next step never completes.

const report = (host: string, response: HostResponse): void =>
  void process.stdout.write(`${JSON.stringify([host, response])}\n`)

const errorCode = (error: unknown): string => {
  const { cause, code } = error as { cause?: { code?: string }; code?: string }
  return cause?.code ?? code ?? ''
}

async function probe(host: string): Promise<void> {
  const url = `https://${host}/`
  const proxyUrl = getProxyForUrl(url)
  const proxy = proxyUrl ? withoutPassword(proxyUrl) : undefined
  if (proxy) report(host, { state: 'proxy unreachable', proxy })
  else {
    report(host, { state: 'unresolved', code: 'TIMEOUT' })
    try {
      await lookup(host.replace(/:\d+$/, ''))
      report(host, { state: 'unreachable' })
    } catch (error) {
      return report(host, { state: 'unresolved', code: errorCode(error) })
    }
  }
  try {
    // Any status will do, even a refusal: it shows that the host is reachable.
    const { headers } = await fetch(url, { method: 'HEAD', redirect: 'manual' })
    const clockAhead = (Date.now() - Date.parse(headers.get('date') ?? '')) / 1000
    report(host, { state: 'reachable', proxy, clockAhead: Number.isNaN(clockAhead) ? undefined : clockAhead })
  } catch (error) {
    const code = errorCode(error)
    if (/CERT|SELF_SIGNED|UNABLE_TO_VERIFY/.test(code)) report(host, { state: 'untrusted', code })
    else report(host, { state: proxy ? 'proxy unreachable' : 'unreachable', proxy, code })
  }
}

await Promise.all(process.argv.slice(2).map(probe))
