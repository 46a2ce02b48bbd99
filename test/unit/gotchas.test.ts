import { describe, expect, it } from 'vitest'
import { type ActingPolicy, judgeKernel, judgeOrder } from '../../scripts/verify/gotchas.ts'

const node = (architecture: string, kernelVersion: string) => ({
  metadata: { name: 'lab' },
  status: { nodeInfo: { architecture, kernelVersion } },
})
const policy = (name: string, call: string, action: string, mode?: string): ActingPolicy => ({
  metadata: { name },
  spec: {
    ...(mode && { options: [{ name: 'policy-mode', value: mode }] }),
    kprobes: [{ call, selectors: [{ matchActions: [{ action }] }] }],
  },
})

describe('gotchas', () => {
  it.each([
    ['amd64', '4.19.0-21-amd64', 'ok'],
    ['arm64', '5.10.0-30-cloud-arm64', 'fail'],
    ['arm64', '5.15.0-1049-aws', 'ok'],
    ['arm64', '6.1.0', 'ok'],
  ])('a kernel of %s %s: %s', (architecture, version, result) => {
    expect(judgeKernel(node(architecture, version)).result).toBe(result)
  })

  it('a kill and a refusal of the same call', () => {
    const both = [policy('deny', 'security_file_open', 'Override'), policy('kill', 'security_file_open', 'Sigkill')]
    expect(judgeOrder(both)).toMatchObject({
      result: 'fail',
      found: expect.stringContaining('kill kills and deny refuses'),
    })
    expect(judgeOrder([both[0]!, policy('kill', 'tcp_connect', 'Sigkill')]).result).toBe('ok')
    // In namespaces of their own they never meet; one without a namespace meets all.
    const within = (namespace: string, one: ActingPolicy): ActingPolicy => ({
      ...one,
      metadata: { ...one.metadata, namespace },
    })
    expect(judgeOrder([within('a', both[0]!), within('b', both[1]!)]).result).toBe('ok')
    expect(judgeOrder([within('a', both[0]!), both[1]!]).result).toBe('fail')
    // One that only watches does not kill.
    expect(judgeOrder([both[0]!, policy('kill', 'security_file_open', 'Sigkill', 'monitor')]).result).toBe('ok')
  })
})
