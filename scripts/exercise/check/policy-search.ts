import { stringify } from 'yaml'
import type { PolicyCheck } from '../definition/check-schema.ts'
import { describeCondition, meets } from '../definition/condition.ts'
import { type CheckContext, type CheckResult, fail, lastLine, pass, untried } from './check-context.ts'
import { type Candidate, findMismatches, parseCandidates, similarity } from './policy-check.ts'

/** The policies that a check can choose from, and why other texts are not among them. */
interface Candidates {
  candidates: Candidate[]
  problems: string[]
}

/** Checks the policy that comes nearest to the one that the task asks for. */
export async function checkPolicy(check: PolicyCheck, context: CheckContext): Promise<CheckResult> {
  const place = check.in === 'work' ? `in ${context.workPath}/${check.file ?? ''}` : 'in the cluster'
  const expected = describePolicy(check, place)
  const { candidates, problems } =
    check.in === 'work' ? policiesInFiles(check, context) : await policiesInCluster(context)
  const best = nearestPolicy(check, candidates, context)
  if (best?.mismatches.length === 0) return pass(best.candidate.where, expected)
  // The lab has policies in the cluster from the start. They are no try of the student's.
  if (check.in === 'cluster' && candidates.length > 0 && !candidates.some(each => isOfStudent(each, check, context)))
    return untried(
      `no TracingPolicy ${check.name === undefined ? 'of yours' : describeCondition(check.name)} ${place}`,
      expected,
    )
  if (best) return fail(`${best.candidate.where}: ${best.mismatches.slice(0, 2).join('; ')}`, expected)
  return problems[0] === undefined ? untried(`no TracingPolicy ${place}`, expected) : fail(problems[0], expected)
}

/** Returns whether a policy was created since the exercise started, or has the name that the task asks for. */
const isOfStudent = ({ policy, createdAt }: Candidate, { name }: PolicyCheck, { startedAt }: CheckContext): boolean =>
  (createdAt !== undefined && createdAt >= startedAt) || (name !== undefined && meets(name, policy.name ?? ''))

function nearestPolicy(check: PolicyCheck, candidates: Candidate[], { deadEnd }: CheckContext) {
  const ranked = candidates
    .map(candidate => ({ candidate, mismatches: findMismatches(check, candidate, { deadEnd }) }))
    // The last of equals is the one that the student has just created.
    .reverse()
    .sort(
      (a, b) =>
        Number(a.mismatches.length > 0) - Number(b.mismatches.length > 0) ||
        similarity(check, b.candidate) - similarity(check, a.candidate) ||
        a.mismatches.length - b.mismatches.length,
    )
  return ranked[0]
}

function describePolicy({ kind, name, hook }: PolicyCheck, place: string): string {
  const hooks = [hook ?? []].flat()
  const words = [
    kind ? `a ${kind}` : 'a policy',
    name === undefined ? '' : `called ${describeCondition(name)}`,
    place,
    hooks.length > 0 ? `on ${hooks.join(' or ')}` : '',
  ]
  return words.filter(Boolean).join(' ')
}

function policiesInFiles({ file }: PolicyCheck, { lab, work, workPath }: CheckContext): Candidates {
  const files = lab.files(work).filter(({ name }) => file === undefined || name === file)
  const parsed = files.map(({ name, text }) => parseCandidates(text, `${workPath}/${name}`))
  return {
    candidates: parsed.flatMap(({ candidates }) => candidates),
    problems: parsed.flatMap(({ problems }) => problems),
  }
}

interface PolicyObject {
  apiVersion: string
  kind: string
  metadata: { name: string; namespace?: string; creationTimestamp?: string }
  spec: unknown
}

/** Returns the policies that the API server holds, the oldest first. */
export async function policiesInCluster({ lab }: CheckContext): Promise<Candidates> {
  const kinds = 'tracingpolicies,tracingpoliciesnamespaced'
  const { exitCode, stdout, stderr } = await lab.kubectl(['get', kinds, '-A', '-o', 'json'])
  if (exitCode !== 0) return { candidates: [], problems: [lastLine(stderr)] }
  const { items } = JSON.parse(stdout || '{"items":[]}') as { items: PolicyObject[] }
  const created = ({ metadata }: PolicyObject): string => metadata.creationTimestamp ?? ''
  const byAge = items.toSorted((a, b) => created(a).localeCompare(created(b)))
  return { candidates: byAge.flatMap(toCandidates), problems: [] }
}

function toCandidates({ apiVersion, kind, metadata, spec }: PolicyObject): Candidate[] {
  const { name, namespace, creationTimestamp } = metadata
  const text = stringify({ apiVersion, kind, metadata: { name, ...(namespace && { namespace }) }, spec })
  const { candidates } = parseCandidates(text, namespace ? `namespace ${namespace}` : 'whole cluster')
  const createdAt = new Date(creationTimestamp ?? Date.now())
  return candidates.map(candidate => ({ ...candidate, createdAt }))
}
