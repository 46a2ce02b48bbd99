import { BlockList, isIP } from 'node:net'
import type { NetworkPolicy } from '../../../stacks/network-policies.ts'

// Evaluates Kubernetes NetworkPolicies (networking.k8s.io/v1). Fields that the lab's policies do not use are an error.

type Labels = Record<string, string>

/** An end of a connection: a pod, or an address outside the cluster. */
export interface End {
  namespace?: string
  labels?: Labels
  /** IPv4. */
  ip: string
}

interface Selector {
  matchLabels?: Labels
  matchExpressions?: { key: string; operator: string; values: string[] }[]
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

/** Returns the labels that Kubernetes puts on a namespace. */
const namespaceLabels = (name: string): Labels => ({ 'kubernetes.io/metadata.name': name })

/**
 * Tells whether the policies let `from` connect to this port of `to`. Both its egress and the other's ingress must
 * allow it.
 */
export function allowed(policies: NetworkPolicy[], from: End, to: End, port: number, protocol = 'TCP'): boolean {
  const target = { port, protocol }
  return passes(policies, 'Egress', from, to, target) && passes(policies, 'Ingress', to, from, target)
}

/** Evaluates one direction: the policies of the pod `self` for a connection with `other`. */
function passes(
  policies: NetworkPolicy[],
  direction: 'Ingress' | 'Egress',
  self: End,
  other: End,
  target: { port: number; protocol: string },
): boolean {
  // Policies apply to pods only.
  if (!self.namespace) return true
  const applying = policies.flatMap(({ namespace, spec }) => {
    const { podSelector, policyTypes, ...rules } = onlyKeys(spec, [
      'podSelector',
      'policyTypes',
      'ingress',
      'egress',
    ]) as unknown as Spec
    const selected = namespace === self.namespace && selects(podSelector, self.labels ?? {})
    return selected && policyTypes.includes(direction) ? [{ namespace, ...rules }] : []
  })
  if (applying.length === 0) return true
  return applying.some(({ namespace, ingress = [], egress = [] }) =>
    (direction === 'Ingress' ? ingress : egress).some(rule => {
      const { from, to, ports } = onlyKeys(rule, ['from', 'to', 'ports'])
      const peers = direction === 'Ingress' ? from : to
      return (
        (!ports || ports.some(({ port, protocol }) => port === target.port && protocol === target.protocol)) &&
        (!peers || peers.length === 0 || peers.some(peer => isPeer(peer, namespace, other)))
      )
    }),
  )
}

function isPeer(peer: Peer, namespace: string, { ip, ...end }: End): boolean {
  const { ipBlock, podSelector, namespaceSelector } = onlyKeys(peer, ['ipBlock', 'podSelector', 'namespaceSelector'])
  if (ipBlock) return inBlock(ip, ipBlock.cidr) && !(ipBlock.except ?? []).some(except => inBlock(ip, except))
  if (!end.namespace) return false
  const inNamespace = namespaceSelector
    ? selects(namespaceSelector, namespaceLabels(end.namespace))
    : end.namespace === namespace
  return inNamespace && (!podSelector || selects(podSelector, end.labels ?? {}))
}

/** Tells whether a selector selects a pod or a namespace with these labels. */
export function selects(selector: Selector, labels: Labels): boolean {
  const { matchLabels = {}, matchExpressions = [] } = onlyKeys(selector, ['matchLabels', 'matchExpressions'])
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values }) => {
      if (operator !== 'NotIn') throw new Error(`${operator} is not supported`)
      return !values.includes(labels[key] ?? '')
    })
  )
}

function inBlock(ip: string, cidr: string): boolean {
  const [net, prefix] = cidr.split('/')
  if (isIP(ip) !== 4 || isIP(net!) !== 4) throw new Error(`${ip} or ${cidr} is not IPv4`)
  const block = new BlockList()
  block.addSubnet(net!, Number(prefix))
  return block.check(ip)
}

/** Returns the value, or throws if it has another key: the evaluator would ignore it. */
function onlyKeys<T extends object>(value: T, keys: (keyof T & string)[]): T {
  const unsupported = Object.keys(value).find(key => !(keys as string[]).includes(key))
  if (unsupported) throw new Error(`${unsupported} is not supported`)
  return value
}
