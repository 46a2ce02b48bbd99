import type { KubeCheck } from '../definition/check-schema.ts'
import { describeCondition, meets } from '../definition/condition.ts'
import { type CheckContext, type CheckResult, fail, lastLine, passIf } from './check-context.ts'

/** Checks a field of Kubernetes objects, or how many objects there are. */
export async function checkObjects(check: KubeCheck, { lab }: CheckContext): Promise<CheckResult> {
  const { get, namespace, selector, jsonpath, is, count } = check
  const { exitCode, stdout, stderr } = await lab.kubectl(getArgs(check, jsonpath ? `jsonpath=${jsonpath}` : 'name'))
  const what = `${get}${selector ? ` -l ${selector}` : ''}${namespace ? ` in ${namespace}` : ''}`
  if (exitCode !== 0)
    return fail(
      lastLine(stderr) || `kubectl exited with ${exitCode}`,
      jsonpath ? `${what}: ${describeCondition(is!)}` : `${describeCondition(count)} ${what}`,
    )
  if (jsonpath) return passIf(meets(is!, stdout), `${what}: ${stdout.trim() || 'nothing'}`, describeCondition(is!))
  const objects = stdout.split('\n').filter(Boolean).length
  return passIf(meets(count, objects), `${objects} ${what}`, describeCondition(count))
}

/** Returns the arguments of `kubectl get`. An empty namespace means all of them. */
export const getArgs = (
  { get, namespace, selector }: Pick<KubeCheck, 'get' | 'namespace' | 'selector'>,
  output: string,
): string[] => [
  'get',
  ...get.split(/\s+/),
  ...(namespace ? ['-n', namespace] : ['-A']),
  ...(selector ? ['-l', selector] : []),
  '-o',
  output,
]
