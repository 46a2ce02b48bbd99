import { describe, expect, it } from 'vitest'
import { emptyClusterProblem } from '../../../../scripts/exercise/definition/empty-cluster.ts'
import { checkOf } from '../../../fakes/checks.ts'

const yes = { promql: { query: 'yes' } }
const no = { promql: { query: 'no' } }

describe('the schema of a check', () => {
  it.each([
    [{ not: yes }, /`not` alone/],
    [{ all: [{ not: yes }, { not: no }] }, /`not` alone/],
    [{ any: [yes, { not: no }] }, /`not` alone/],
    [{ promql: { query: 'x', series: '<= 3' } }, /without any series/],
    [{ promql: { query: 'sum(x) or vector(0)', is: '== 0' } }, /vector\(\)/],
    [{ promql: { query: 'absent(x)' } }, /absent/],
    [{ kube: { get: 'pods', count: '<= 1' } }, /without any object/],
    [{ kube: { get: 'pods', jsonpath: '{.x}', is: '/^$/' } }, /an empty field/],
    [{ run: { command: 'kubectl x', exit: 1 } }, /check its output/],
    [{ run: { command: 'kubectl get pods' } }, /kubectl get exits with 0/],
    [{ run: { command: './lab kubectl -n application get pods; true' } }, /kubectl get exits with 0/],
    [{ run: { command: 'x', stdout: '/^$/' } }, /prints nothing/],
    [{ run: { command: 'x', stdout: '/.*/', stderr: '/^$/' } }, /prints nothing/],
    [{ answer: { from: { promql: 'sum(x) or vector(0)' } } }, /that value would be the answer/],
    [{ answer: { from: { promql: 'absent(x)' } } }, /that value would be the answer/],
    [{ query: { promql: 'sum(x) or vector(0)' } }, /that value would be the answer/],
    [{ answer: { from: { run: 'echo 42' } } }, /put it in `all`/],
    [{ any: [yes, { answer: { from: { run: 'echo 42' } } }] }, /put it in `all`/],
  ])('rejects %j, which could pass in an empty cluster', (check, why) => {
    expect(() => checkOf(check)).toThrow(why)
  })

  it.each([
    { all: [yes, { not: no }] },
    { promql: { query: 'sum(x) or vector(0)', is: '>= 1' } },
    { kube: { get: 'pods', jsonpath: '{.x}', is: 3 } },
    { run: { command: 'x', exit: 137 } },
    { run: { command: 'x', exit: 1, stderr: '/denied/' } },
    { run: { command: 'kubectl get pods', stdout: '/visitor/' } },
    { run: { command: 'x', stdout: '/^$/', stderr: '/warning/' } },
    { all: [{ answer: { from: { run: './lab policy lint x' } } }, { kube: { get: 'pods' } }] },
  ])('accepts %j', check => {
    expect(emptyClusterProblem(checkOf(check))).toBeUndefined()
  })
})
