import { namespaces } from '../../../shared/names.ts'
import { parseSettings } from '../../../shared/settings/schema.ts'
import { isEmpty, type LabelSelector, namespaceKey, pinned, selectorOf } from '../model/label-selector.ts'
import {
  type ArgumentFilter,
  enforcingActions,
  isEnforcing,
  isFiltered,
  isMonitor,
  type Policy,
  type Selector,
} from '../model/policy-model.ts'
import { isPositive, letsThrough } from '../model/value-match.ts'
import { isNumber, isText } from './arguments.ts'
import { isEverywhere } from './hooks.ts'
import type { Rule } from './rule.ts'

// Whom a policy reaches.

/** Where a kill or a refusal takes the cluster, or the lab, down with it. */
const systemNamespaces = ['kube-system', namespaces.monitoring, 'cilium', 'tetragon', 'local-path-storage']
/** Those of them that every cluster of the lab has. */
const mustBeSpared = ['kube-system', namespaces.monitoring]

/** Namespaces that the export leaves out unless the settings say otherwise; the empty one is the machine itself. */
const hidden = parseSettings({}).tetragon.exportDenyList.flatMap(({ namespace }) =>
  Array.isArray(namespace) ? namespace.map(String) : [],
)

/** Whether a selector names what it chooses, by a label, and not only says that one is there or is not something. */
const names = (selector?: LabelSelector): boolean => [...pinned(selector).keys()].some(key => key !== namespaceKey)

/** Whether a pod selector leaves out the namespaces that keep the cluster going. */
function sparesSystem(selector?: LabelSelector): boolean {
  const chosen = pinned(selector).get(namespaceKey)
  if (chosen) return systemNamespaces.every(namespace => !chosen.has(namespace))
  const left = (selector?.matchExpressions ?? [])
    .filter(({ key, operator }) => key === namespaceKey && operator === 'NotIn')
    .flatMap(({ values }) => values)
  return mustBeSpared.every(namespace => left.includes(namespace))
}

const selectorsOf = ({ spec }: Policy) => ({
  podSelector: selectorOf(spec.podSelector),
  containerSelector: selectorOf(spec.containerSelector),
  hostSelector: selectorOf(spec.hostSelector),
})

/** Why an enforcing policy reaches too far; undefined when it does not. */
function reachesTooFar(policy: Policy): string | undefined {
  const { podSelector, containerSelector, hostSelector } = selectorsOf(policy)
  if (policy.kind === 'TracingPolicyNamespaced') {
    if (policy.namespace && systemNamespaces.includes(policy.namespace)) return `everything in ${policy.namespace}`
    return undefined
  }
  if (hostSelector) return 'the machine itself, with the kubelet and the container runtime'
  if (sparesSystem(podSelector)) return undefined
  // Labels and the names of containers are nobody's own: kube-dns is a label, too.
  const system = 'those of kube-system and monitoring among them'
  if (names(podSelector)) return `pods with these labels in every namespace, ${system}`
  if (names(containerSelector)) return `containers of this name in every namespace, ${system}`
  return podSelector || containerSelector ? `every pod, ${system}` : `every process of the machine, ${system}`
}

const tokenFolder = '/run/secrets/kubernetes.io/serviceaccount'
/** A token as programs name it, and as the kernel does. */
const tokenPaths = ['', '/var'].flatMap(root =>
  ['/token', '/..2026_11_21_09_27_25.3627401750/token'].map(file => `${root}${tokenFolder}${file}`),
)

/** Whether a selector picks the token out: it compares paths or names, and a token gets through. */
function picksToken(selector: Selector): boolean {
  const compared = selector.args.filter(filter => isText(filter.argument))
  const named = compared.some(({ operator, values }) => !operator.startsWith('Not') && values.some(inTokenFolder))
  if (named) return true
  // By exceptions alone it would be picked out together with everything else, unless they are about it.
  const about = compared.some(filter => isPositive(filter) || filter.values.some(inTokenFolder))
  return about && tokenPaths.some(path => compared.every(filter => letsThrough(filter, path) !== false))
}
const inTokenFolder = (value: string): boolean => value.includes(tokenFolder)

/** Whether a comparison tells some files or addresses from all: neither by what they are not, nor by how they are opened, nor by the root. */
const saysWhich = ({ operator, argument, values }: ArgumentFilter): boolean =>
  !operator.startsWith('Not') && !isNumber(argument) && values.every(value => value !== '' && value !== '/')

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
          `make it a TracingPolicyNamespaced, with podSelector: {matchLabels: {app: NAME}}; or name the namespaces: podSelector: {matchExpressions: [{key: "${namespaceKey}", operator: In, values: [NAMESPACE]}]}`,
          isMonitor(policy) ? 'warn' : 'error',
        )
    },
  },
  {
    id: 'token-enforcement',
    level: 'error',
    why: "Every in-cluster client reads its service-account token again and again: CoreDNS, Prometheus, Grafana's sidecars, operators, Tetragon's own agent. Whoever is hit by this loses its connection to the cluster.",
    check(policy, report) {
      if (names(selectorsOf(policy).podSelector)) return
      for (const selector of policy.hooks.flatMap(hook => hook.selectors)) {
        const action = selector.actions.find(isEnforcing)
        if (action && picksToken(selector))
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
    id: 'unfiltered-enforcement',
    level: 'error',
    why: 'Opening a file, mapping memory, starting a program: there is no process that does not do this. A kill or a refusal there that names nothing ends every one that it reaches, the next start of the pod included.',
    check(policy, report) {
      const named = names(selectorsOf(policy).podSelector)
      for (const hook of policy.hooks.filter(isEverywhere))
        for (const selector of hook.selectors) {
          const action = selector.actions.find(isEnforcing)
          // For one app a list of what it may do is enough; for all others something has to say whom it means.
          const meant = named
            ? isFiltered(selector)
            : selector.args.some(saysWhich) || selector.binaries.some(isPositive)
          if (action && !meant)
            report(
              action.path,
              `${action.action} at each ${hook.name}`,
              named ? 'add matchArgs or matchBinaries' : 'add matchArgs or matchBinaries that say which',
              isMonitor(policy) ? 'warn' : 'error',
            )
        }
    },
  },
  {
    id: 'hidden-namespace',
    level: 'warn',
    why: 'By default the export leaves out the machine itself, cilium and kube-system: what a policy sees there never reaches Loki. `lab tetra getevents` shows it all the same.',
    check(policy, report) {
      const { podSelector, hostSelector } = selectorsOf(policy)
      const chosen =
        policy.kind === 'TracingPolicyNamespaced'
          ? { path: ['metadata', 'namespace'], namespaces: policy.namespace ? [policy.namespace] : [] }
          : { path: ['spec', 'podSelector'], namespaces: [...(pinned(podSelector).get(namespaceKey) ?? [])] }
      const fix = 'choose another namespace, or take it off tetragon.exportDenyList'
      if (chosen.namespaces.length > 0 && chosen.namespaces.every(namespace => hidden.includes(namespace)))
        report(chosen.path, `a policy for ${chosen.namespaces.join(' and ')}`, fix)
      if (policy.kind === 'TracingPolicy' && hostSelector && hidden.includes(''))
        report(['spec', 'hostSelector'], 'a policy for the machine itself', 'take "" off tetragon.exportDenyList')
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
