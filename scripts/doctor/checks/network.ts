import { fixFor, hostNameForContainers } from '../../engine/products.ts'
import { type DoctorCheck, ok, warn } from '../doctor-check.ts'
import type { Facts } from '../facts/facts.ts'
import { isLoopback, withoutPassword } from '../facts/proxies.ts'

/** The proxies of this shell and of the engine: two, which know nothing of one another. */
export function proxies({ proxies: { address, onLoopback, coversLab }, engine, images }: Facts): DoctorCheck[] {
  const checks: DoctorCheck[] = []
  if (address && coversLab)
    checks.push(
      warn('no-proxy', 'NO_PROXY', {
        found: `programs of this shell ask ${address} for the lab's own ports, too (the lab itself does not)`,
        expected: '127.0.0.1 and localhost in NO_PROXY',
        next: 'export NO_PROXY="${NO_PROXY:+$NO_PROXY,}127.0.0.1,localhost"; export no_proxy="$NO_PROXY"',
      }),
    )
  if ('problem' in engine || engine.product === 'Podman')
    return [...checks, ...(checks.length > 0 ? [] : [ok('proxy', 'Proxy', address ?? 'none')])]

  const own = withoutPassword(engine.proxy.https || engine.proxy.http)
  const toPull = images.filter(image => !image.here).length
  if (own && isLoopback(own) && !engine.local)
    checks.push(
      warn('proxy-engine', "Docker's proxy", {
        found: `${own}, which is the engine's own machine and not this one`,
        expected: 'an address by which the engine reaches the proxy',
        next: fixFor(engine, 'proxy', {
          proxy: own.replace(/localhost|127\.[\d.]+|\[::1\]/, hostNameForContainers(engine)),
        }),
      }),
    )
  else if (address && !own && toPull > 0) {
    const seen =
      onLoopback && !engine.local
        ? address.replace(/localhost|127\.[\d.]+|\[::1\]/, hostNameForContainers(engine))
        : address
    checks.push(
      warn('proxy-engine', "Docker's proxy", {
        found: `none, and this shell has ${address}: Docker pulls ${toPull} images by itself, past it`,
        expected: 'the same proxy for the engine, unless it reaches the registries without',
        next: fixFor(engine, 'proxy', { proxy: seen }),
      }),
    )
  }
  if (checks.length > 0) return checks
  const words = [address && `${address} for this shell`, own && `${own} for Docker`].filter(Boolean).join(', ')
  return [ok('proxy', 'Proxy', words || 'none')]
}
