import { namespaces } from '../../../shared/names.ts'
import { parseSettings } from '../../../shared/settings/parser.ts'
import { isMapping, type Path } from '../../../shared/validation/yaml-source.ts'
import { isNumber, isText } from '../model/argument-types.ts'
import { isEmpty, type LabelSelector, namespaceKey, pinnedValues, workloadSelectors } from '../model/label-selector.ts'
import {
  type ArgumentFilter,
  enforcingActions,
  type Hook,
  isEnforcing,
  isFiltered,
  isMonitor,
  type Policy,
  type Selector,
  selectorsOf,
} from '../model/policy-model.ts'
import { isPositive, passesTextFilter } from '../model/value-match.ts'
import { isOnEveryProgramsPath } from './hooks/hook-rules.ts'
import type { Rule } from './rule.ts'

// Which pods, containers and processes a policy applies to.

/** Namespaces in which a kill or a refusal can break the cluster or the lab. */
const systemNamespaces = ['kube-system', namespaces.monitoring, 'cilium', 'tetragon', 'local-path-storage']
/** Those that exist in every cluster of the lab. */
const alwaysPresent = ['kube-system', namespaces.monitoring]

/** Namespaces that the export drops by default. The empty name stands for the machine itself. */
const hiddenNamespaces = parseSettings({}).tetragon.exportDenyList.flatMap(({ namespace }) =>
  Array.isArray(namespace) ? namespace.map(String) : [],
)

/** Returns whether a selector requires a label other than the namespace to have a certain value. */
const requiresLabel = (selector?: LabelSelector): boolean =>
  [...pinnedValues(selector).keys()].some(key => key !== namespaceKey)

/** Returns whether a pod selector excludes the system namespaces. */
function excludesSystemNamespaces(selector?: LabelSelector): boolean {
  const selected = pinnedValues(selector).get(namespaceKey)
  if (selected) return systemNamespaces.every(namespace => !selected.has(namespace))
  const excluded = (selector?.matchExpressions ?? [])
    .filter(({ key, operator }) => key === namespaceKey && operator === 'NotIn')
    .flatMap(({ values }) => values)
  return alwaysPresent.every(namespace => excluded.includes(namespace))
}

const oneApp = 'podSelector: {matchLabels: {app: NAME}}'
const oneNamespace = `podSelector: {matchExpressions: [{key: "${namespaceKey}", operator: In, values: [NAMESPACE]}]}`

/** Returns what an enforcing policy reaches if that is too much, and how to limit it. */
function excessiveReach(policy: Policy): { reach: string; fix: string } | undefined {
  const { podSelector, hostSelector } = workloadSelectors(policy)
  if (policy.kind === 'TracingPolicyNamespaced') {
    const isSystem = policy.namespace && systemNamespaces.includes(policy.namespace)
    if (!isSystem || requiresLabel(podSelector)) return undefined
    return { reach: `everything in ${policy.namespace}`, fix: `Add ${oneApp}` }
  }
  if (hostSelector)
    return {
      reach: 'the machine itself, including the kubelet and the container runtime',
      fix: 'Name the programs that are meant with matchBinaries, or replace hostSelector with a podSelector',
    }
  if (excludesSystemNamespaces(podSelector)) return undefined
  const fix = `Make it a TracingPolicyNamespaced with ${oneApp}, or select namespaces: ${oneNamespace}`
  return { reach: `${selectedProcesses(policy)}, including those in kube-system and monitoring`, fix }
}

/** Returns which processes a policy for the whole cluster selects. */
function selectedProcesses(policy: Policy): string {
  const { podSelector, containerSelector } = workloadSelectors(policy)
  // Anyone can use the same labels and container names: kube-dns is a label, too.
  if (requiresLabel(podSelector)) return 'pods with these labels in every namespace'
  if (requiresLabel(containerSelector)) return 'containers with this name in every namespace'
  return podSelector || containerSelector ? 'every pod' : 'every process on the machine'
}

const narrowUserProbe =
  'Narrow the hook with matchNamespaces, matchPIDs or matchBinaries, or hook what the program does in the kernel'

/** Returns whether a hook is in a program rather than in the kernel. */
const isInProgram = ({ section }: Hook): boolean => section === 'uprobes' || section === 'usdts'

/** Returns the field that limits a policy to some workloads, with its path. */
export function workloadLimit(policy: Policy): { name: string; path: Path } | undefined {
  const name = ['podSelector', 'containerSelector', 'hostSelector'].find(key => isMapping(policy.spec[key]))
  if (name) return { name, path: ['spec', name] }
  return policy.kind === 'TracingPolicyNamespaced' ? { name: 'namespace', path: ['metadata', 'namespace'] } : undefined
}

/** Returns whether a selector matches only certain processes, by their ids. */
const namesProcesses = (selector: Selector): boolean =>
  selector.entries('matchPIDs').some(
    ({ spec: { operator, values, isNamespacePID } }) =>
      // Every container has processes with small ids of its own. Processes 0 and 1 are the kernel and init.
      operator === 'In' && isNamespacePID !== true && Array.isArray(values) && values.every(pid => Number(pid) > 1),
  )

const tokenFolder = '/run/secrets/kubernetes.io/serviceaccount'
/** Paths of a token, as programs write them and as the kernel resolves them. */
const tokenPaths = ['', '/var'].flatMap(root =>
  ['/token', '/..2026_11_21_09_27_25.3627401750/token'].map(file => `${root}${tokenFolder}${file}`),
)
const isInTokenFolder = (path: string): boolean => path.includes(tokenFolder)

/** Returns whether a selector is about the service account token: it compares paths, and those of a token pass. */
function targetsToken(selector: Selector): boolean {
  const filters = selector.args.filter(filter => isText(filter.argument))
  const namesToken = filters.some(({ operator, values }) => !operator.startsWith('Not') && values.some(isInTokenFolder))
  if (namesToken) return true
  // A selector that only excludes other files matches the token together with everything else, so it is not about the
  // token.
  const isAboutPaths = filters.some(filter => isPositive(filter) || filter.values.some(isInTokenFolder))
  return isAboutPaths && tokenPaths.some(path => filters.every(filter => passesTextFilter(filter, path) !== false))
}

/**
 * Returns whether a filter narrows a call down to certain files or addresses, rather than to all but some, or to how
 * they are opened.
 */
const isSpecific = ({ operator, argument, values }: ArgumentFilter): boolean =>
  !operator.startsWith('Not') && !isNumber(argument) && values.every(value => value !== '' && value !== '/')

export const scopeRules: Rule[] = [
  {
    id: 'unscoped-enforcement',
    level: 'error',
    why: 'One kernel runs the pods, the cluster and, with kind, your own machine. An action without a scope hits every one of them that makes the same call. It is a warning where filters narrow it down, and an error where they do not, or where the cluster itself makes such calls.',
    check(policy, report) {
      const excess = excessiveReach(policy)
      if (!excess) return
      const dangers = selectorsOf(policy).flatMap(({ hook, selector }) => {
        const action = selector.actions.find(isEnforcing)
        if (!action || namesProcesses(selector)) return []
        // The rule uprobe-scope says that no scope helps there.
        if (isInProgram(hook) && workloadLimit(policy)) return []
        // A filter narrows the reach to some calls, but not if the system itself makes those calls.
        const isNarrow = isFiltered(selector) && !targetsToken(selector)
        return [
          {
            action,
            isNarrow,
            isInProgram: isInProgram(hook),
            level: isNarrow || isMonitor(policy) ? ('warn' as const) : ('error' as const),
          },
        ]
      })
      const worst = dangers.find(({ level }) => level === 'error') ?? dangers[0]
      if (worst)
        report(
          worst.action.path,
          `${worst.action.action} reaches ${excess.reach}${worst.isNarrow ? ', where the filters match' : ''}`,
          worst.isInProgram ? narrowUserProbe : excess.fix,
          worst.level,
        )
    },
  },
  {
    id: 'uprobe-scope',
    level: 'error',
    why: 'Tetragon 1.7.0 does not check the namespace and the selectors of workloads at uprobes and usdts (cilium/tetragon#5347). The hook works in every process on the machine that runs the program.',
    check(policy, report) {
      const limit = workloadLimit(policy)
      const hook = policy.hooks.find(isInProgram)
      if (!limit || !hook) return
      const action = enforcingActions(policy)[0]
      report(
        limit.path,
        `The ${limit.name} has no effect on ${hook.section}${action ? `: ${action.action} reaches every process that runs ${hook.name}` : ''}`,
        narrowUserProbe,
        action && !isMonitor(policy) ? 'error' : 'warn',
      )
    },
  },
  {
    id: 'token-enforcement',
    level: 'error',
    why: 'Every in-cluster client rereads its service account token regularly: CoreDNS, Prometheus, the Grafana sidecars, operators and the Tetragon agent. This policy cuts them off from the API server.',
    check(policy, report) {
      if (requiresLabel(workloadSelectors(policy).podSelector)) return
      for (const { selector } of selectorsOf(policy)) {
        const action = selector.actions.find(isEnforcing)
        if (action && targetsToken(selector))
          report(
            action.path,
            `${action.action} applies to the service account token of more than one app`,
            'Add podSelector: {matchLabels: {app: NAME}} for an app that never needs its token',
            isMonitor(policy) ? 'warn' : 'error',
          )
      }
    },
  },
  {
    id: 'unfiltered-enforcement',
    level: 'error',
    why: 'Every process opens files, maps memory and starts programs. Without a filter, an enforcing action there ends every process that it reaches, and the pod cannot start again.',
    check(policy, report) {
      const isForOneApp = requiresLabel(workloadSelectors(policy).podSelector)
      for (const { hook, selector } of selectorsOf(policy)) {
        const action = selector.actions.find(isEnforcing)
        if (!action || !isOnEveryProgramsPath(hook)) continue
        // For one app, a list of exceptions is enough. For more, the filter must say which calls it means.
        const hasFilter = isForOneApp
          ? isFiltered(selector)
          : namesProcesses(selector) || selector.args.some(isSpecific) || selector.binaries.some(isPositive)
        if (!hasFilter)
          report(
            action.path,
            `${action.action} applies to every ${hook.name}`,
            isForOneApp ? 'Add matchArgs or matchBinaries' : 'Add matchArgs or matchBinaries that name what is meant',
            isMonitor(policy) ? 'warn' : 'error',
          )
      }
    },
  },
  {
    id: 'hidden-namespace',
    level: 'warn',
    why: 'By default the export drops events of the machine itself, cilium and kube-system, so they never reach Loki. `lab tetra getevents` shows them.',
    check(policy, report) {
      const { podSelector, hostSelector } = workloadSelectors(policy)
      const { path, selected } =
        policy.kind === 'TracingPolicyNamespaced'
          ? { path: ['metadata', 'namespace'], selected: policy.namespace ? [policy.namespace] : [] }
          : { path: ['spec', 'podSelector'], selected: [...(pinnedValues(podSelector).get(namespaceKey) ?? [])] }
      if (selected.length > 0 && selected.every(namespace => hiddenNamespaces.includes(namespace)))
        report(
          path,
          `The export drops events from ${selected.join(' and ')}`,
          'Select another namespace, or remove this one from tetragon.exportDenyList',
        )
      if (policy.kind === 'TracingPolicy' && hostSelector && hiddenNamespaces.includes(''))
        report(
          ['spec', 'hostSelector'],
          'The export drops events from the machine itself',
          'Remove "" from tetragon.exportDenyList',
        )
    },
  },
  {
    id: 'whole-machine',
    level: 'warn',
    why: 'A TracingPolicy without podSelector, containerSelector or hostSelector watches every process on the machine. The export drops events of the machine, so you pay for events that you never see.',
    check(policy, report, { foreign }) {
      const { podSelector, containerSelector, hostSelector } = workloadSelectors(policy)
      if (policy.kind !== 'TracingPolicy' || podSelector || containerSelector || hostSelector) return
      // Other rules report policies without hooks, and those with enforcing actions.
      if (policy.hooks.length === 0 || enforcingActions(policy).length > 0) return
      // A selector would have no effect, as uprobe-scope says.
      if (policy.hooks.every(isInProgram)) return
      const isScopedByNamespace = policy.hooks.every(
        ({ selectors }) =>
          selectors.length > 0 && selectors.every(selector => selector.entries('matchNamespaces').length > 0),
      )
      if (!isScopedByNamespace)
        report(
          ['spec'],
          'The policy has no podSelector',
          'Add podSelector: {} for all pods, or hostSelector: {} for the machine itself',
          foreign ? 'note' : 'warn',
        )
    },
  },
  {
    id: 'empty-selector',
    level: 'warn',
    why: 'The API server drops a selector without a value. The policy then applies to all processes, including those of the machine. {} selects all pods.',
    check({ spec }, report) {
      for (const key of ['podSelector', 'containerSelector'])
        if (spec[key] === null) report(['spec', key], `${key} has no value`, `Write ${key}: {}, or remove it`)
    },
  },
  {
    id: 'host-selector',
    level: 'error',
    why: 'hostSelector is either {} (the machine itself) or absent. A TracingPolicyNamespaced cannot have one, because the machine is in no namespace.',
    check(policy, report) {
      const { hostSelector } = workloadSelectors(policy)
      if (!hostSelector) return
      const path = ['spec', 'hostSelector']
      if (policy.kind === 'TracingPolicyNamespaced')
        report(path, 'A TracingPolicyNamespaced has a hostSelector', 'Remove it, or write kind: TracingPolicy')
      else if (!isEmpty(hostSelector)) report(path, 'hostSelector has labels', 'Write hostSelector: {}')
    },
  },
]
