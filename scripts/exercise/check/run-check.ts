import { LabError } from '../../../shared/lab-error.ts'
import { type Check, kindOf, milliseconds } from '../definition/check-schema.ts'
import { describeCondition, meets } from '../definition/condition.ts'
import { checkAgent } from './agent-check.ts'
import { checkAnswer, checkStudentQuery } from './answer-check.ts'
import { type CheckContext, type CheckResult, passIf, unable } from './check-context.ts'
import { checkCommand } from './command-check.ts'
import { checkObjects } from './kube-check.ts'
import { checkPolicy } from './policy-search.ts'
import { checkLogql, checkPromql } from './query-check.ts'

/** Runs a check once. A lab that cannot be read is a failure, not an exception. */
export async function runCheck(check: Check, context: CheckContext): Promise<CheckResult> {
  const result = await runKind(check, context)
  return result.passed ? result : { waits: retryMs(check, context), ...result }
}

async function runKind(check: Check, context: CheckContext): Promise<CheckResult> {
  try {
    return await kinds[kindOf(check)](check as Required<Check>, context)
  } catch (error) {
    if (!(error instanceof LabError)) throw error
    return unable(error.found, error.expected, error.next)
  }
}

const kinds: Record<keyof Check, (check: Required<Check>, context: CheckContext) => Promise<CheckResult>> = {
  promql: ({ promql }, context) => checkPromql(promql, context),
  logql: ({ logql }, context) => checkLogql(logql, context),
  kube: ({ kube }, context) => checkObjects(kube, context),
  run: ({ run }, context) => checkCommand(run, context),
  policy: ({ policy }, context) => checkPolicy(policy, context),
  agent: ({ agent }, context) => checkAgent(agent, context),
  answer: ({ answer }, context) => checkAnswer(answer, context),
  query: ({ query }, context) => checkStudentQuery(query, context),
  given: async ({ given }, { answer }) =>
    passIf(
      answer !== undefined && meets(given, answer.value),
      answer?.value ?? 'no answer yet',
      describeCondition(given),
    ),
  all: async ({ all }, context) => everyResult(await Promise.all(all.map(each => runCheck(each, context)))),
  any: async ({ any }, context) => anyResult(await Promise.all(any.map(each => runCheck(each, context)))),
  not: async ({ not }, context) => {
    const result = await runCheck(not, context)
    // Something that could not be read may still exist.
    if (result.unable !== undefined) return result
    return passIf(!result.passed, result.found, `not: ${result.expected}`)
  },
}

function everyResult(results: CheckResult[]): CheckResult {
  const failed = results.filter(({ passed }) => !passed)
  const shown = failed.find(({ unable }) => unable === undefined) ?? failed[0]
  if (!shown) return results[0]!
  // The shortest wait decides: while that part is missing, the others cannot make the whole pass.
  return { ...shown, waits: Math.min(...failed.map(({ waits }) => waits!)) }
}

function anyResult(results: CheckResult[]): CheckResult {
  const passed = results.find(result => result.passed)
  if (passed) return passed
  const shown = results.find(({ unable }) => unable === undefined) ?? results[0]!
  return { ...shown, waits: Math.max(...results.map(({ waits }) => waits!)) }
}

/** How many seconds a failed check is repeated by default. Data takes time to arrive; the student's files do not. */
const retrySeconds: Partial<Record<keyof Check, number>> = {
  promql: 20,
  logql: 10,
  kube: 8,
  run: 4,
  policy: 4,
  agent: 20,
  not: 8,
}

function retryMs(check: Check, { within }: CheckContext): number {
  const { promql, logql, kube, run, policy, agent } = check
  if (policy?.in === 'work') return 0
  const ownWithin = (promql ?? logql ?? kube ?? run ?? agent)?.within
  if (ownWithin !== undefined) return milliseconds(ownWithin)
  const readsData = promql ?? logql ?? run ?? agent
  const fromTask = readsData ? within?.data : (kube ?? policy) ? within?.objects : undefined
  return fromTask ?? (retrySeconds[kindOf(check)] ?? 0) * 1000
}
