/** The proxies that the environment of this shell names. */
export interface ProxyFacts {
  /** HTTPS_PROXY or HTTP_PROXY without user name and password; absent where neither is set. */
  address?: string
  /** The proxy runs on this machine. */
  onLoopback: boolean
  /** Programs of this shell use it even for the lab's own ports, because NO_PROXY does not list them. */
  coversLabPorts: boolean
}

/** Reads the proxies from the environment of the user's shell. */
export function readProxies(env: NodeJS.ProcessEnv = process.env): ProxyFacts {
  const address = [env.https_proxy, env.HTTPS_PROXY, env.http_proxy, env.HTTP_PROXY].find(Boolean)
  if (!address) return { onLoopback: false, coversLabPorts: false }
  const shown = withoutPassword(address)
  // The launcher adds the lab's addresses to NO_PROXY for its own programs, and stores the user's value in
  // LAB_USER_NO_PROXY.
  const exempt = (env.LAB_USER_NO_PROXY ?? (env.no_proxy || env.NO_PROXY || '')).split(/[,\s]+/)
  const covers = (...names: string[]): boolean => !['*', ...names].some(name => exempt.includes(name))
  return {
    address: shown,
    onLoopback: isLoopbackProxy(shown),
    coversLabPorts: covers('127.0.0.1', '127.0.0.0/8') || covers('localhost'),
  }
}

/** Returns whether the address of a proxy refers to the machine that uses it. */
export const isLoopbackProxy = (address: string): boolean =>
  /^(\w+:\/\/)?([^@/]*@)?(localhost|127\.[\d.]+|\[::1\])(:\d+)?\/?$/.test(address)

/** Removes user name and password from the address of a proxy. */
export const withoutPassword = (address: string): string =>
  address.replace(/^(\w+:\/\/)?[^/]*@/, '$1').replace(/\/$/, '')
