import { isMapping } from '../../../shared/validation/yaml-source.ts'
import type { Policy } from './policy-model.ts'

// Which pods and containers a policy selects, as far as that can be decided without a cluster.

/** The label in which Tetragon keeps a pod's namespace. */
export const namespaceKey = 'k8s:io.kubernetes.pod.namespace'

/** A podSelector or containerSelector without the values that have a wrong type. */
export interface LabelSelector {
  matchLabels: Record<string, unknown>
  matchExpressions: { key: unknown; operator: unknown; values: unknown[] }[]
}

/** Reads a selector. Returns undefined where there is none, or an empty key. */
function readLabelSelector(value: unknown): LabelSelector | undefined {
  if (!isMapping(value)) return undefined
  const { matchLabels, matchExpressions } = value
  return {
    matchLabels: isMapping(matchLabels) ? matchLabels : {},
    matchExpressions: (Array.isArray(matchExpressions) ? matchExpressions : [])
      .filter(isMapping)
      .map(({ key, operator, values }) => ({ key, operator, values: Array.isArray(values) ? values : [] })),
  }
}

/** Returns the three selectors of a policy that choose its workloads. */
export const workloadSelectors = ({ spec }: Policy) => ({
  podSelector: readLabelSelector(spec.podSelector),
  containerSelector: readLabelSelector(spec.containerSelector),
  hostSelector: readLabelSelector(spec.hostSelector),
})

export const isEmpty = ({ matchLabels, matchExpressions }: LabelSelector): boolean =>
  Object.keys(matchLabels).length === 0 && matchExpressions.length === 0

/**
 * Returns the labels that a selector restricts to certain values. Exists, NotIn and the like restrict a label to none.
 */
export function pinnedValues(selector?: LabelSelector): Map<string, Set<string>> {
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

/** Returns whether a policy applies to a pod. A containerSelector is assumed to select one of the pod's containers. */
export function appliesToPod(policy: Policy, pod: { namespace: string; labels: Record<string, string> }): boolean {
  const namespaced = policy.kind === 'TracingPolicyNamespaced'
  if (namespaced && (policy.namespace ?? 'default') !== pod.namespace) return false
  const { podSelector, hostSelector } = workloadSelectors(policy)
  if (!podSelector) return namespaced || !hostSelector
  return matchesLabels(podSelector, { ...pod.labels, [namespaceKey]: pod.namespace })
}

function matchesLabels({ matchLabels, matchExpressions }: LabelSelector, labels: Record<string, string>): boolean {
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values }) => {
      const value = labels[String(key)]
      switch (operator) {
        case 'In':
          return value !== undefined && values.includes(value)
        case 'NotIn':
          return value === undefined || !values.includes(value)
        case 'Exists':
          return value !== undefined
        case 'DoesNotExist':
          return value === undefined
        default:
          return false
      }
    })
  )
}

/** Returns whether two policies can apply to the same container. */
export function canSelectSameContainer(a: Policy, b: Policy): boolean {
  return (
    canAgree(pinnedPodLabels(a), pinnedPodLabels(b)) &&
    canAgree(pinnedValues(workloadSelectors(a).containerSelector), pinnedValues(workloadSelectors(b).containerSelector))
  )
}

function pinnedPodLabels(policy: Policy): Map<string, Set<string>> {
  const pins = pinnedValues(workloadSelectors(policy).podSelector)
  if (policy.kind === 'TracingPolicyNamespaced' && policy.namespace) pins.set(namespaceKey, new Set([policy.namespace]))
  return pins
}

const canAgree = (a: Map<string, Set<string>>, b: Map<string, Set<string>>): boolean =>
  [...a].every(([key, values]) => !b.has(key) || [...values].some(value => b.get(key)!.has(value)))
