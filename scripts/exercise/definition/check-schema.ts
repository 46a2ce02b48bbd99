import { z } from 'zod'
import { conditionProblem } from './condition.ts'

// The checks of an exercise.yaml: validation, defaults and types.

const text = z.string().min(1)

const condition = z
  .union([z.string().min(1), z.number()])
  .superRefine((value, context) => {
    const problem = conditionProblem(value)
    if (problem) context.addIssue({ code: 'custom', message: problem })
  })
  .describe('The value to expect: a comparison (`>= 3`), a regular expression (`/^10\\./`), or the text itself.')

export const duration = z
  .string()
  .regex(/^\d+[smh]$/, 'a duration such as 30s, 15m or 1h')
  .describe('A duration: `30s`, `15m`, `1h`.')

/** Returns a duration of an exercise.yaml in milliseconds. */
export const milliseconds = (duration: string): number =>
  Number.parseInt(duration, 10) * { s: 1000, m: 60_000, h: 3_600_000 }[duration.at(-1) as 's' | 'm' | 'h']

const within = duration
  .optional()
  .describe('How long this check is repeated. Default: as long as its task says, or as its kind needs.')

const oneOrMore = <T extends z.ZodType>(item: T) => z.union([item, z.array(item).min(1)])

// --- queries, objects and commands

const promql = z
  .strictObject({
    query: text.describe(
      'PromQL, evaluated once. `$since` is the time since the exercise was started, as in `increase(x[$since])`.',
    ),
    is: condition.default('> 0').describe('The value that a series must have.'),
    series: condition.default('>= 1').describe('How many series must have such a value.'),
    within,
  })
  .describe('A Prometheus query.')

const logql = z
  .strictObject({
    query: text.describe(
      'LogQL. A metric query is evaluated once. For a log query, the lines since the exercise was started are counted (up to 500). `$since` works as in promql.',
    ),
    is: condition.default('> 0').describe('The value that a series must have, or the number of lines.'),
    series: condition.default('>= 1').describe('How many series must have such a value. A log query counts as one.'),
    within,
  })
  .describe('A Loki query.')

const kube = z
  .strictObject({
    get: text.describe('Arguments of `kubectl get`: `pods`, `deployment/frontend`.'),
    namespace: z.string().default('application').describe('Namespace. Empty means all of them.'),
    selector: text.optional().describe('Labels: `app=visitor`.'),
    jsonpath: text.optional().describe('The field to read, in kubectl’s syntax: `{.spec.replicas}`.'),
    is: condition.optional().describe('The value that the field must have. Needs `jsonpath`.'),
    count: condition.default('>= 1').describe('Without `jsonpath`: how many objects there must be.'),
    within,
  })
  .describe('Kubernetes objects.')

const run = z
  .strictObject({
    command: text.describe(
      'Shell commands, run in the project’s folder. Runs repeatedly, so it must not change anything. `$since` works as in promql.',
    ),
    exit: z.int().min(0).max(255).default(0).describe('The expected exit code.'),
    stdout: condition.optional().describe('The expected output.'),
    stderr: condition.optional().describe('The expected text on standard error.'),
    timeout: duration.default('10s').describe('The check fails if the command takes longer.'),
    within,
  })
  .describe('A command, its exit code and its output.')

// --- policies, by what they do

const call = z
  .union([
    text,
    z.strictObject({
      value: text.describe('The argument as the kernel sees it: a path, or `address:port` of a socket.'),
      binary: text.optional().describe('Path of the program that makes the call.'),
    }),
  ])
  .describe('A call to the hooked function: the value of the argument that the policy filters by.')

const pod = z
  .strictObject({
    namespace: text,
    labels: z.record(z.string(), z.string()).default({}),
  })
  .describe('A Pod. It does not have to exist.')

const policy = z
  .strictObject({
    in: z
      .enum(['cluster', 'work'])
      .default('cluster')
      .describe('`cluster`: policies in the API server. `work`: files in the student’s folder.'),
    file: text.optional().describe('With `in: work`: the file. Default: any .yaml.'),
    name: condition.optional().describe('Name of the policy.'),
    kind: z.enum(['TracingPolicy', 'TracingPolicyNamespaced']).optional(),
    hook: oneOrMore(text)
      .optional()
      .describe('Functions, tracepoints (`subsystem/event`) or LSM hooks. The policy must use one of them.'),
    args: z
      .array(z.strictObject({ index: z.int().min(0).optional(), type: text.optional() }))
      .default([])
      .describe('Arguments that the hook must report.'),
    catches: oneOrMore(call).optional().describe('Calls that the hook’s selectors must match.'),
    spares: oneOrMore(call)
      .optional()
      .describe('Calls that they must not match. With an enforcing `action`: calls that it must not act on.'),
    action: oneOrMore(z.enum(['Post', 'Sigkill', 'Signal', 'Override', 'NotifyEnforcer', 'NoPost']))
      .optional()
      .describe('The action on a match: one of these. A selector without actions posts an event.'),
    mode: z
      .enum(['observe', 'monitor', 'enforce'])
      .optional()
      .describe(
        '`enforce`: the policy has an enforcing action. `monitor`: it has one, but is in monitor mode. `observe`: it has none.',
      ),
    reaches: z.array(pod).default([]).describe('Pods that the policy must apply to.'),
    leaves: z.array(pod).default([]).describe('Pods that it must not apply to.'),
    message: condition.optional().describe('Message of a hook.'),
    tag: condition.optional().describe('One of the tags of a hook.'),
    findings: z
      .array(text)
      .optional()
      .describe('Rules of `lab policy lint` that the policy must violate. For dead ends.'),
    lint: z
      .enum(['clean', 'errors', 'off'])
      .optional()
      .describe('`errors`: no lint errors (the default; `off` in dead ends). `clean`: no warnings either.'),
  })
  .describe('A TracingPolicy, found by what it does rather than by its text.')

const agent = z
  .strictObject({
    policy: condition.describe('Name of the policy.'),
    state: z.enum(['enabled', 'disabled', 'load_error', 'error', 'loading']).default('enabled'),
    mode: z.enum(['enforce', 'monitor', 'monitor_only']).optional(),
    error: condition.optional().describe('The agent’s error message.'),
    counters: z
      .record(z.string(), condition)
      .default({})
      .describe('How often the policy acted: `signal`, `override`, `post`, `monitor_signal`, `monitor_override`.'),
    within,
  })
  .describe('A policy as the agent reports it (`tetra tp list`): loaded or refused, and how often it acted. Live only.')

// --- what the student found out

const answerSource = z
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
    'Where the right answers come from: the labels or values of a query, or the words that kubectl or a command prints.',
  )

const answer = z
  .strictObject({
    from: answerSource,
    label: oneOrMore(text)
      .optional()
      .describe('Labels of the query’s series that hold the answer. Default: the values are the answer.'),
    tolerance: z.number().min(0).max(1).default(0).describe('How far a number may be off: 0.1 means 10%.'),
    decode: z.enum(['base64']).optional().describe('How to decode the right answer before the comparison.'),
  })
  .describe('A value that the student gives, compared with this lab’s own data.')

const query = z
  .strictObject({
    promql: text.optional().describe('The reference query.'),
    logql: text
      .optional()
      .describe('The same in LogQL. Of log queries, the lines of the last 15 minutes are counted, grouped by `by`.'),
    by: z.array(text).default([]).describe('Labels by which the two results are compared.'),
    tolerance: z.number().min(0).default(0.2).describe('How far values may be off: 0.2 means 20%.'),
  })
  .superRefine(({ promql, logql }, context) => exactlyOne({ promql, logql }, context))
  .describe('A query that the student gives, compared with a reference query by their results.')

// --- a check of any kind

export type Promql = z.infer<typeof promql>
export type Logql = z.infer<typeof logql>
export type KubeCheck = z.infer<typeof kube>
export type RunCheck = z.infer<typeof run>
export type PolicyCheck = z.infer<typeof policy>
export type AgentCheck = z.infer<typeof agent>
export type AnswerCheck = z.infer<typeof answer>
export type QueryCheck = z.infer<typeof query>
export type CallSample = z.infer<typeof call>
export type PodSample = z.infer<typeof pod>

/** A condition on the lab or on the student's answer. It has exactly one key. */
export interface Check {
  promql?: Promql
  logql?: Logql
  kube?: KubeCheck
  run?: RunCheck
  policy?: PolicyCheck
  agent?: AgentCheck
  answer?: AnswerCheck
  query?: QueryCheck
  /** For dead ends: the student's answer. */
  given?: z.infer<typeof condition>
  all?: Check[]
  any?: Check[]
  /** Only inside `all`, beside another check. */
  not?: Check
}

export const checkSchema: z.ZodType<Check> = z
  .strictObject({
    promql: promql.optional(),
    logql: logql.optional(),
    kube: kube.optional(),
    run: run.optional(),
    policy: policy.optional(),
    agent: agent.optional(),
    answer: answer.optional(),
    query: query.optional(),
    given: condition.optional().describe('The student’s answer. For dead ends.'),
    get all(): z.ZodOptional<z.ZodArray<z.ZodType<Check>>> {
      return z.array(checkSchema).min(1).optional().describe('All of these must pass.')
    },
    get any(): z.ZodOptional<z.ZodArray<z.ZodType<Check>>> {
      return z.array(checkSchema).min(1).optional().describe('One of these must pass.')
    },
    get not(): z.ZodOptional<z.ZodType<Check>> {
      return checkSchema.optional().describe('This must fail. Only inside `all`, beside a check that must pass.')
    },
  })
  .superRefine(exactlyOne)
  .describe('What must be true. Exactly one key.')

function exactlyOne(value: object, context: z.RefinementCtx): void {
  const keys = Object.entries(value)
    .filter(([, child]) => child !== undefined)
    .map(([key]) => key)
  if (keys.length !== 1)
    context.addIssue({
      code: 'custom',
      message: keys.length === 0 ? 'nothing is checked' : `only one of ${keys.join(', ')} is allowed`,
    })
}

/** Returns the kind of a check: its one key. */
export const kindOf = (check: Check): keyof Check =>
  (Object.keys(check) as (keyof Check)[]).find(key => check[key] !== undefined)!

/** Returns the checks inside a check, or the check itself when it has none. Leaves out `not`. */
export function leafChecks(check: Check): Check[] {
  const inner = [...(check.all ?? []), ...(check.any ?? [])]
  if (inner.length > 0) return inner.flatMap(leafChecks)
  return check.not ? [] : [check]
}

/** Tells whether a check needs an answer from the student. */
export const asksForAnswer = (check: Check): boolean =>
  leafChecks(check).some(({ answer, query }) => answer !== undefined || query !== undefined)

/** Tells whether a check without others inside reads files that the student wrote. */
export const readsStudentFiles = ({ policy, run }: Check): boolean =>
  policy?.in === 'work' || run?.command.includes('$WORK') === true
