import { namespaces } from '../../../stacks/names.ts'
import { enforcingActions, isMonitor, type Policy } from '../model.ts'
import { filtersOf } from './arguments.ts'
import type { Rule } from './rule.ts'

// Whom a policy reaches.

/** Where a kill or a refusal takes the cluster, or the lab, down with it. */
const systemNamespaces = ['kube-system', namespaces.monitoring, 'cilium', 'tetragon', 'local-path-storage']
/** Those of them that every cluster of the lab has. */
const mustBeSpared = ['kube-system', namespaces.monitoring]

const namespaceKey = 'k8s:io.kubernetes.pod.namespace'

interface LabelSelector {
  matchLabels: Record<string, unknown>
  matchExpressions: { key: unknown; operator: unknown; values: unknown[] }[]
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value)

/** A selector as it stands, what has the wrong type left out; undefined where there is none. */
function selectorOf(value: unknown): LabelSelector | undefined {
  if (!isObject(value)) return undefined
  const { matchLabels, matchExpressions } = value
  return {
    matchLabels: isObject(matchLabels) ? matchLabels : {},
    matchExpressions: (Array.isArray(matchExpressions) ? matchExpressions : [])
      .filter(isObject)
      .map(({ key, operator, values }) => ({ key, operator, values: Array.isArray(values) ? values : [] })),
  }
}

const isEmpty = ({ matchLabels, matchExpressions }: LabelSelector): boolean =>
  Object.keys(matchLabels).length === 0 && matchExpressions.length === 0

/** Whether a pod selector asks for a label of the pod, and not only for a namespace or for nothing. */
function asksForLabels(selector?: LabelSelector): boolean {
  if (!selector) return false
  const labels = Object.keys(selector.matchLabels).filter(key => key !== namespaceKey)
  const expressions = selector.matchExpressions.filter(
    ({ key, operator }) => key !== namespaceKey && (operator === 'In' || operator === 'Exists'),
  )
  return labels.length + expressions.length > 0
}

/** Whether a pod selector leaves out the namespaces that keep the cluster going. */
function sparesSystem(selector?: LabelSelector): boolean {
  if (!selector) return false
  const named = selector.matchLabels[namespaceKey]
  if (named) return !systemNamespaces.includes(String(named))
  return selector.matchExpressions.some(({ key, operator, values }) => {
    if (key !== namespaceKey) return false
    if (operator === 'In') return values.every(value => !systemNamespaces.includes(String(value)))
    return operator === 'NotIn' && mustBeSpared.every(value => values.includes(value))
  })
}

const selectorsOf = ({ spec }: Policy) => ({
  podSelector: selectorOf(spec.podSelector),
  containerSelector: selectorOf(spec.containerSelector),
  hostSelector: selectorOf(spec.hostSelector),
})

const tokenFolder = /\/run\/secrets\/kubernetes\.io\/serviceaccount/

/** Why an enforcing policy reaches too far; undefined when it does not. */
function reachesTooFar(policy: Policy): string | undefined {
  const { podSelector, containerSelector, hostSelector } = selectorsOf(policy)
  if (policy.kind === 'TracingPolicyNamespaced') {
    if (policy.namespace && systemNamespaces.includes(policy.namespace)) return `everything in ${policy.namespace}`
    return undefined
  }
  if (hostSelector) return 'the machine itself, with the kubelet and the container runtime'
  if (asksForLabels(podSelector) || sparesSystem(podSelector)) return undefined
  if (!podSelector && containerSelector && !isEmpty(containerSelector)) return undefined
  return podSelector || containerSelector
    ? 'every pod, those of kube-system and monitoring among them'
    : 'every process of the machine, kube-system and monitoring among them'
}

export const scopeRules: Rule[] = [
  {
    id: 'unscoped-enforcement',
    level: 'error',
    why: 'One kernel runs the pods, the cluster and, with kind, your own machine. A kill or a refusal that is not confined hits whichever of them makes the same call.',
    check(policy, report) {
      const [action] = enforcingActions(policy)
      const reach = action && reachesTooFar(policy)
      if (reach)
        report(
          action.path,
          `${action.action} for ${reach}`,
          'add podSelector: {matchLabels: {app: NAME}}, and make it a TracingPolicyNamespaced',
          isMonitor(policy) ? 'warn' : 'error',
        )
    },
  },
  {
    id: 'token-enforcement',
    level: 'error',
    why: "Every in-cluster client reads its service-account token again and again: CoreDNS, Prometheus, Grafana's sidecars, operators, Tetragon's own agent. Whoever is hit by this loses its connection to the cluster.",
    check(policy, report) {
      if (asksForLabels(selectorsOf(policy).podSelector)) return
      for (const { hook, filter } of filtersOf(policy)) {
        const selector = hook.selectors.find(({ args }) => args.includes(filter))
        const action = selector?.actions.find(({ action }) => /^(Sigkill|Signal|Override)$/.test(action))
        if (action && !filter.operator.startsWith('Not') && filter.values.some(value => tokenFolder.test(value)))
          report(
            action.path,
            `${action.action} on the service-account token of more than one app`,
            'add podSelector: {matchLabels: {app: NAME}} for an app that never needs its token',
            isMonitor(policy) ? 'warn' : 'error',
          )
      }
    },
  },
  {
    id: 'whole-machine',
    level: 'warn',
    why: 'A TracingPolicy without podSelector, containerSelector or hostSelector watches every process of the machine. Events of the host are kept out of the export, so most of what it costs is never seen.',
    check(policy, report) {
      const { podSelector, containerSelector, hostSelector } = selectorsOf(policy)
      if (policy.kind !== 'TracingPolicy' || podSelector || containerSelector || hostSelector) return
      // Without hooks there is nothing to watch with; with an enforcing action, another rule has said so.
      if (policy.hooks.length === 0 || enforcingActions(policy).length > 0) return
      const aside = policy.hooks.every(
        ({ selectors }) => selectors.length > 0 && selectors.every(({ spec }) => Array.isArray(spec.matchNamespaces)),
      )
      if (!aside)
        report(
          ['spec'],
          'no podSelector',
          'add podSelector: {} for all pods, or hostSelector: {} if the machine itself is meant',
        )
    },
  },
  {
    id: 'empty-selector',
    level: 'warn',
    why: 'A selector with nothing behind it is dropped, as if it were not there: all processes, those of the machine too. {} means all pods.',
    check({ spec }, report) {
      for (const key of ['podSelector', 'containerSelector'])
        if (spec[key] === null) report(['spec', key], `${key} with nothing behind it`, `write ${key}: {}, or drop it`)
    },
  },
  {
    id: 'host-selector',
    level: 'error',
    why: 'hostSelector is {} (the machine itself) or absent, and belongs to TracingPolicy: a machine is in no namespace.',
    check(policy, report) {
      const { hostSelector } = selectorsOf(policy)
      if (!hostSelector) return
      if (policy.kind === 'TracingPolicyNamespaced')
        report(
          ['spec', 'hostSelector'],
          'hostSelector in a TracingPolicyNamespaced',
          'drop it, or make a TracingPolicy',
        )
      else if (!isEmpty(hostSelector))
        report(['spec', 'hostSelector'], 'hostSelector with labels', 'write hostSelector: {}')
    },
  },
]
