import { stringify } from 'yaml'
import { LabError } from '../../../shared/lab-error.ts'
import { holds, inWords } from '../definition/condition.ts'
import {
  type AgentCheck,
  type AnswerCheck,
  type Check,
  type KubeCheck,
  kindOf,
  type Logql,
  milliseconds,
  type PolicyCheck,
  type Promql,
  type QueryCheck,
  type RunCheck,
} from '../definition/schema.ts'
import { isLogQuery, type LabClient, type Sample } from './lab-client.ts'
import { type Candidate, candidatesOf, lacks, likeness } from './policy-check.ts'

// Each kind of check: what it looks at, and what it says it found.

/** What a check is made with. */
export interface Situation {
  world: LabClient
  /** The student's folder, absolute. */
  work: string
  /** How the student calls it. */
  workPath: string
  /** Task's id, for the command that answers. */
  task: string
  /** When the exercise was started: what came before does not count. */
  startedAt: Date
  now: Date
  /** What the student answered, and when. */
  answer?: { value: string; at: Date }
  /** A dead end is looked for, not a solution. */
  deadEnd?: boolean
  /** Milliseconds for which the task says that it is worthwhile to wait: for what arrives by itself, and for what the student makes. */
  within?: { arrives: number; made?: number }
}

/** What came of a check. */
export interface Outcome {
  passed: boolean
  found: string
  expected: string
  /** The student has not tried: nothing was answered, or nothing is there to be judged. */
  untried?: boolean
  /** It could not be looked at, which is the lab's fault and no try of the student's: the command that helps. */
  unable?: string
  /** Of what failed: for how many milliseconds it may still come about. */
  waits?: number
}

const outcome = (passed: boolean, found: string, expected: string, untried?: boolean): Outcome => ({
  passed,
  found,
  expected,
  ...(untried && { untried }),
})

/** What cannot be judged, and what helps. */
const unable = (found: string, expected: string, next: string): Outcome => ({
  ...outcome(false, found, expected),
  unable: next,
})

/** Makes a check, once. What cannot be looked at is a failure that says so, never an exception. */
export async function make(check: Check, situation: Situation): Promise<Outcome> {
  const made = await judged(check, situation)
  return made.passed ? made : { waits: patience(check, situation), ...made }
}

async function judged(check: Check, situation: Situation): Promise<Outcome> {
  try {
    return await makers[kindOf(check)](check as Required<Check>, situation)
  } catch (error) {
    if (!(error instanceof LabError)) throw error
    return unable(error.found, error.expected, error.next)
  }
}

/** For how many seconds a kind of check is worth repeating: what must still arrive takes time, what the student wrote is there. */
const seconds: Partial<Record<keyof Check, number>> = {
  promql: 20,
  logql: 10,
  kube: 8,
  run: 4,
  policy: 4,
  agent: 20,
  not: 8,
}

function patience(check: Check, { within }: Situation): number {
  if (check.policy?.in === 'work') return 0
  const { promql, logql, kube, run, agent } = check
  const own = (promql ?? logql ?? kube ?? run ?? agent)?.within
  if (own !== undefined) return milliseconds(own)
  const kind = kindOf(check)
  const told = promql || logql || run || agent ? within?.arrives : kube || check.policy ? within?.made : undefined
  return told ?? (seconds[kind] ?? 0) * 1000
}

const makers: Record<keyof Check, (check: Required<Check>, situation: Situation) => Promise<Outcome>> = {
  promql: ({ promql }, { world, now, ...rest }) => queried(promql, query => world.promql(query, now), { now, ...rest }),
  logql: ({ logql }, { world, now, startedAt, ...rest }) =>
    queried(logql, query => world.logql(query, startedAt, now), { now, startedAt, ...rest }),
  kube: ({ kube }, situation) => inCluster(kube, situation),
  run: ({ run }, situation) => ran(run, situation),
  policy: ({ policy }, situation) => policyThere(policy, situation),
  agent: ({ agent }, situation) => agentSays(agent, situation),
  answer: ({ answer }, situation) => answered(answer, situation),
  query: ({ query }, situation) => sameQuery(query, situation),
  given: async ({ given }, { answer }) =>
    outcome(answer !== undefined && holds(given, answer.value), answer?.value ?? 'no answer yet', inWords(given)),
  all: async ({ all }, situation) => {
    const outcomes = await Promise.all(all.map(each => make(each, situation)))
    const failed = outcomes.filter(({ passed }) => !passed)
    const told = failed.find(each => each.unable === undefined) ?? failed[0]
    // What comes about soonest decides: where that is lacking, there is nothing to wait for.
    return told ? { ...told, waits: Math.min(...failed.map(each => each.waits!)) } : outcomes[0]!
  },
  any: async ({ any }, situation) => {
    const outcomes = await Promise.all(any.map(each => make(each, situation)))
    const told =
      outcomes.find(({ passed }) => passed) ?? outcomes.find(each => each.unable === undefined) ?? outcomes[0]!
    return told.passed ? told : { ...told, waits: Math.max(...outcomes.map(each => each.waits!)) }
  },
  not: async ({ not }, situation) => {
    const made = await make(not, situation)
    // What cannot be looked at is not absent.
    return made.unable === undefined ? outcome(!made.passed, made.found, `not: ${made.expected}`) : made
  },
}

// --- queries

const withSince = (query: string, { startedAt, now }: { startedAt: Date; now: Date }): string =>
  query.replaceAll('$since', `${Math.max(5, Math.ceil((now.getTime() - startedAt.getTime()) / 1000))}s`)

async function queried(
  { query, is, series }: Promql | Logql,
  ask: (query: string) => Promise<Sample[]>,
  times: { startedAt: Date; now: Date },
): Promise<Outcome> {
  const answer = await ask(withSince(query, times))
  const counted = isLogQuery(query)
    ? answer.length > 0
      ? [{ labels: {}, value: sum(answer) }]
      : []
    : answer.filter(({ value }) => !Number.isNaN(value))
  const good = counted.filter(({ value }) => holds(is, value)).length
  const many = holds(series, 1) ? '' : ` in ${inWords(series)} series`
  const expected = isLogQuery(query) ? `${inWords(is)} lines` : `${inWords(is)}${many}`
  return outcome(
    holds(series, good),
    counted.length === 0 ? 'nothing: the query is empty' : counted.slice(0, 3).map(show).join(', '),
    expected,
  )
}

const sum = (list: Sample[]): number => list.reduce((total, { value }) => total + value, 0)

function show({ labels, value }: Sample): string {
  const names = Object.values(labels).filter(Boolean)
  return names.length > 0 ? `${names.slice(0, 3).join(' ')}: ${short(value)}` : short(value)
}

const short = (value: number): string => (Number.isInteger(value) ? String(value) : value.toPrecision(3))

// --- the cluster

async function inCluster(
  { get, namespace, selector, jsonpath, is, count }: KubeCheck,
  { world }: Situation,
): Promise<Outcome> {
  const args = [
    'get',
    ...get.split(/\s+/),
    ...scope(namespace, selector),
    '-o',
    jsonpath ? `jsonpath=${jsonpath}` : 'name',
  ]
  const { exitCode, stdout, stderr } = await world.kubectl(args)
  const what = `${get}${selector ? ` -l ${selector}` : ''}${namespace ? ` in ${namespace}` : ''}`
  const lines = stdout.split('\n').filter(Boolean)
  if (exitCode !== 0)
    return outcome(
      false,
      lastLine(stderr) || `kubectl ended with ${exitCode}`,
      jsonpath ? `${what}: ${inWords(is!)}` : `${inWords(count)} ${what}`,
    )
  return jsonpath
    ? outcome(holds(is!, stdout), `${what}: ${stdout.trim() || 'nothing'}`, inWords(is!))
    : outcome(holds(count, lines.length), `${lines.length} ${what}`, inWords(count))
}

const scope = (namespace: string, selector: string | undefined): string[] => [
  ...(namespace ? ['-n', namespace] : ['-A']),
  ...(selector ? ['-l', selector] : []),
]

const lastLine = (text: string): string => text.trim().split('\n').at(-1)!.trim()

async function ran({ command, exit, stdout, stderr, timeout }: RunCheck, { world, work }: Situation): Promise<Outcome> {
  const result = await world.run(command, { timeout: milliseconds(timeout), work })
  const wanted = [
    ...(stdout === undefined ? [] : [`to print ${inWords(stdout)}`]),
    ...(stderr === undefined ? [] : [`to say ${inWords(stderr)}`]),
    `to end with ${exit}`,
  ]
  const passed =
    result.exitCode === exit &&
    (stdout === undefined || holds(stdout, result.stdout)) &&
    (stderr === undefined || holds(stderr, result.stderr))
  const said = lastLine(result.stdout) || lastLine(result.stderr)
  const name = command.trim().split('\n').at(-1)!
  return outcome(
    passed,
    `${name.length > 100 ? `${name.slice(0, 99)}…` : name} ended with ${result.exitCode}${said ? ` and said: ${said.slice(0, 200)}` : ''}`,
    `it ${wanted.join(' and ')}`,
  )
}

// --- policies

interface PolicyObject {
  apiVersion: string
  kind: string
  metadata: { name: string; namespace?: string; creationTimestamp?: string }
  spec: unknown
}

async function policyThere(check: PolicyCheck, situation: Situation): Promise<Outcome> {
  const { candidates, problems } = check.in === 'work' ? inWork(check, situation) : await inApi(situation)
  const ranked = candidates
    .map(candidate => ({ candidate, missing: lacks(check, candidate, { deadEnd: situation.deadEnd }) }))
    // Of two that lack as much, the later: what the student has just made.
    .reverse()
    .sort(
      (a, b) =>
        Number(a.missing.length > 0) - Number(b.missing.length > 0) ||
        likeness(check, b.candidate) - likeness(check, a.candidate) ||
        a.missing.length - b.missing.length,
    )
  const best = ranked[0]
  const place = check.in === 'work' ? `in ${situation.workPath}/${check.file ?? ''}` : 'in the cluster'
  if (!best)
    return outcome(
      false,
      problems[0] ?? `no TracingPolicy ${place}`,
      expectedPolicy(check, place),
      problems.length === 0,
    )
  return outcome(
    best.missing.length === 0,
    best.missing.length === 0
      ? best.candidate.where
      : `${best.candidate.where}: ${best.missing.slice(0, 2).join('; ')}`,
    expectedPolicy(check, place),
  )
}

function expectedPolicy(check: PolicyCheck, place: string): string {
  const hooks = [check.hook ?? []].flat()
  const words = [
    check.kind ? `a ${check.kind}` : 'a policy',
    check.name === undefined ? '' : `called ${inWords(check.name)}`,
    place,
    hooks.length > 0 ? `on ${hooks.join(' or ')}` : '',
  ]
  return words.filter(Boolean).join(' ')
}

function inWork(
  check: PolicyCheck,
  { world, work, workPath }: Situation,
): { candidates: Candidate[]; problems: string[] } {
  const files = world.files(work).filter(({ name }) => check.file === undefined || name === check.file)
  const read = files.map(({ name, text }) => candidatesOf(text, `${workPath}/${name}`))
  return { candidates: read.flatMap(each => each.candidates), problems: read.flatMap(each => each.problems) }
}

async function inApi({ world }: Situation): Promise<{ candidates: Candidate[]; problems: string[] }> {
  const { exitCode, stdout, stderr } = await world.kubectl([
    'get',
    'tracingpolicies,tracingpoliciesnamespaced',
    '-A',
    '-o',
    'json',
  ])
  if (exitCode !== 0) return { candidates: [], problems: [lastLine(stderr)] }
  const { items } = JSON.parse(stdout || '{"items":[]}') as { items: PolicyObject[] }
  const byAge = items.toSorted((a, b) =>
    (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? ''),
  )
  const candidates = byAge.flatMap(
    ({ apiVersion, kind, metadata: { name, namespace }, spec }) =>
      candidatesOf(
        stringify({ apiVersion, kind, metadata: { name, ...(namespace && { namespace }) }, spec }),
        namespace ? `namespace ${namespace}` : 'whole cluster',
      ).candidates,
  )
  return { candidates, problems: [] }
}

async function agentSays({ policy, state, mode, error, counters }: AgentCheck, situation: Situation): Promise<Outcome> {
  const policies = await situation.world.agentPolicies()
  const found = policies.find(({ name }) => holds(policy, name))
  const expected = [
    `policy ${inWords(policy)} ${state}`,
    mode ? `in mode ${mode}` : '',
    ...Object.entries(counters).map(([name, condition]) => `${name} ${inWords(condition)}`),
  ]
    .filter(Boolean)
    .join(', ')
  if (!found) {
    const { candidates } = await inApi(situation)
    const there = candidates.some(({ policy: { name } }) => holds(policy, name ?? ''))
    return there
      ? outcome(false, `the agent has ${policies.map(({ name }) => name).join(', ') || 'no policies'}`, expected)
      : outcome(false, `no TracingPolicy ${inWords(policy)} in the cluster`, expected, true)
  }
  const is = {
    state: (found.state ?? '').replace('TP_STATE_', '').toLowerCase(),
    mode: (found.mode ?? '').replace('TP_MODE_', '').toLowerCase(),
  }
  // Counters that are zero are left out.
  const counter = (name: string): string => found.stats?.action_counters?.[name] ?? '0'
  const passed =
    is.state === state &&
    (mode === undefined || is.mode === mode) &&
    (error === undefined || holds(error, found.error ?? '')) &&
    Object.entries(counters).every(([name, condition]) => holds(condition, counter(name)))
  const said = [
    `${found.name} ${is.state}`,
    is.mode ? `mode ${is.mode}` : '',
    ...Object.keys(counters).map(name => `${name} ${counter(name)}`),
    found.error ? found.error : '',
  ]
  return outcome(passed, said.filter(Boolean).join(', '), expected)
}

// --- what the student says

const noAnswer = ({ task }: Situation, what = 'VALUE'): Outcome =>
  outcome(false, 'no answer yet', `./lab exercise answer ${task} ${what}`, true)

async function answered(check: AnswerCheck, situation: Situation): Promise<Outcome> {
  const { answer, now } = situation
  if (!answer) return noAnswer(situation)
  // Right when it was given is right: counters go on meanwhile. And right now, for a lab that was stood up anew.
  for (const at of [answer.at, now]) {
    const accepted = await acceptedAnswers(check, { ...situation, now: at })
    if (accepted.some(right => isRight(answer.value, right, check))) return outcome(true, answer.value, answer.value)
    if (at === now && accepted.length === 0) return nothingFor(check.from)
  }
  const numeric = check.label === undefined && (check.from.promql ?? check.from.logql) !== undefined
  return outcome(false, `your answer ${answer.value}`, numeric ? 'another number' : 'something else')
}

/** There is no right answer: of a query, because no events came; of an object or a command, because it is not as the text has left it. */
const nothingFor = ({ kube, run }: AnswerCheck['from']): Outcome =>
  kube || run !== undefined
    ? outcome(
        false,
        `nothing that could be the answer: ${kube ? `${kube.get} is not there` : lastLine(run!)}`,
        'what the text had you make before',
      )
    : unable('this lab has no data to hold your answer against', 'events', './lab verify')

async function acceptedAnswers({ from, label, decode }: AnswerCheck, situation: Situation): Promise<string[]> {
  const { world, now, startedAt, work } = situation
  let values: string[]
  if (from.kube) {
    const { get, namespace, selector, jsonpath } = from.kube
    const { stdout } = await world.kubectl([
      'get',
      ...get.split(/\s+/),
      ...scope(namespace, selector),
      '-o',
      `jsonpath=${jsonpath}`,
    ])
    values = stdout.split(/\s+/)
  } else if (from.run !== undefined) {
    const { exitCode, stdout } = await world.run(from.run, { timeout: 20_000, work })
    values = exitCode === 0 ? stdout.split('\n') : []
  } else {
    const found = from.promql
      ? await world.promql(withSince(from.promql, { startedAt, now }), now)
      : await world.logql(withSince(from.logql!, { startedAt, now }), startedAt, now)
    const labels = [label ?? []].flat()
    values =
      labels.length > 0
        ? found.filter(({ value }) => value > 0).flatMap(sample => labels.map(name => sample.labels[name] ?? ''))
        : found.filter(({ value }) => !Number.isNaN(value)).map(({ value }) => String(value))
  }
  const words = values.map(value => value.trim()).filter(Boolean)
  return decode === 'base64' ? words.map(word => Buffer.from(word, 'base64').toString('utf8')) : words
}

/** Whether an answer is the value: the same text, in whatever case and quotes; a program by its last name; a number within what is tolerated. */
function isRight(given: string, right: string, { tolerance }: AnswerCheck): boolean {
  const plain = (text: string): string =>
    text
      .trim()
      .replace(/^(["'`])(.*)\1$/, '$2')
      .toLowerCase()
  const [a, b] = [plain(given), plain(right)]
  if (a === b) return true
  if (b.startsWith('/') && b.endsWith(`/${a}`)) return true
  const [x, y] = [Number(a), Number(b)]
  return a !== '' && !Number.isNaN(x) && !Number.isNaN(y) && Math.abs(x - y) <= Math.abs(y) * tolerance
}

async function sameQuery({ promql, logql, by, tolerance }: QueryCheck, situation: Situation): Promise<Outcome> {
  const { world, answer, now, startedAt } = situation
  if (!answer) return noAnswer(situation, "'YOUR QUERY'")
  const reference = withSince((promql ?? logql)!, situation)
  const language = promql ? 'PromQL' : 'LogQL'
  const counted = (query: string): string =>
    logql && isLogQuery(query) ? `sum by (${by.join(', ')}) (count_over_time(${query} [15m]))` : query
  const ask = (query: string) => (promql ? world.promql(query, now) : world.logql(counted(query), startedAt, now))
  if (logql && isLogQuery(reference) !== isLogQuery(answer.value))
    return outcome(
      false,
      isLogQuery(answer.value) ? 'a query that yields lines' : 'a query that yields numbers',
      isLogQuery(reference)
        ? 'one that yields lines: {…} | …'
        : 'one that yields numbers, such as sum(count_over_time(…))',
    )
  const [wanted, given] = await Promise.all([
    ask(reference),
    ask(answer.value).catch((error: unknown) => {
      if (error instanceof LabError) return error
      throw error
    }),
  ])
  if (given instanceof LabError) return outcome(false, refusal(given.found), `${language} that can be evaluated`)
  if (wanted.length === 0) return unable('this lab has no data to hold your query against', 'events', './lab verify')
  return compareResults(wanted, given, by, tolerance)
}

/** Of what Grafana says, what the language says. */
function refusal(found: string): string {
  const message = /"(?:error|message)":"((?:[^"\\]|\\.)*)"/.exec(found)?.[1] ?? /parse error.*/i.exec(found)?.[0]
  return message ? message.replaceAll('\\"', '"').replaceAll('\\n', ' ') : found
}

/** Holds two results side by side, by the labels that matter. */
export function compareResults(wanted: Sample[], given: Sample[], by: string[], tolerance: number): Outcome {
  const key = ({ labels }: Sample): string => by.map(label => labels[label] ?? '').join(' ')
  const name = (text: string): string => text.trim() || 'everything'
  const right = new Map(wanted.map(sample => [key(sample), sample.value]))
  const groups = Map.groupBy(given, key)
  const expected = by.length > 0 ? `one series for each ${by.join(', ')}: ${right.size} of them` : 'one series'
  if (given.length === 0) return outcome(false, 'your query finds nothing', expected)
  const twice = [...groups].find(([, samples]) => samples.length > 1)
  if (twice) {
    const more = Object.keys(twice[1][0]!.labels).filter(label => !by.includes(label))
    return outcome(
      false,
      `${twice[1].length} series for ${name(twice[0])}${more.length > 0 ? `: they differ in ${more.slice(0, 4).join(', ')}` : ''}`,
      expected,
    )
  }
  const missing = [...right.keys()].filter(one => !groups.has(one))
  if (missing.length > 0) return outcome(false, `nothing for ${missing.slice(0, 3).map(name).join(', ')}`, expected)
  const extra = [...groups.keys()].filter(one => !right.has(one))
  if (extra.length > 0)
    return outcome(false, `${extra.slice(0, 3).map(name).join(', ')}, which do not belong there`, expected)
  for (const [one, value] of right) {
    const got = groups.get(one)![0]!.value
    if (!(Math.abs(got - value) <= Math.abs(value) * tolerance))
      return outcome(false, `${short(got)} for ${name(one)}`, `about ${short(value)}`)
  }
  return outcome(true, `${groups.size} series, as expected`, expected)
}
