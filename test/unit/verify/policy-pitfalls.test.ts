import { describe, expect, it } from 'vitest'
import type { PolicyKind } from '../../../scripts/policy/model/crd-schema.ts'
import { type Policy, readPolicyModel } from '../../../scripts/policy/model/policy-model.ts'
import { judgeKernel, judgeOrder } from '../../../scripts/verify/policy-pitfalls.ts'
import { readLabPolicy } from '../../../shared/policy-file.ts'

const node = (architecture: string, kernelVersion: string) => ({
  metadata: { name: 'lab' },
  status: { nodeInfo: { architecture, kernelVersion } },
})
/** How the policies of a test differ. */
interface PolicyOptions {
  call?: string
  lsm?: string
  mode?: string
  namespace?: string
  podSelector?: object
  selector?: object
}
const policy = (
  name: string,
  action: string,
  { call = 'security_file_open', lsm, mode, namespace, podSelector, selector = {} }: PolicyOptions = {},
): Policy => {
  const hook = {
    args: [{ index: 0, type: 'file' }],
    selectors: [{ ...selector, matchActions: [{ action }] }],
  }
  return readPolicyModel(namespace ? 'TracingPolicyNamespaced' : 'TracingPolicy', {
    metadata: { name, namespace },
    spec: {
      ...(podSelector && { podSelector }),
      ...(mode && { options: [{ name: 'policy-mode', value: mode }] }),
      ...(lsm ? { lsmhooks: [{ hook: lsm, ...hook }] } : { kprobes: [{ call, ...hook }] }),
    },
  })
}
const labPolicy = (name: string): Policy => {
  const document = readLabPolicy(name)
  return readPolicyModel(document.kind as PolicyKind, document)
}
const path = (operator: string, ...values: string[]) => ({ matchArgs: [{ index: 0, operator, values }] })
const app = (...values: string[]) => ({ matchExpressions: [{ key: 'app', operator: 'In', values }] })

describe('judgeKernel', () => {
  it.each([
    ['amd64', '4.19.0-21-amd64', 'ok'],
    ['arm64', '5.4.0-1049-aws', 'fail'],
    ['arm64', '5.10.0-30-cloud-arm64', 'ok'],
    ['arm64', '5.15.0-1049-aws', 'ok'],
    ['arm64', '6.1.0', 'ok'],
  ])('for %s with kernel %s: %s', (architecture, version, result) => {
    expect(judgeKernel(node(architecture, version)).result).toBe(result)
  })
})

describe('judgeOrder', () => {
  const pairs: [pair: string, refusal: PolicyOptions, kill: PolicyOptions, result: 'ok' | 'fail'][] = [
    ['on the same call', {}, {}, 'fail'],
    ['on different calls', {}, { call: 'tcp_connect' }, 'ok'],
    ['on a function and on the LSM hook of the same name', {}, { lsm: 'file_open' }, 'fail'],
    ['of which one is in monitor mode', {}, { mode: 'monitor' }, 'ok'],
    ['in different namespaces', { namespace: 'a' }, { namespace: 'b' }, 'ok'],
    ['in one namespace and in the whole cluster', { namespace: 'a' }, {}, 'fail'],
    ['for two apps', { podSelector: { matchLabels: { app: 'a' } } }, { podSelector: app('b', 'c') }, 'ok'],
    ['for two lists that share an app', { podSelector: app('a', 'b') }, { podSelector: app('b', 'c') }, 'fail'],
    ['for one app and for all pods', { podSelector: app('a') }, { podSelector: {} }, 'fail'],
    ['of two files', { selector: path('Equal', '/a') }, { selector: path('Equal', '/b', '/c') }, 'ok'],
    [
      'of a file and a folder that contains it',
      { selector: path('Equal', '/a/b') },
      { selector: path('Prefix', '/x', '/a/') },
      'fail',
    ],
    ['of two folders', { selector: path('Prefix', '/a/') }, { selector: path('Prefix', '/b/') }, 'ok'],
    [
      'of a folder and a folder in it',
      { selector: path('Prefix', '/a/b') },
      { selector: path('Prefix', '/a') },
      'fail',
    ],
    ['of a folder and a suffix', { selector: path('Prefix', '/a/') }, { selector: path('Postfix', '/b') }, 'fail'],
    ['of two suffixes', { selector: path('Postfix', '/a') }, { selector: path('Postfix', '/b') }, 'ok'],
    ['of a file and all other files', { selector: path('Equal', '/a') }, { selector: path('NotEqual', '/a') }, 'ok'],
    [
      'of a file and all files except another',
      { selector: path('Equal', '/b') },
      { selector: path('NotEqual', '/a') },
      'fail',
    ],
    [
      'of two programs',
      { selector: { matchBinaries: [{ operator: 'In', values: ['/a'] }] } },
      { selector: { matchBinaries: [{ operator: 'In', values: ['/b'] }] } },
      'ok',
    ],
    [
      'of two programs, one with its children',
      { selector: { matchBinaries: [{ operator: 'In', values: ['/a'], followChildren: true }] } },
      { selector: { matchBinaries: [{ operator: 'In', values: ['/b'] }] } },
      'fail',
    ],
  ]
  it.each(pairs.map(([pair, refusal, kill, result]) => ({ pair, refusal, kill, result })))(
    'gives $result for a kill and a refusal $pair',
    ({ refusal, kill, result }) => {
      const both = [policy('deny', 'Override', refusal), policy('kill', 'Sigkill', kill)]
      expect(judgeOrder(both).result).toBe(result)
      expect(judgeOrder(both.toReversed()).result).toBe(result)
      if (result === 'fail') expect(judgeOrder(both).found).toContain('kill kills and deny refuses')
    },
  )

  it('passes for the lab’s policies that are loaded together, and fails for alternatives to each other', () => {
    expect(judgeOrder(['deny-shadow', 'block-service-account-token', 'sys-openat-kill'].map(labPolicy)).result).toBe(
      'ok',
    )
    expect(judgeOrder(['deny-wget', 'kill-wget'].map(labPolicy)).result).toBe('fail')
  })
})
