import { BlockList, isIP } from 'node:net'
import { readSource } from '../../../shared/validation/yaml-source.ts'
import { lintPolicy } from '../../policy/lint/lint.ts'
import { type PolicyKind, policyKinds } from '../../policy/model/crd-schema.ts'
import {
  type Argument,
  type ArgumentFilter,
  enforces,
  enforcingActions,
  type Filter,
  type Hook,
  isMonitor,
  type Policy,
  readPolicyModel,
  type Selector,
} from '../../policy/model/policy-model.ts'
import { holds, inWords } from '../definition/condition.ts'
import type { PodSample, PolicyCheck, Sample } from '../definition/schema.ts'

// Policies by what they do. A check says what must be caught, spared and done, and any policy that does so is right, whatever hook order,
// operator or name its author chose.

/** A policy that might be the one. */
export interface Candidate {
  /** What it is called, with where it is. */
  where: string
  policy: Policy
  /** As YAML, for the lint. */
  text: string
}

/** Policies of a YAML text; what is no policy, or no YAML, is told as a problem. */
export function candidatesOf(text: string, file: string): { candidates: Candidate[]; problems: string[] } {
  const candidates: Candidate[] = []
  const problems: string[] = []
  for (const { value, errors } of readSource(text)) {
    const kind = (value as { kind?: unknown } | undefined)?.kind
    if (errors[0]) problems.push(`${file}, line ${errors[0].line}: ${errors[0].message}`)
    else if (!policyKinds.includes(kind as PolicyKind))
      problems.push(`${file}: ${kind === undefined ? 'no kind' : `a ${kind}`}`)
    else {
      const policy = readPolicyModel(kind as PolicyKind, value)
      candidates.push({ where: `${policy.name ?? 'a policy without a name'} (${file})`, policy, text })
    }
  }
  return { candidates, problems }
}

/** How much a policy looks like the one that was meant: by its name, its hook, its kind. */
export const likeness = (check: PolicyCheck, { policy }: Candidate): number =>
  Number(check.name !== undefined && holds(check.name, policy.name ?? '')) * 2 +
  Number(policy.hooks.some(hook => list(check.hook).includes(bareName(hook)))) * 2 +
  Number(check.kind === policy.kind)

/** What a policy lacks, in words, the most telling first; empty when it is what the check asks for. */
export function lacks(check: PolicyCheck, { policy, text }: Candidate, { deadEnd = false } = {}): string[] {
  const missing: string[] = []
  if (check.name !== undefined && !holds(check.name, policy.name ?? ''))
    missing.push(`it is called ${policy.name}, not ${inWords(check.name)}`)
  if (check.kind && check.kind !== policy.kind) missing.push(`it is a ${policy.kind}, not a ${check.kind}`)

  const wanted = list(check.hook)
  const hooks = policy.hooks.filter(hook => wanted.length === 0 || wanted.includes(bareName(hook)))
  if (hooks.length === 0)
    missing.push(
      policy.hooks.length === 0
        ? 'it has no hook'
        : `it hooks ${policy.hooks.map(bareName).join(', ')}, not ${wanted.join(' or ')}`,
    )
  else missing.push(...fewest(hooks.map(hook => hookLacks(check, hook))))
  missing.push(...tooMuch(check, policy))

  if (check.mode && check.mode !== modeOf(policy)) missing.push(modeWords[modeOf(policy)])
  for (const pod of check.reaches) if (!appliesTo(policy, pod)) missing.push(`it does not apply to ${podName(pod)}`)
  for (const pod of check.leaves) if (appliesTo(policy, pod)) missing.push(`it applies to ${podName(pod)} too`)

  const lint = check.lint ?? (deadEnd ? 'off' : 'errors')
  if (lint !== 'off' || check.findings) {
    const findings = lintPolicy(text, policy.name ?? 'policy')
    for (const rule of check.findings ?? [])
      if (!findings.some(finding => finding.rule === rule)) missing.push(`the lint does not find ${rule}`)
    const bad = findings.find(({ level }) => level === 'error' || lint === 'clean')
    if (lint !== 'off' && bad) missing.push(`line ${bad.line}: ${bad.message}; ${bad.fix}`)
  }
  return missing
}

const list = <T>(value: T | T[] | undefined): T[] => (value === undefined ? [] : Array.isArray(value) ? value : [value])
const fewest = (lists: string[][]): string[] => lists.toSorted((a, b) => a.length - b.length)[0] ?? []

/** `sys_openat` for all that the agent takes for it. */
const bareName = ({ name }: Hook): string => name.replace(/^__(x64|arm64)_(?=sys_)/, '')

function hookLacks(check: PolicyCheck, hook: Hook): string[] {
  const missing: string[] = []
  for (const { index, type } of check.args)
    if (
      !hook.args.some(
        each => (index === undefined || each.index === index) && (type === undefined || each.type === type),
      )
    )
      missing.push(
        `${bareName(hook)} reports no argument ${[index, type && `of type ${type}`].filter(part => part !== undefined).join(' ')}`,
      )

  const wanted = list(check.action)
  for (const sample of list(check.catches)) {
    const verdict = judge(hook, sample, 'any')
    if (!verdict.matched)
      missing.push(`it does not match ${argumentOf(sample)}${verdict.why ? `: ${verdict.why}` : ''}`)
    else if (wanted.length > 0 && !wanted.some(action => verdict.actions.includes(action)))
      missing.push(`at ${argumentOf(sample)} it does ${verdict.actions.join(', ')}, not ${wanted.join(' or ')}`)
  }
  if (!check.catches && wanted.length > 0) {
    const done = hook.selectors.flatMap(actionsOf)
    if (!wanted.some(action => done.includes(action)))
      missing.push(`it does ${[...new Set(done.length > 0 ? done : ['Post'])].join(', ')}, not ${wanted.join(' or ')}`)
  }
  if (check.message !== undefined && !holds(check.message, String(hook.spec.message ?? '')))
    missing.push(hook.spec.message ? `its message is "${hook.spec.message}"` : 'it has no message')
  const tags = (Array.isArray(hook.spec.tags) ? hook.spec.tags : []).map(String)
  if (check.tag !== undefined && !tags.some(tag => holds(check.tag!, tag)))
    missing.push(tags.length > 0 ? `its tags are ${tags.join(', ')}` : 'it has no tags')
  return missing
}

/** What is to be spared and is not, by whichever hook: a second one does as much harm as the first. */
function tooMuch(check: PolicyCheck, { hooks }: Policy): string[] {
  const interfering = list(check.action).some(action => enforcing.has(action))
  return list(check.spares).flatMap(sample => {
    const hit = hooks
      .filter(hook => sees(hook, argumentOf(sample)))
      .map(hook => judge(hook, sample, 'some'))
      .find(({ matched, actions }) =>
        interfering ? actions.some(action => enforcing.has(action)) : matched && !actions.includes('NoPost'),
      )
    if (!hit) return []
    return [
      interfering
        ? `at ${argumentOf(sample)} it does ${hit.actions.join(', ')}`
        : `it matches ${argumentOf(sample)} too`,
    ]
  })
}

/** Whether a hook could be given such a value: a path, or the address of a socket. One that reports no argument is given anything. */
function sees({ args }: Hook, value: string): boolean {
  const socket = !value.includes('/') && /:\d+$/.test(value)
  const types = args.map(({ type }) => type).filter(type => type !== undefined)
  return types.length === 0 || types.some(type => (socket ? socketTypes : textTypes).has(type))
}

const enforcing = new Set<string>(['Sigkill', 'Signal', 'Override', 'NotifyEnforcer'])

/** What a policy is there for, by its actions and its mode. */
export const modeOf = (policy: Policy): 'observe' | 'monitor' | 'enforce' =>
  enforces(policy) ? 'enforce' : enforcingActions(policy).length > 0 && isMonitor(policy) ? 'monitor' : 'observe'

const modeWords = {
  observe: 'it only observes: no action of it interferes',
  monitor: 'it is in monitor mode: it says what it would do, and does nothing',
  enforce: 'it enforces',
}

// --- what a hook makes of something that happens

interface Verdict {
  matched: boolean
  actions: string[]
  /** Why it did not match, where one filter is to blame. */
  why?: string
}

const argumentOf = (sample: Sample): string => (typeof sample === 'string' ? sample : sample.value)

/**
 * As the kernel does: the first selector whose filters all match decides; without selectors everything matches.
 * @param caller where the sample names no program: whether it must match whichever calls (`any`), or it is enough that it does for one (`some`).
 */
function judge(hook: Hook, sample: Sample, caller: 'any' | 'some'): Verdict {
  if (hook.selectors.length === 0) return { matched: true, actions: ['Post'] }
  const reasons: string[] = []
  for (const selector of hook.selectors) {
    const reason = mismatch(selector, sample, caller)
    if (reason === undefined) return { matched: true, actions: actionsOf(selector) }
    reasons.push(reason)
  }
  return { matched: false, actions: [], why: reasons.length === 1 ? reasons[0] : undefined }
}

const actionsOf = (selector: Selector): string[] =>
  selector.actions.length > 0 ? selector.actions.map(({ action }) => action) : ['Post']

function mismatch(selector: Selector, sample: Sample, caller: 'any' | 'some'): string | undefined {
  const value = argumentOf(sample)
  for (const filter of selector.args) {
    if (filter.list !== 'matchArgs') continue
    if (filterMatches(filter, filter.argument, value) === false)
      return `${filter.operator} ${filter.values.slice(0, 3).join(', ')}${filter.values.length > 3 ? ', …' : ''}`
  }
  const binary = typeof sample === 'string' ? undefined : sample.binary
  for (const filter of selector.binaries) {
    const matches = binary === undefined ? caller === 'some' : textMatches(filter, binary)
    if (matches === false) return `matchBinaries ${filter.operator} ${filter.values.join(', ')}`
  }
  return undefined
}

const socketTypes = new Set(['sock', 'sockaddr', 'skb'])
const textTypes = new Set(['string', 'file', 'filename', 'path', 'dentry', 'linux_binprm', 'char_buf', 'kiocb'])

/** Whether an argument's filter lets a value through; undefined where it asks for something that the value says nothing of. */
function filterMatches(filter: ArgumentFilter, argument: Argument | undefined, value: string): boolean | undefined {
  if (argument?.type !== undefined && socketTypes.has(argument.type)) return socketMatches(filter, value)
  return argument?.type === undefined || textTypes.has(argument.type) ? textMatches(filter, value) : undefined
}

function textMatches({ operator, values }: Filter, value: string): boolean | undefined {
  const some = (matches: (each: string) => boolean): boolean => values.some(matches)
  switch (operator) {
    case 'Equal':
    case 'In':
      return some(each => value === each)
    case 'NotEqual':
    case 'NotIn':
      return !some(each => value === each)
    case 'Prefix':
      return some(each => value.startsWith(each))
    case 'NotPrefix':
      return !some(each => value.startsWith(each))
    case 'Postfix':
      return some(each => value.endsWith(each))
    case 'NotPostfix':
      return !some(each => value.endsWith(each))
    case 'SubString':
      return some(each => value.includes(each))
    case 'SubStringIgnCase':
      return some(each => value.toLowerCase().includes(each.toLowerCase()))
    default:
      return undefined
  }
}

function socketMatches({ operator, values }: Filter, value: string): boolean | undefined {
  const [, address = '', port = ''] = /^\[?(.*?)\]?:(\d+)$/.exec(value) ?? []
  switch (operator) {
    case 'DAddr':
      return inSubnets(address, values)
    case 'NotDAddr':
      return !inSubnets(address, values)
    case 'DPort':
      return values.some(each => inRange(port, each))
    case 'NotDPort':
      return !values.some(each => inRange(port, each))
    default:
      return undefined
  }
}

function inSubnets(address: string, values: string[]): boolean {
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
  const subnets = new BlockList()
  for (const value of values) {
    const [net = '', bits] = value.split('/')
    if (isIP(net) === 0 || (isIP(net) === 6) !== (family === 'ipv6')) continue
    if (bits === undefined) subnets.addAddress(net, family)
    else subnets.addSubnet(net, Number(bits), family)
  }
  return isIP(address) !== 0 && subnets.check(address, family)
}

function inRange(port: string, range: string): boolean {
  const [from, to = from] = range.split(':').map(Number)
  return Number(port) >= from! && Number(port) <= to!
}

// --- which pods

const namespaceKey = 'k8s:io.kubernetes.pod.namespace'

/** Whether a policy applies to a pod. A containerSelector is taken to choose one of its containers. */
export function appliesTo(policy: Policy, { namespace, labels }: PodSample): boolean {
  if (policy.kind === 'TracingPolicyNamespaced' && (policy.namespace ?? 'default') !== namespace) return false
  const { podSelector, hostSelector } = policy.spec as { podSelector?: LabelSelector; hostSelector?: object }
  if (podSelector === undefined) return hostSelector === undefined || policy.kind === 'TracingPolicyNamespaced'
  const all: Record<string, string> = { ...labels, [namespaceKey]: namespace }
  return (
    Object.entries(podSelector.matchLabels ?? {}).every(([key, value]) => all[key] === value) &&
    (podSelector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
      const value = all[key]
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

interface LabelSelector {
  matchLabels?: Record<string, string>
  matchExpressions?: { key: string; operator: string; values?: string[] }[]
}

function podName({ namespace, labels }: PodSample): string {
  const name = Object.values(labels)[0]
  return name ? `${name} in ${namespace}` : `pods of ${namespace}`
}
