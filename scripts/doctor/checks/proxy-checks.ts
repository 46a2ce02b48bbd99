import { fixFor, hostNameForContainers } from '../../engine/products.ts'
import { type DoctorCheck, ok, warn } from '../doctor-check.ts'
import type { DoctorFacts } from '../facts/gather-facts.ts'
import { isLoopbackProxy, withoutPassword } from '../facts/proxy-facts.ts'

/** Checks the proxies of this shell and of the Docker engine, which are configured independently. */
export function proxyChecks(facts: DoctorFacts): DoctorCheck[] {
  const { address } = facts.proxies
  const enginePull = enginePullProxy(facts)
  const warnings = [...noProxyCheck(facts), ...engineProxyCheck(facts)]
  if (warnings.length > 0) return warnings
  if (enginePull === undefined) return [ok('proxy', 'Proxy', address ?? 'none')]
  const used = [address && `${address} for this shell`, enginePull && `${enginePull} for Docker`].filter(Boolean)
  return [ok('proxy', 'Proxy', used.join(', ') || 'none')]
}

function noProxyCheck({ proxies: { address, coversLabPorts } }: DoctorFacts): DoctorCheck[] {
  if (!address || !coversLabPorts) return []
  return [
    warn('no-proxy', 'NO_PROXY', {
      found: `Programs in this shell use the proxy ${address} for the lab's own ports (the lab itself does not)`,
      expected: '127.0.0.1 and localhost in NO_PROXY',
      next: 'export NO_PROXY="${NO_PROXY:+$NO_PROXY,}127.0.0.1,localhost"; export no_proxy="$NO_PROXY"',
    }),
  ]
}

function engineProxyCheck(facts: DoctorFacts): DoctorCheck[] {
  const { engine, images, proxies } = facts
  const { address, onLoopback } = proxies
  const enginePull = enginePullProxy(facts)
  if (enginePull === undefined || 'problem' in engine) return []
  const reachable = (proxy: string): string =>
    proxy.replace(/localhost|127\.[\d.]+|\[::1\]/, hostNameForContainers(engine))
  if (enginePull && isLoopbackProxy(enginePull) && !engine.local)
    return [
      warn('proxy-engine', 'Docker proxy', {
        found: `Docker uses the proxy ${enginePull}, which is an address of its own VM and not of this machine`,
        expected: 'an address at which the engine reaches the proxy',
        next: fixFor(engine, 'proxy', { proxy: reachable(enginePull) }),
      }),
    ]
  const missing = images.filter(({ present }) => !present).length
  if (!address || enginePull || missing === 0) return []
  return [
    warn('proxy-engine', 'Docker proxy', {
      found: `Docker has no proxy for the ${missing} images to pull, but this shell uses ${address}`,
      expected: 'the same proxy for Docker, unless it reaches the registries directly',
      next: fixFor(engine, 'proxy', { proxy: onLoopback && !engine.local ? reachable(address) : address }),
    }),
  ]
}

/** Returns the proxy through which Docker pulls, empty for none; undefined where no Docker engine responds. */
const enginePullProxy = ({ engine }: DoctorFacts): string | undefined =>
  'problem' in engine || engine.product === 'Podman'
    ? undefined
    : withoutPassword(engine.proxy.https || engine.proxy.http)
