import { BlockList, isIP } from 'node:net'
import type { NetworkPolicy } from '../../../stacks/network-policies.ts'

// Whether a connection is allowed, by the rules of Kubernetes' NetworkPolicy (networking.k8s.io/v1), as far as the lab's policies use them. What
// they use besides is an error, and not let through.

type Labels = Record<string, string>

/** An end of a connection: a pod, or an address that is no pod's. */
export interface End {
  namespace?: string
  labels?: Labels
  /** IPv4. */
  ip: string
}

interface Selector {
  matchLabels?: Labels
}
interface Peer {
  podSelector?: Selector
  namespaceSelector?: Selector
  ipBlock?: { cidr: string; except?: string[] }
}
interface Rule {
  from?: Peer[]
  to?: Peer[]
  ports?: { protocol: string; port: number }[]
}
interface Spec {
  podSelector: Selector
  policyTypes: string[]
  ingress?: Rule[]
  egress?: Rule[]
}

/** Labels that Kubernetes itself puts on a namespace. */
const namespaceLabels = (name: string): Labels => ({ 'kubernetes.io/metadata.name': name })

/** Whether `from` may connect to `to` at this port: it may leave where it is, and it may come in where it goes. */
export function allowed(policies: NetworkPolicy[], from: End, to: End, port: number, protocol = 'TCP'): boolean {
  const at = { port, protocol }
  return passes(policies, 'Egress', from, to, at) && passes(policies, 'Ingress', to, from, at)
}

/** One direction: `self` is the pod that policies are of, `other` whom it connects to or is connected to by. */
function passes(
  policies: NetworkPolicy[],
  direction: 'Ingress' | 'Egress',
  self: End,
  other: End,
  at: { port: number; protocol: string },
): boolean {
  // What is no pod has no policies.
  if (!self.namespace) return true
  const mine = policies.flatMap(({ namespace, spec }) => {
    const { podSelector, policyTypes, ...rules } = known(spec, [
      'podSelector',
      'policyTypes',
      'ingress',
      'egress',
    ]) as unknown as Spec
    const selected = namespace === self.namespace && selects(podSelector, self.labels ?? {})
    return selected && policyTypes.includes(direction) ? [{ namespace, ...rules }] : []
  })
  if (mine.length === 0) return true
  return mine.some(({ namespace, ingress = [], egress = [] }) =>
    (direction === 'Ingress' ? ingress : egress).some(rule => {
      const { from, to, ports } = known(rule, ['from', 'to', 'ports'])
      const peers = direction === 'Ingress' ? from : to
      return (
        (!ports || ports.some(({ port, protocol }) => port === at.port && protocol === at.protocol)) &&
        (!peers || peers.length === 0 || peers.some(peer => isPeer(peer, namespace, other)))
      )
    }),
  )
}

function isPeer(peer: Peer, namespace: string, { ip, ...end }: End): boolean {
  const { ipBlock, podSelector, namespaceSelector } = known(peer, ['ipBlock', 'podSelector', 'namespaceSelector'])
  if (ipBlock) return inBlock(ip, ipBlock.cidr) && !(ipBlock.except ?? []).some(except => inBlock(ip, except))
  if (!end.namespace) return false
  const there = namespaceSelector
    ? selects(namespaceSelector, namespaceLabels(end.namespace))
    : end.namespace === namespace
  return there && (!podSelector || selects(podSelector, end.labels ?? {}))
}

const selects = (selector: Selector, labels: Labels): boolean =>
  Object.entries(known(selector, ['matchLabels']).matchLabels ?? {}).every(([key, value]) => labels[key] === value)

function inBlock(ip: string, cidr: string): boolean {
  const [net, prefix] = cidr.split('/')
  if (isIP(ip) !== 4 || isIP(net!) !== 4) throw new Error(`${ip} or ${cidr} is not IPv4`)
  const block = new BlockList()
  block.addSubnet(net!, Number(prefix))
  return block.check(ip)
}

function known<T extends object>(value: T, keys: (keyof T & string)[]): T {
  const odd = Object.keys(value).find(key => !(keys as string[]).includes(key))
  if (odd) throw new Error(`this evaluator does not know ${odd}`)
  return value
}
