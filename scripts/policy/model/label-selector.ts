import type { Policy } from './policy-model.ts'

// Which pods and containers a policy chooses, as far as that can be said without asking a cluster.

/** The label under which Tetragon knows a pod's namespace. */
export const namespaceKey = 'k8s:io.kubernetes.pod.namespace'

/** A podSelector or containerSelector, what has the wrong type left out. */
export interface LabelSelector {
  matchLabels: Record<string, unknown>
  matchExpressions: { key: unknown; operator: unknown; values: unknown[] }[]
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value)

/** A selector as it stands; undefined where there is none. */
export function selectorOf(value: unknown): LabelSelector | undefined {
  if (!isObject(value)) return undefined
  const { matchLabels, matchExpressions } = value
  return {
    matchLabels: isObject(matchLabels) ? matchLabels : {},
    matchExpressions: (Array.isArray(matchExpressions) ? matchExpressions : [])
      .filter(isObject)
      .map(({ key, operator, values }) => ({ key, operator, values: Array.isArray(values) ? values : [] })),
  }
}

export const isEmpty = ({ matchLabels, matchExpressions }: LabelSelector): boolean =>
  Object.keys(matchLabels).length === 0 && matchExpressions.length === 0

/** Keys that a selector pins to values, with those values. That a label is there, or is not something, pins nothing. */
export function pinned(selector?: LabelSelector): Map<string, Set<string>> {
  const pins = new Map<string, Set<string>>()
  const pin = (key: string, values: unknown[]): void => {
    const before = pins.get(key)
    pins.set(key, new Set(values.map(String).filter(value => before?.has(value) ?? true)))
  }
  for (const [key, value] of Object.entries(selector?.matchLabels ?? {})) pin(key, [value])
  for (const { key, operator, values } of selector?.matchExpressions ?? [])
    if (operator === 'In') pin(String(key), values)
  return pins
}

/** Whether two policies can apply to the same container at all. */
export function shareContainers(a: Policy, b: Policy): boolean {
  return (
    canAgree(podPins(a), podPins(b)) &&
    canAgree(pinned(selectorOf(a.spec.containerSelector)), pinned(selectorOf(b.spec.containerSelector)))
  )
}

function podPins(policy: Policy): Map<string, Set<string>> {
  const pins = pinned(selectorOf(policy.spec.podSelector))
  if (policy.kind === 'TracingPolicyNamespaced' && policy.namespace) pins.set(namespaceKey, new Set([policy.namespace]))
  return pins
}

const canAgree = (a: Map<string, Set<string>>, b: Map<string, Set<string>>): boolean =>
  [...a].every(([key, values]) => !b.has(key) || [...values].some(value => b.get(key)!.has(value)))
