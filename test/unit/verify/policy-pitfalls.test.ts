import { describe, expect, it } from 'vitest'
import type { PolicyKind } from '../../../scripts/policy/model/crd-schema.ts'
import { type Policy, readPolicyModel } from '../../../scripts/policy/model/policy-model.ts'
import { judgeKernel, judgeOrder } from '../../../scripts/verify/policy-pitfalls.ts'
import { readLabPolicy } from '../../../shared/policy-file.ts'

const node = (architecture: string, kernelVersion: string) => ({
  metadata: { name: 'lab' },
  status: { nodeInfo: { architecture, kernelVersion } },
})
interface Written {
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
  { call = 'security_file_open', lsm, mode, namespace, podSelector, selector = {} }: Written = {},
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
const own = (name: string): Policy => {
  const document = readLabPolicy(name)
  return readPolicyModel(document.kind as PolicyKind, document)
}
const path = (operator: string, ...values: string[]) => ({ matchArgs: [{ index: 0, operator, values }] })
const app = (...values: string[]) => ({ matchExpressions: [{ key: 'app', operator: 'In', values }] })

describe('gotchas', () => {
  it.each([
    ['amd64', '4.19.0-21-amd64', 'ok'],
    ['arm64', '5.4.0-1049-aws', 'fail'],
    ['arm64', '5.10.0-30-cloud-arm64', 'ok'],
    ['arm64', '5.15.0-1049-aws', 'ok'],
    ['arm64', '6.1.0', 'ok'],
  ])('a kernel of %s %s: %s', (architecture, version, result) => {
    expect(judgeKernel(node(architecture, version)).result).toBe(result)
  })

  it.each<[string, Written, Written, 'ok' | 'fail']>([
    ['of the same call', {}, {}, 'fail'],
    ['of different calls', {}, { call: 'tcp_connect' }, 'ok'],
    ['at the function and at the LSM hook of its name', {}, { lsm: 'file_open' }, 'fail'],
    ['one of which only watches', {}, { mode: 'monitor' }, 'ok'],
    ['in namespaces of their own', { namespace: 'a' }, { namespace: 'b' }, 'ok'],
    ['in a namespace and everywhere', { namespace: 'a' }, {}, 'fail'],
    ['for two apps', { podSelector: { matchLabels: { app: 'a' } } }, { podSelector: app('b', 'c') }, 'ok'],
    ['for two lists with one app in both', { podSelector: app('a', 'b') }, { podSelector: app('b', 'c') }, 'fail'],
    ['for an app, and for all but it', { podSelector: app('a') }, { podSelector: {} }, 'fail'],
    ['of two files', { selector: path('Equal', '/a') }, { selector: path('Equal', '/b', '/c') }, 'ok'],
    [
      'of a file and its folder',
      { selector: path('Equal', '/a/b') },
      { selector: path('Prefix', '/x', '/a/') },
      'fail',
    ],
    ['of two folders', { selector: path('Prefix', '/a/') }, { selector: path('Prefix', '/b/') }, 'ok'],
    ['of a folder within the other', { selector: path('Prefix', '/a/b') }, { selector: path('Prefix', '/a') }, 'fail'],
    ['of a folder and an ending', { selector: path('Prefix', '/a/') }, { selector: path('Postfix', '/b') }, 'fail'],
    ['of two endings', { selector: path('Postfix', '/a') }, { selector: path('Postfix', '/b') }, 'ok'],
    ['of a file and all others', { selector: path('Equal', '/a') }, { selector: path('NotEqual', '/a') }, 'ok'],
    [
      'of a file, and of a file and all others',
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
      'of two programs and their children',
      { selector: { matchBinaries: [{ operator: 'In', values: ['/a'], followChildren: true }] } },
      { selector: { matchBinaries: [{ operator: 'In', values: ['/b'] }] } },
      'fail',
    ],
  ])('a kill and a refusal %s', (_, refusal, kill, result) => {
    const both = [policy('deny', 'Override', refusal), policy('kill', 'Sigkill', kill)]
    expect(judgeOrder(both).result).toBe(result)
    expect(judgeOrder(both.toReversed()).result).toBe(result)
    if (result === 'fail') expect(judgeOrder(both).found).toContain('kill kills and deny refuses')
  })

  it('the lab’s own that are loaded together do not meet; those that are rungs of one ladder do', () => {
    expect(judgeOrder(['deny-shadow', 'block-service-account-token', 'sys-openat-kill'].map(own)).result).toBe('ok')
    expect(judgeOrder(['deny-wget', 'kill-wget'].map(own)).result).toBe('fail')
  })
})
