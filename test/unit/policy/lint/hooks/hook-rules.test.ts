import { describe, expect, test } from 'vitest'
import { lintPolicy } from '../../../../../scripts/policy/lint/lint.ts'
import { policyWithHook, summarize } from '../../../support/policies.ts'

describe('unknown-hook', () => {
  test('is an error for a function that is not in the given symbols', () => {
    const text = policyWithHook('      call: tcp_connect\n      syscall: false\n')
    expect(summarize(lintPolicy(text, 'x', { kernel: { symbols: new Set(['tcp_close']) } }))).toEqual([
      '8 error unknown-hook',
    ])
    const lenient = `${text}      ignore: { callNotFound: true }\n`
    expect(summarize(lintPolicy(lenient, 'x', { kernel: { symbols: new Set(['tcp_close']) } }))).toEqual([])
    const call = policyWithHook('      call: sys_openat\n      syscall: true\n')
    expect(summarize(lintPolicy(call, 'x', { kernel: { symbols: new Set(['__arm64_sys_openat']) } }))).toEqual([])
  })

  test.each<[string, string[]]>([
    ['{ subsystem: syscalls, event: sys_enter_openat2 }', []],
    ['{ subsystem: syscallz, event: sys_enter_openat2 }', ['unknown-hook: Did you mean syscalls/sys_enter_openat2?']],
    ['{ subsystem: sched, event: sched_proces_exec }', ['unknown-hook: Did you mean sched/sched_process_exec?']],
    [
      '{ subsystem: raw_syscalls, event: sys_enter }',
      ['hot-hook: Add matchArgs or matchBinaries, or a podSelector with labels'],
    ],
    ['{ subsystem: sched, event: sched_bare, raw: true }', []],
  ])('the tracepoint %s has the findings %j', (tracepoint, found) => {
    const text = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicyNamespaced
metadata: { name: example, namespace: application }
spec: { podSelector: {}, tracepoints: [{ tags: [severity.info], ${tracepoint.slice(2)}] }
`
    expect(lintPolicy(text, 'x').map(({ rule, fix }) => `${rule}: ${fix}`)).toEqual(found)
  })
})
