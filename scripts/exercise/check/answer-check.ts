import { LabError } from '../../../shared/lab-error.ts'
import { isLogQuery, type Sample } from '../../telemetry/query-response.ts'
import type { AnswerCheck, QueryCheck } from '../definition/check-schema.ts'
import { type CheckContext, type CheckResult, fail, lastLine, pass, unable, untried } from './check-context.ts'
import { compareResults } from './compare-results.ts'
import { getArgs } from './kube-check.ts'
import { fillSince } from './query-check.ts'

const noAnswer = ({ task }: CheckContext, what: string): CheckResult =>
  untried('no answer yet', `./lab exercise answer ${task} ${what}`)

/** Compares the student's answer with the lab's own data. */
export async function checkAnswer(check: AnswerCheck, context: CheckContext): Promise<CheckResult> {
  const { answer, now } = context
  if (!answer) return noAnswer(context, 'VALUE')
  // Counters grow, so an answer that was right when it was given stays right. It is also compared with the present
  // data, because a new lab has no data from that time.
  for (const at of [answer.at, now]) {
    const accepted = await acceptedAnswers(check, { ...context, now: at })
    if (accepted.some(value => sameAnswer(answer.value, value, check.tolerance)))
      return pass(answer.value, answer.value)
    if (at === now && accepted.length === 0) return noAcceptedAnswer(check.from)
  }
  const isNumber = check.label === undefined && (check.from.promql ?? check.from.logql) !== undefined
  return fail(`your answer ${answer.value}`, isNumber ? 'a different number' : 'a different answer')
}

/**
 * Explains why no answer can be right: the lab has no events yet, or the student has not created what the text asked
 * for.
 */
function noAcceptedAnswer({ kube, run }: AnswerCheck['from']): CheckResult {
  const created = 'what the text told you to create'
  if (kube) return fail(`no answer can be right yet: ${kube.get} does not exist`, created)
  if (run !== undefined) return fail(`no answer can be right yet: ${lastLine(run)} prints nothing`, created)
  return unable('The lab has no data to compare your answer with', 'events', './lab verify')
}

async function acceptedAnswers(check: AnswerCheck, context: CheckContext): Promise<string[]> {
  const values = (await answerValues(check, context)).map(value => value.trim()).filter(Boolean)
  return check.decode === 'base64' ? values.map(value => Buffer.from(value, 'base64').toString('utf8')) : values
}

async function answerValues({ from, label }: AnswerCheck, context: CheckContext): Promise<string[]> {
  const { lab, now, startedAt, work } = context
  if (from.kube) {
    const { stdout } = await lab.kubectl(getArgs(from.kube, `jsonpath=${from.kube.jsonpath}`))
    return stdout.split(/\s+/)
  }
  if (from.run !== undefined) {
    const { exitCode, stdout } = await lab.run(from.run, { timeout: 20_000, work })
    return exitCode === 0 ? stdout.split('\n') : []
  }
  const samples = from.promql
    ? await lab.promql(fillSince(from.promql, context), now)
    : await lab.logql(fillSince(from.logql!, context), startedAt, now)
  const labels = [label ?? []].flat()
  if (labels.length === 0) return samples.filter(({ value }) => !Number.isNaN(value)).map(({ value }) => String(value))
  return samples.filter(({ value }) => value > 0).flatMap(sample => labels.map(name => sample.labels[name] ?? ''))
}

/**
 * Compares two answers without case and quotes. A program may be named without its folder; numbers may differ by the
 * tolerance.
 */
function sameAnswer(given: string, accepted: string, tolerance: number): boolean {
  const [a, b] = [plainText(given), plainText(accepted)]
  if (a === b) return true
  if (b.startsWith('/') && b.endsWith(`/${a}`)) return true
  const [x, y] = [Number(a), Number(b)]
  return a !== '' && !Number.isNaN(x) && !Number.isNaN(y) && Math.abs(x - y) <= Math.abs(y) * tolerance
}

const plainText = (text: string): string =>
  text
    .trim()
    .replace(/^(["'`])(.*)\1$/, '$2')
    .toLowerCase()

/** Compares the result of the student's query with that of the reference query. */
export async function checkStudentQuery(check: QueryCheck, context: CheckContext): Promise<CheckResult> {
  const { promql, logql, by, tolerance } = check
  const { answer } = context
  if (!answer) return noAnswer(context, "'YOUR QUERY'")
  const reference = fillSince((promql ?? logql)!, context)
  if (logql && isLogQuery(reference) !== isLogQuery(answer.value)) return wrongQueryKind(answer.value)
  const [wanted, given] = await Promise.all([
    evaluate(reference, check, context),
    evaluate(answer.value, check, context).catch((error: unknown) => {
      if (error instanceof LabError) return error
      throw error
    }),
  ])
  if (given instanceof LabError)
    return fail(languageError(given.found), `${promql ? 'PromQL' : 'LogQL'} that can be evaluated`)
  if (wanted.length === 0) return unable('The lab has no data to compare your query with', 'events', './lab verify')
  return compareResults(wanted, given, by, tolerance)
}

/** Evaluates a query now. For a log query, counts the lines of the last 15 minutes. */
function evaluate(query: string, { promql, by }: QueryCheck, context: CheckContext): Promise<Sample[]> {
  const { lab, now, startedAt } = context
  if (promql) return lab.promql(query, now)
  const metricQuery = isLogQuery(query) ? `sum by (${by.join(', ')}) (count_over_time(${query} [15m]))` : query
  return lab.logql(metricQuery, startedAt, now)
}

const wrongQueryKind = (given: string): CheckResult =>
  isLogQuery(given)
    ? fail('a query that returns lines', 'one that returns numbers, such as sum(count_over_time(…))')
    : fail('a query that returns numbers', 'one that returns lines: {…} | …')

/** Returns the query language's own message from Grafana's error. */
function languageError(found: string): string {
  const message = /"(?:error|message)":"((?:[^"\\]|\\.)*)"/.exec(found)?.[1] ?? /parse error.*/i.exec(found)?.[0]
  return message ? message.replaceAll('\\"', '"').replaceAll('\\n', ' ') : found
}
