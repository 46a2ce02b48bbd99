/** Proxies that this shell names. */
export interface ProxyFacts {
  /** What HTTPS_PROXY or HTTP_PROXY say, without name and password; absent where there is none. */
  address?: string
  /** Its host is this machine itself. */
  onLoopback: boolean
  /** Programs of this shell ask it for the lab's own ports, too: NO_PROXY does not name them. */
  coversLab: boolean
}

/** Reads the proxies from the environment, as the user's shell has it. */
export function readProxies(env: NodeJS.ProcessEnv = process.env): ProxyFacts {
  const address = [env.https_proxy, env.HTTPS_PROXY, env.http_proxy, env.HTTP_PROXY].find(Boolean)
  if (!address) return { onLoopback: false, coversLab: false }
  const plain = withoutPassword(address)
  // The launcher adds the lab's own addresses for the lab's own programs, and keeps aside what the shell had
  const exempt = (env.LAB_USER_NO_PROXY ?? (env.no_proxy || env.NO_PROXY || '')).split(/[,\s]+/)
  const covers = (...names: string[]): boolean => !['*', ...names].some(name => exempt.includes(name))
  return {
    address: plain,
    onLoopback: isLoopback(plain),
    coversLab: covers('127.0.0.1', '127.0.0.0/8') || covers('localhost'),
  }
}

/** Whether a proxy's address is that of the very machine that asks it. */
export const isLoopback = (address: string): boolean =>
  /^(\w+:\/\/)?([^@/]*@)?(localhost|127\.[\d.]+|\[::1\])(:\d+)?\/?$/.test(address)

/** A proxy's address may hold a name and a password, which nobody else should see. */
export const withoutPassword = (address: string): string =>
  address.replace(/^(\w+:\/\/)?[^/]*@/, '$1').replace(/\/$/, '')
