import { expect, test } from 'vitest'
import { knownFunctions } from '../../../../scripts/policy/model/kernel-names.ts'
import { securityFunctionsOf } from '../../../../scripts/policy/model/security-hooks.ts'

test('system calls have security_ functions that the kernel knows', () => {
  const calls = [...knownFunctions()].filter(name => name.startsWith('sys_'))
  const functions = new Set(calls.flatMap(securityFunctionsOf))
  expect(functions.size).toBeGreaterThan(50)
  expect([...functions].filter(name => !knownFunctions().has(name))).toEqual([])
})

test.each<[call: string, functions: string[]]>([
  ['sys_symlinkat', ['security_path_symlink', 'security_inode_symlink']],
  ['__x64_sys_connect', ['security_socket_connect']],
  ['sys_unshare', []],
  ['tcp_connect', []],
])('%s passes %j', (call, functions) => {
  expect(securityFunctionsOf(call)).toEqual(functions)
})
