import { describe, expect, test } from 'vitest'
import { policyKinds } from '../../../../scripts/policy/model/crd-schema.ts'
import {
  canRead,
  missingField,
  parameterTypes,
  readingType,
  resolveSteps,
  tracepointFields,
} from '../../../../scripts/policy/model/kernel-types.ts'
import { readPolicyModel } from '../../../../scripts/policy/model/policy-model.ts'

describe('the kernel that the lint knows', () => {
  test('has the parameters of system calls and functions', () => {
    expect(parameterTypes('sys_openat')).toEqual(['int', 'char *', 'int', 'umode_t'])
    expect(parameterTypes('__x64_sys_openat')).toEqual(parameterTypes('sys_openat'))
    expect(parameterTypes('security_bprm_check')).toEqual(['struct linux_binprm *'])
    expect(parameterTypes('sys_getpid')).toEqual([])
    expect(parameterTypes('no_such_function')).toBeUndefined()
  })

  test('has the fields of tracepoints in the order of their index', () => {
    const names = (event: string): string[] | undefined => tracepointFields(event)?.map(({ name }) => name)
    expect(names('syscalls/sys_enter_openat')).toHaveLength(9)
    expect(names('syscalls/sys_exit_openat')).toHaveLength(6)
    expect(names('raw_syscalls/sys_enter')?.[4]).toBe('id')
    expect(names('sched/sched_process_exec')).toEqual(expect.arrayContaining(['common_pid', 'filename']))
    expect(names('sched/no_such_event')).toBeUndefined()
  })
})

describe('an argument of type', () => {
  test.each<[type: string, kernelType: string, reads: boolean]>([
    ['file', 'struct file *', true],
    ['file', 'struct linux_binprm *', false],
    ['int', 'size_t', true],
    ['int', 'struct file *', false],
    ['uint64', 'void *', true],
    ['string', 'char *', true],
    ['string', '__data_loc char[]', true],
    ['string', 'int', false],
    ['sockaddr', 'struct sockaddr_unsized *', true],
    ['char_buf', 'struct msghdr *', true],
    ['nop', 'struct file *', true],
  ])('%s reads %s: %s', (type, kernelType, reads) => {
    expect(canRead(type, kernelType)).toBe(reads)
  })

  test('is suggested for a kernel type', () => {
    expect(['struct file *', 'char *', 'size_t', 'umode_t', 'struct nothing *'].map(readingType)).toEqual([
      'file',
      'string',
      'size_t',
      'uint32',
      undefined,
    ])
  })
})

describe('a path for resolve', () => {
  test.each<[path: string, steps: string[] | undefined]>([
    ['mm.owner.comm', ['mm', 'owner', 'comm']],
    ['field[12].sub', ['field', '[12]', 'sub']],
    ['[0].comm', ['[0]', 'comm']],
    ['a..b', undefined],
    ['a.[0]', undefined],
    ['a[]', undefined],
    ['a[0', undefined],
  ])('%s has the steps %j', (path, steps) => {
    expect(resolveSteps(path)).toEqual(steps)
  })

  /** Returns the missing field of a path that starts at parameter 0 of a function. */
  function missing(call: string, argument: object): string | undefined {
    const { hooks } = readPolicyModel(policyKinds[0], {
      spec: { kprobes: [{ call, syscall: false, data: [argument] }] },
    })
    return missingField(hooks[0]!, hooks[0]!.data[0]!)?.field
  }

  test('leads through known structs, and stops at unknown ones', () => {
    const task = { index: 0, source: 'current_task' }
    expect(missing('tcp_connect', { ...task, resolve: 'cred.uid.val' })).toBeUndefined()
    expect(missing('tcp_connect', { ...task, resolve: 'cred.uid.value' })).toBe('value')
    expect(missing('tcp_connect', { ...task, resolve: 'mm.owner.real_parnt.comm' })).toBe('real_parnt')
    expect(missing('tcp_connect', { ...task, resolve: 'stack.anything' })).toBeUndefined()
  })
})
