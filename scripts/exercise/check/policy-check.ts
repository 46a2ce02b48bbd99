import { lintPolicy } from '../../policy/lint/lint.ts'
import { isSocket, isText } from '../../policy/model/argument-types.ts'
import { appliesToPod } from '../../policy/model/label-selector.ts'
import {
  bareName,
  type Hook,
  isEnforcingName,
  type Policy,
  policyMode,
  readPolicyModel,
  type Selector,
  tagsOf,
} from '../../policy/model/policy-model.ts'
import { isOtherObject, isPolicyKind, readPolicyDocuments } from '../../policy/model/policy-source.ts'
import { passesArgumentFilter, passesTextFilter } from '../../policy/model/value-match.ts'
import type { CallSample, PodSample, PolicyCheck } from '../definition/check-schema.ts'
import { describeCondition, meets } from '../definition/condition.ts'

// Checks a student's policy by its behavior: which calls it matches, which it spares, and what it does. Any policy
// with the right behavior passes, whatever hook order, operator or name the student chose.

/** A policy that may be the student's solution. */
export interface Candidate {
  /** Its name and where it is. */
  where: string
  policy: Policy
  /** The YAML, for the lint. */
  text: string
  /** Only for a policy in the cluster. */
  createdAt?: Date
}

/** Reads the policies in a YAML text. Invalid YAML and other kinds of objects become problems. */
export function parseCandidates(text: string, file: string): { candidates: Candidate[]; problems: string[] } {
  const candidates: Candidate[] = []
  const problems: string[] = []
  const documents = readPolicyDocuments(text)
  const policies = documents.filter(({ value }) => !isOtherObject(value))
  // kubectl applies other objects too, but a file without any policy is the wrong one.
  for (const { value, errors } of policies.length > 0 ? policies : documents) {
    const kind = (value as { kind?: unknown } | undefined)?.kind
    if (errors[0]) problems.push(`${file}, line ${errors[0].line}: ${errors[0].message}`)
    else if (!isPolicyKind(kind))
      problems.push(kind === undefined ? `${file}: kind is missing` : `${file}: kind is ${kind}`)
    else {
      const policy = readPolicyModel(kind, value)
      candidates.push({ where: `${policy.name ?? 'a policy without a name'} (${file})`, policy, text })
    }
  }
  return { candidates, problems }
}

/** Returns how similar a policy is to the expected one, by its name, hook and kind. */
export const similarity = (check: PolicyCheck, { policy }: Candidate): number =>
  Number(check.name !== undefined && meets(check.name, policy.name ?? '')) * 2 +
  Number(policy.hooks.some(hook => asList(check.hook).includes(bareName(hook)))) * 2 +
  Number(check.kind === policy.kind)

/** Returns how a policy differs from the check, the most important difference first. */
export function findMismatches(check: PolicyCheck, { policy, text }: Candidate, { deadEnd = false } = {}): string[] {
  return [
    ...identityMismatches(check, policy),
    ...hookMismatches(check, policy),
    ...sparedMismatches(check, policy),
    ...scopeMismatches(check, policy),
    ...lintMismatches(check, policy, text, deadEnd),
  ]
}

const asList = <T>(value: T | T[] | undefined): T[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value]

function identityMismatches({ name, kind }: PolicyCheck, policy: Policy): string[] {
  const mismatches: string[] = []
  if (name !== undefined && !meets(name, policy.name ?? ''))
    mismatches.push(`it is called ${policy.name}, not ${describeCondition(name)}`)
  if (kind && kind !== policy.kind) mismatches.push(`it is a ${policy.kind}, not a ${kind}`)
  return mismatches
}

/** Returns the mismatches of the best hook among those that the check accepts. */
function hookMismatches(check: PolicyCheck, policy: Policy): string[] {
  if (policy.hooks.length === 0) return ['it has no hook']
  const expected = asList(check.hook)
  const hooks = policy.hooks.filter(hook => expected.length === 0 || expected.includes(bareName(hook)))
  if (hooks.length === 0) return [`it hooks ${policy.hooks.map(bareName).join(', ')}, not ${expected.join(' or ')}`]
  const mismatches = hooks.map(hook => [
    ...argumentMismatches(check, hook),
    ...matchMismatches(check, hook),
    ...labelMismatches(check, hook),
  ])
  return mismatches.toSorted((a, b) => a.length - b.length)[0]!
}

function argumentMismatches({ args }: PolicyCheck, hook: Hook): string[] {
  return args
    .filter(
      ({ index, type }) =>
        !hook.args.some(
          argument =>
            (index === undefined || argument.index === index) && (type === undefined || argument.type === type),
        ),
    )
    .map(({ index, type }) => {
      const argument = [index, type && `of type ${type}`].filter(part => part !== undefined).join(' ')
      return `${bareName(hook)} does not read an argument ${argument}`
    })
}

function matchMismatches(check: PolicyCheck, hook: Hook): string[] {
  const mismatches: string[] = []
  const expected = asList(check.action)
  for (const sample of asList(check.catches)) {
    const verdict = evaluate(hook, sample, 'any')
    if (!verdict.matched)
      mismatches.push(`it does not match ${argumentValue(sample)}${verdict.why ? `: ${verdict.why}` : ''}`)
    else if (expected.length > 0 && !expected.some(action => verdict.actions.includes(action)))
      mismatches.push(
        `for ${argumentValue(sample)} its action is ${verdict.actions.join(', ')}, not ${expected.join(' or ')}`,
      )
  }
  if (!check.catches && expected.length > 0) {
    const actions = hook.selectors.length > 0 ? hook.selectors.flatMap(actionNames) : ['Post']
    if (!expected.some(action => actions.includes(action)))
      mismatches.push(`its action is ${[...new Set(actions)].join(', ')}, not ${expected.join(' or ')}`)
  }
  return mismatches
}

function labelMismatches({ message, tag }: PolicyCheck, hook: Hook): string[] {
  const mismatches: string[] = []
  if (message !== undefined && !meets(message, String(hook.spec.message ?? '')))
    mismatches.push(hook.spec.message ? `its message is "${hook.spec.message}"` : 'it has no message')
  const tags = tagsOf(hook)
  if (tag !== undefined && !tags.some(each => meets(tag, each)))
    mismatches.push(tags.length > 0 ? `its tags are ${tags.join(', ')}` : 'it has no tags')
  return mismatches
}

/**
 * Returns the calls that the policy should spare but matches with any of its hooks, whether the check names the hook or
 * not.
 */
function sparedMismatches(check: PolicyCheck, { hooks }: Policy): string[] {
  const enforces = asList(check.action).some(isEnforcingName)
  return asList(check.spares).flatMap(sample => {
    const verdict = hooks
      .filter(hook => canReceive(hook, argumentValue(sample)))
      .map(hook => evaluate(hook, sample, 'some'))
      .find(({ matched, actions }) =>
        enforces ? actions.some(isEnforcingName) : matched && !actions.includes('NoPost'),
      )
    if (!verdict) return []
    return enforces
      ? [`for ${argumentValue(sample)} its action is ${verdict.actions.join(', ')}`]
      : [`it also matches ${argumentValue(sample)}`]
  })
}

/**
 * Returns whether an argument of the hook can have a value: a path, or the address of a socket. A hook without
 * arguments can have any.
 */
function canReceive({ args }: Hook, value: string): boolean {
  const isAddress = !value.includes('/') && /:\d+$/.test(value)
  const typed = args.filter(({ type }) => type !== undefined)
  return typed.length === 0 || typed.some(argument => (isAddress ? isSocket(argument) : isText(argument)))
}

const modeDescriptions = {
  observe: 'it only observes: it has no enforcing action',
  monitor: 'it is in monitor mode: it reports its actions but does not perform them',
  enforce: 'it enforces',
}

function scopeMismatches({ mode, reaches, leaves }: PolicyCheck, policy: Policy): string[] {
  const actual = policyMode(policy)
  return [
    ...(mode && mode !== actual ? [modeDescriptions[actual]] : []),
    ...reaches.filter(pod => !appliesToPod(policy, pod)).map(pod => `it does not apply to ${podName(pod)}`),
    ...leaves.filter(pod => appliesToPod(policy, pod)).map(pod => `it also applies to ${podName(pod)}`),
  ]
}

function podName({ namespace, labels }: PodSample): string {
  const name = Object.values(labels)[0]
  return name ? `${name} in ${namespace}` : `pods in ${namespace}`
}

function lintMismatches(check: PolicyCheck, policy: Policy, text: string, deadEnd: boolean): string[] {
  const level = check.lint ?? (deadEnd ? 'off' : 'errors')
  if (level === 'off' && !check.findings) return []
  const findings = lintPolicy(text, policy.name ?? 'policy')
  const absent = (check.findings ?? []).filter(rule => !findings.some(finding => finding.rule === rule))
  const refused = level === 'off' ? undefined : findings.find(finding => finding.level === 'error' || level === 'clean')
  return [
    ...absent.map(rule => `the lint does not report ${rule}`),
    ...(refused ? [`line ${refused.line}: ${refused.message}. ${refused.fix}`] : []),
  ]
}

// --- what a hook does with a call

interface Verdict {
  matched: boolean
  actions: string[]
  /** The filter that excluded the call, if there is only one selector. */
  why?: string
}

const argumentValue = (sample: CallSample): string => (typeof sample === 'string' ? sample : sample.value)

/**
 * Evaluates a call as the kernel does: the first selector whose filters all match decides, and a hook without selectors
 * matches every call.
 * @param caller For a sample without a calling program: whether the hook must match `any` caller, or `some` caller is
 * enough.
 */
function evaluate(hook: Hook, sample: CallSample, caller: 'any' | 'some'): Verdict {
  if (hook.selectors.length === 0) return { matched: true, actions: ['Post'] }
  const reasons: string[] = []
  for (const selector of hook.selectors) {
    const reason = excludingFilter(selector, sample, caller)
    if (reason === undefined) return { matched: true, actions: actionNames(selector) }
    reasons.push(reason)
  }
  return { matched: false, actions: [], why: reasons.length === 1 ? reasons[0] : undefined }
}

const actionNames = ({ actions }: Selector): string[] =>
  actions.length > 0 ? actions.map(({ action }) => action) : ['Post']

/** Returns the first filter that a call does not pass. */
function excludingFilter(selector: Selector, sample: CallSample, caller: 'any' | 'some'): string | undefined {
  for (const filter of selector.args)
    if (filter.list === 'matchArgs' && passesArgumentFilter(filter, argumentValue(sample)) === false)
      return `${filter.operator} ${filter.values.slice(0, 3).join(', ')}${filter.values.length > 3 ? ', …' : ''}`
  const binary = typeof sample === 'string' ? undefined : sample.binary
  for (const filter of selector.binaries) {
    const passes = binary === undefined ? caller === 'some' : passesTextFilter(filter, binary)
    if (passes === false) return `matchBinaries ${filter.operator} ${filter.values.join(', ')}`
  }
  return undefined
}
