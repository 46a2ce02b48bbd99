import { lookup } from 'node:dns/promises'
import { getProxyForUrl } from 'proxy-from-env'
import type { Answer } from './hosts.ts'
import { withoutPassword } from './proxies.ts'

// A program of its own, started with the names of hosts: a name server that is silent holds a lookup for many seconds, and nothing
// but the end of its program takes it back. Each line is JSON: a host, and how far its question came by now.

const tell = (host: string, answer: Answer): void => void process.stdout.write(`${JSON.stringify([host, answer])}\n`)

/** Code of an error or of what caused it. */
const codeOf = (error: unknown): string => {
  const { cause, code } = error as { cause?: { code?: string }; code?: string }
  return cause?.code ?? code ?? ''
}

await Promise.all(
  process.argv.slice(2).map(async host => {
    const url = `https://${host}/`
    const proxy = getProxyForUrl(url)
    if (proxy) tell(host, { state: 'proxy is silent', proxy: withoutPassword(proxy) })
    else {
      tell(host, { state: 'no such name', code: 'TIMEOUT' })
      try {
        await lookup(host.replace(/:\d+$/, ''))
        tell(host, { state: 'silent' })
      } catch (error) {
        return tell(host, { state: 'no such name', code: codeOf(error) })
      }
    }
    try {
      // Any answer will do, also one that says no: what counts is that there is a way
      const { headers } = await fetch(url, { method: 'HEAD', redirect: 'manual' })
      const clockAhead = (Date.now() - Date.parse(headers.get('date') ?? '')) / 1000
      tell(host, {
        state: 'answers',
        ...(proxy ? { proxy: withoutPassword(proxy) } : {}),
        ...(Number.isNaN(clockAhead) ? {} : { clockAhead }),
      })
    } catch (error) {
      const code = codeOf(error)
      if (/CERT|SELF_SIGNED|UNABLE_TO_VERIFY/.test(code)) tell(host, { state: 'not trusted', code })
      else if (proxy) tell(host, { state: 'proxy is silent', proxy: withoutPassword(proxy), code })
      else tell(host, { state: 'silent', code })
    }
  }),
)
