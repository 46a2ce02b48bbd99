import { z } from 'zod'
import { features } from '../../kernel/feature-words.ts'
import { conditionProblem, holds } from './condition.ts'

// The one truth about what a exercise.yaml may say: validation, defaults and types come from here, and so does labs/exercise.schema.json, by which an
// editor completes and explains. In prose: docs/writing-exercises.md.

const text = z.string().min(1)

const condition = z
  .union([z.string().min(1), z.number()])
  .superRefine((value, context) => {
    const problem = conditionProblem(value)
    if (problem) context.addIssue({ code: 'custom', message: problem })
  })
  .describe('What a value must be: a comparison (`>= 3`), a regular expression (`/^10\\./`), or else the same text.')

const duration = z
  .string()
  .regex(/^\d+[smh]$/, 'a duration such as 30s, 15m or 1h')
  .describe('A duration: `30s`, `15m`, `1h`.')

const within = duration
  .optional()
  .describe('How long this is looked for again, where that is not as long as its task says, or as its kind needs.')

const many = <T extends z.ZodType>(item: T) => z.union([item, z.array(item).min(1)])

// --- where values come from

const promql = z
  .strictObject({
    query: text.describe(
      'PromQL, evaluated once. `$since` stands for the time since the exercise was started, as in `increase(x[$since])`.',
    ),
    is: condition.default('> 0').describe('What the value of a series must be.'),
    series: condition.default('>= 1').describe('How many series must have such a value.'),
    within,
  })
  .describe('A query of Prometheus.')

const logql = z
  .strictObject({
    query: text.describe(
      'LogQL. A metric query is evaluated once; of a log query the lines since the start of the exercise are counted (up to 500). `$since` as with promql.',
    ),
    is: condition.default('> 0').describe('What the value of a series, or the number of lines, must be.'),
    series: condition.default('>= 1').describe('How many series must have such a value; a log query counts as one.'),
    within,
  })
  .describe('A query of Loki.')

const kube = z
  .strictObject({
    get: text.describe('What `kubectl get` is asked for: `pods`, `deployment/frontend`.'),
    namespace: z.string().default('application').describe('Namespace; empty for all of them.'),
    selector: text.optional().describe('Labels: `app=visitor`.'),
    jsonpath: text.optional().describe('What is read of it, as kubectl understands it: `{.spec.replicas}`.'),
    is: condition.optional().describe('What must be read. Needs `jsonpath`.'),
    count: condition.default('>= 1').describe('Without `jsonpath`: how many objects there must be.'),
    within,
  })
  .describe('Objects of the cluster.')

const run = z
  .strictObject({
    command: text.describe('Shell commands, run in the project’s folder. Run often: they must change nothing.'),
    exit: z.int().min(0).max(255).default(0).describe('The exit code that is right.'),
    stdout: condition.optional().describe('What it must print.'),
    stderr: condition.optional().describe('What it must say on standard error.'),
    timeout: duration.default('10s').describe('Longer is failed.'),
    within,
  })
  .describe('A command, its exit code and what it prints.')

// --- policies, by structure

const sample = z
  .union([
    text,
    z.strictObject({
      value: text.describe('The argument as the kernel sees it: a path, or `address:port` of a socket.'),
      binary: text.optional().describe('Path of the program that calls.'),
    }),
  ])
  .describe('Something that happens: the value of the argument that the policy looks at.')

const pod = z
  .strictObject({
    namespace: text,
    labels: z.record(z.string(), z.string()).default({}),
  })
  .describe('A pod, real or imagined.')

const policy = z
  .strictObject({
    in: z
      .enum(['cluster', 'work'])
      .default('cluster')
      .describe('`cluster`: policies that the API server holds. `work`: files of the student’s folder.'),
    file: text.optional().describe('With `in: work`: which file; otherwise any .yaml.'),
    name: condition.optional().describe('Name of the policy.'),
    kind: z.enum(['TracingPolicy', 'TracingPolicyNamespaced']).optional(),
    hook: many(text)
      .optional()
      .describe('Functions, tracepoints (`subsystem/event`) or LSM hooks of which it must use one.'),
    args: z
      .array(z.strictObject({ index: z.int().min(0).optional(), type: text.optional() }))
      .default([])
      .describe('Arguments that the hook must report.'),
    catches: many(sample).optional().describe('What must match the hook’s selectors.'),
    spares: many(sample)
      .optional()
      .describe('What must not: with an `action` that interferes, what it must not do that to.'),
    action: many(z.enum(['Post', 'Sigkill', 'Signal', 'Override', 'NotifyEnforcer', 'NoPost']))
      .optional()
      .describe('What must follow where it matches, any of these. A selector without actions posts.'),
    mode: z
      .enum(['observe', 'monitor', 'enforce'])
      .optional()
      .describe(
        '`enforce`: it interferes. `monitor`: it would, but is in monitor mode. `observe`: it has no action that interferes.',
      ),
    reaches: z.array(pod).default([]).describe('Pods that it must apply to.'),
    leaves: z.array(pod).default([]).describe('Pods that it must not apply to.'),
    message: condition.optional().describe('Message of a hook.'),
    tag: condition.optional().describe('One of the tags of a hook.'),
    findings: z.array(text).optional().describe('Rules of `lab policy lint` that it must break: for dead ends.'),
    lint: z
      .enum(['clean', 'errors', 'off'])
      .optional()
      .describe('`errors`: it must have none (the default, in dead ends `off`); `clean`: no warnings either.'),
  })
  .describe('A TracingPolicy, found by what it does rather than by its text.')

const agent = z
  .strictObject({
    policy: condition.describe('Name of the policy.'),
    state: z.enum(['enabled', 'disabled', 'load_error', 'error', 'loading']).default('enabled'),
    mode: z.enum(['enforce', 'monitor', 'monitor_only']).optional(),
    error: condition.optional().describe('What the agent says was wrong.'),
    counters: z
      .record(z.string(), condition)
      .default({})
      .describe('How often it acted: `signal`, `override`, `post`, `monitor_signal`, `monitor_override`.'),
    within,
  })
  .describe('What the agent says of a policy (`tetra tp list`): loaded or refused, and how often it acted. Live only.')

// --- what the student found out

const source = z
  .strictObject({
    promql: text.optional(),
    logql: text.optional(),
    kube: z
      .strictObject({
        get: text,
        namespace: z.string().default('application'),
        selector: text.optional(),
        jsonpath: text,
      })
      .optional(),
    run: text.optional(),
  })
  .superRefine(exactlyOne)
  .describe(
    'Where the right answers come from: of a query its labels or values, of kube and run the words that they print.',
  )

const answer = z
  .strictObject({
    from: source,
    label: many(text)
      .optional()
      .describe('Labels of the query’s series that hold the answer; without, the values are it.'),
    tolerance: z.number().min(0).max(1).default(0).describe('How far a number may be off: 0.1 is a tenth.'),
    decode: z.enum(['base64']).optional().describe('What is done to what was found before it is compared.'),
  })
  .describe('A value that the student gives, compared with the data of this very lab.')

const query = z
  .strictObject({
    promql: text.optional().describe('A query that gives what is wanted.'),
    logql: text
      .optional()
      .describe('The same in LogQL. Of two log queries the lines of the last 15 minutes are counted, by `by`.'),
    by: z.array(text).default([]).describe('Labels by which the two results are held side by side.'),
    tolerance: z.number().min(0).default(0.2).describe('How far values may be off: 0.2 is a fifth.'),
  })
  .superRefine(({ promql, logql }, context) => exactlyOne({ promql, logql }, context))
  .describe('A query that the student gives, held against another by what they find.')

// --- checks

export type Promql = z.infer<typeof promql>
export type Logql = z.infer<typeof logql>
export type KubeCheck = z.infer<typeof kube>
export type RunCheck = z.infer<typeof run>
export type PolicyCheck = z.infer<typeof policy>
export type AgentCheck = z.infer<typeof agent>
export type AnswerCheck = z.infer<typeof answer>
export type QueryCheck = z.infer<typeof query>
export type Sample = z.infer<typeof sample>
export type PodSample = z.infer<typeof pod>

/** One thing that must be so; exactly one key. */
export interface Check {
  promql?: Promql
  logql?: Logql
  kube?: KubeCheck
  run?: RunCheck
  policy?: PolicyCheck
  agent?: AgentCheck
  answer?: AnswerCheck
  query?: QueryCheck
  /** For dead ends: what the student answered. */
  given?: z.infer<typeof condition>
  all?: Check[]
  any?: Check[]
  /** Only beside others in `all`. */
  not?: Check
}

const check: z.ZodType<Check> = z
  .strictObject({
    promql: promql.optional(),
    logql: logql.optional(),
    kube: kube.optional(),
    run: run.optional(),
    policy: policy.optional(),
    agent: agent.optional(),
    answer: answer.optional(),
    query: query.optional(),
    given: condition.optional().describe('What the student answered: for dead ends.'),
    get all(): z.ZodOptional<z.ZodArray<z.ZodType<Check>>> {
      return z.array(check).min(1).optional().describe('Every one of these.')
    },
    get any(): z.ZodOptional<z.ZodArray<z.ZodType<Check>>> {
      return z.array(check).min(1).optional().describe('One of these.')
    },
    get not(): z.ZodOptional<z.ZodType<Check>> {
      return check.optional().describe('Not this; only in `all`, beside something that must be so.')
    },
  })
  .superRefine(exactlyOne)
  .describe('What must be so. Exactly one key.')

function exactlyOne(value: object, context: z.RefinementCtx): void {
  const keys = Object.entries(value)
    .filter(([, child]) => child !== undefined)
    .map(([key]) => key)
  if (keys.length !== 1)
    context.addIssue({
      code: 'custom',
      message: keys.length === 0 ? 'nothing is checked' : `one of ${keys.join(', ')}, not all at once`,
    })
}

/** The kind of a check: its one key. */
export const kindOf = (check: Check): keyof Check =>
  (Object.keys(check) as (keyof Check)[]).find(key => check[key] !== undefined)!

/** What a check is made of: itself, or the checks within it, `not` left aside. */
export const partsOf = (check: Check): Check[] => {
  const inner = [...(check.all ?? []), ...(check.any ?? [])]
  return inner.length > 0 ? inner.flatMap(partsOf) : check.not ? [] : [check]
}

/** Whether a check looks at what the student answered. */
export const asksForAnswer = (check: Check): boolean =>
  partsOf(check).some(({ answer, query }) => answer !== undefined || query !== undefined)

/** Whether a check, one without others in it, looks at what the student has written into the folder for it. */
export const looksAtFiles = ({ policy, run }: Check): boolean =>
  policy?.in === 'work' || run?.command.includes('$WORK') === true

/**
 * Why a check might pass where there is nothing to find: no series, no objects, no answer. Undefined when it cannot.
 */
export function emptyPass(check: Check): string | undefined {
  if (check.not) return '`not` alone is met by an empty cluster; put it in `all`, beside something that must be so'
  if (check.all) {
    const reasons = check.all.map(emptyPass)
    return reasons.some(reason => reason === undefined) ? undefined : reasons[0]
  }
  if (check.any) return check.any.map(emptyPass).find(reason => reason !== undefined)
  const queried = check.promql ?? check.logql
  if (queried) {
    if (holds(queried.series, 0)) return `series: ${queried.series} is met by no series at all`
    if (/\babsent/.test(queried.query)) return 'absent() has a value where there is no data'
    if (/\bvector\s*\(/.test(queried.query) && holds(queried.is, 0))
      return `is: ${queried.is} is met by the 0 that vector() puts where there is no data`
  }
  if (check.kube) {
    const { jsonpath, is, count } = check.kube
    if (jsonpath === undefined && holds(count, 0)) return `count: ${count} is met by no object at all`
    if (jsonpath !== undefined && is !== undefined && holds(is, '')) return `is: ${is} is met by an empty answer`
  }
  if (check.run) return emptyRun(check.run)
  const { promql, logql } = check.query ?? check.answer?.from ?? {}
  if (/\b(absent|vector\s*\()/.test(promql ?? logql ?? ''))
    return 'vector() and absent() have a value where there is no data, and it would be the answer'
  if (check.answer?.from.run !== undefined)
    return 'from: { run } may print the same where no cluster is; put it in `all`, beside something that the cluster must hold'
  return undefined
}

function emptyRun({ command, exit, stdout, stderr }: RunCheck): string | undefined {
  // 137: killed by SIGKILL, which nothing says that merely cannot find what it wants.
  if (exit === 137) return undefined
  const words = [stdout, stderr].filter(each => each !== undefined)
  if (words.length > 0)
    return words.every(each => holds(each, '')) ? `${words[0]} is met by a command that prints nothing` : undefined
  if (exit !== 0) return `exit ${exit} is what a command says as well that finds no cluster: check what it prints, too`
  return /\bkubectl\b[^|&;\n]*\sget\s/.test(command)
    ? 'kubectl get ends well where there is nothing: check what it prints'
    : undefined
}

const positive = check.superRefine((value, context) => {
  const reason = emptyPass(value)
  if (reason) context.addIssue({ code: 'custom', message: `it could pass on an empty cluster: ${reason}` })
  if (value.kube && (value.kube.jsonpath === undefined) !== (value.kube.is === undefined))
    context.addIssue({ code: 'custom', message: '`jsonpath` and `is` go together', path: ['kube'] })
})

// --- exercises

const needs = z.strictObject({
  source: z
    .enum(['any', 'live', 'replay'])
    .default('any')
    .describe(
      'Where events must come from: `live` where a kernel is acted upon, `any` where a recording does as well.',
    ),
  features: z.array(z.enum(features)).default([]).describe('What the kernel must offer.'),
  settings: z
    .record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
    .default({})
    .describe('Settings of the lab that must be so: `traffic.enabled: true`.'),
})

const id = z.string().regex(/^[a-z][a-z0-9-]*$/, 'lower-case letters, digits and dashes')

const deadEnd = z
  .strictObject({
    id,
    when: check.describe('How it is recognised: what is so when somebody went that way.'),
    says: text.describe('What went wrong, and where the way goes on.'),
    try: text.optional().describe('Shell commands that go that way: the test walks it and expects to be told.'),
  })
  .describe('A way that looks right and is not.')

const recording = z
  .strictObject({
    transcript: text
      .optional()
      .describe('Section of transcript.txt, as `enforce`, in which what `run` runs in a pod stands as `$ COMMAND`.'),
    agent: text.optional().describe('File of the recording with the agent’s list of policies.'),
    as: z
      .record(text, text)
      .default({})
      .describe('Policies of that list that stand in for others, by the name that the check asks for.'),
  })
  .refine(({ transcript, agent }) => transcript !== undefined || agent !== undefined, 'a transcript or an agent')

const recorded = z
  .strictObject({
    before: recording.optional().describe('Recorded when it was not done yet: here the check must fail.'),
    after: recording.optional().describe('Recorded when it was: here it must pass.'),
    missing: text.optional().describe('Why nothing of the kind was recorded: what the test leaves out, and says so.'),
  })
  .refine(
    ({ before, after, missing }) => (missing === undefined ? before && after : !(before ?? after)),
    'before and after, or missing alone',
  )

const task = z.strictObject({
  id,
  title: text.describe('What is to be done or found out: a sentence to the student.'),
  points: z.int().min(1).max(20).default(1),
  needs: needs
    .optional()
    .describe('What this task needs beyond its exercise; where that is lacking, the task is left out.'),
  check: positive,
  expected: text.optional().describe('What was expected, in words, when the check fails. Gives nothing away.'),
  within: duration
    .optional()
    .describe(
      'How long the check is repeated, since what was done may take a while to be seen; beside `kube` and `policy` in `all` only while these hold. By default as its kind needs.',
    ),
  hints: z.array(text).min(1).describe('One more with each try that fails, the last all but the solution.'),
  deadEnds: z.array(deadEnd).default([]),
  solve: text.describe('Shell commands that do the task, run in the project’s folder. $WORK is the student’s folder.'),
  recorded: recorded
    .optional()
    .describe('What `run` and `agent` of the check are held against by the test where nothing is live.'),
})

/** The schema of a exercise.yaml. */
export const exerciseSchema = z
  .strictObject({
    title: text,
    track: z.enum(['see', 'stop', 'run']),
    outcome: text.describe('One sentence: what one can do afterwards.'),
    learned: z.array(text).min(1).describe('What one knows afterwards.'),
    minutes: z.int().min(2).max(90),
    needs: needs.prefault({}),
    setup: text
      .optional()
      .describe('Shell commands before the exercise; run again by a reset, so they must be repeatable.'),
    reset: text
      .optional()
      .describe(
        'Shell commands that take back what the exercise changes in the cluster; repeatable, quick, harmless when there is nothing.',
      ),
    tasks: z.array(task).min(1),
  })
  .superRefine(({ tasks }, context) => {
    for (const [index, { id }] of tasks.entries())
      if (tasks.findIndex(other => other.id === id) !== index)
        context.addIssue({ code: 'custom', message: `there is another task ${id}`, path: ['tasks', index, 'id'] })
  })

export type Needs = z.infer<typeof needs>
export type Task = z.infer<typeof task>
export type DeadEnd = z.infer<typeof deadEnd>
export type Recording = z.infer<typeof recording>
export type ExerciseFile = z.infer<typeof exerciseSchema>
export const tracks = ['see', 'stop', 'run'] as const
export type Track = (typeof tracks)[number]

/** A duration of the grammar in milliseconds. */
export const milliseconds = (duration: string): number =>
  Number.parseInt(duration, 10) * { s: 1000, m: 60_000, h: 3_600_000 }[duration.at(-1) as 's' | 'm' | 'h']
