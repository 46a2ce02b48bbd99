import type { AnswerCheck, Check, KubeCheck, Logql, Promql, QueryCheck, RunCheck } from './check-schema.ts'
import { meets } from './condition.ts'

// A check must not pass in a cluster without data and objects: then it would prove nothing.

/** Returns why a check could pass where there are no series, no objects and no answer; undefined when it cannot. */
export function emptyClusterProblem(check: Check): string | undefined {
  const { not, all, any, promql, logql, kube, run, answer, query } = check
  if (not) return '`not` alone passes in an empty cluster; put it in `all`, beside a check that must pass'
  if (all) {
    const reasons = all.map(emptyClusterProblem)
    return reasons.includes(undefined) ? undefined : reasons[0]
  }
  if (any) return any.map(emptyClusterProblem).find(reason => reason !== undefined)
  if (promql ?? logql) return queryProblem((promql ?? logql)!)
  if (kube) return kubeProblem(kube)
  if (run) return commandProblem(run)
  if (query) return referenceProblem(query)
  return answer && answerProblem(answer)
}

function queryProblem({ query, is, series }: Promql | Logql): string | undefined {
  if (meets(series, 0)) return `series: ${series} passes without any series`
  if (/\babsent/.test(query)) return 'absent() has a value where there is no data'
  if (/\bvector\s*\(/.test(query) && meets(is, 0))
    return `is: ${is} passes with the 0 that vector() returns where there is no data`
  return undefined
}

function kubeProblem({ jsonpath, is, count }: KubeCheck): string | undefined {
  if (jsonpath === undefined) return meets(count, 0) ? `count: ${count} passes without any object` : undefined
  return is !== undefined && meets(is, '') ? `is: ${is} passes with an empty field` : undefined
}

function commandProblem({ command, exit, stdout, stderr }: RunCheck): string | undefined {
  // 137 means killed by SIGKILL. A program that cannot find something does not exit with it.
  if (exit === 137) return undefined
  const conditions = [stdout, stderr].filter(condition => condition !== undefined)
  if (conditions.length > 0)
    return conditions.every(condition => meets(condition, ''))
      ? `${conditions[0]} passes with a command that prints nothing`
      : undefined
  if (exit !== 0) return `a command also exits with ${exit} when there is no cluster: check its output too`
  return /\bkubectl\b[^|&;\n]*\sget\s/.test(command)
    ? 'kubectl get exits with 0 when it finds nothing: check its output'
    : undefined
}

function referenceProblem({ promql, logql }: Pick<QueryCheck, 'promql' | 'logql'>): string | undefined {
  return /\b(absent|vector\s*\()/.test(promql ?? logql ?? '')
    ? 'vector() and absent() have a value where there is no data, and that value would be the answer'
    : undefined
}

function answerProblem({ from }: AnswerCheck): string | undefined {
  if (from.run !== undefined)
    return 'from: { run } can print the same without a cluster; put it in `all`, beside a check of the cluster'
  return referenceProblem(from)
}
