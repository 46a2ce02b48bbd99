import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { lintPolicy, ruleReasons } from '../../../../scripts/policy/lint/lint.ts'
import type { LintOptions } from '../../../../scripts/policy/lint/rule.ts'
import { schemaVersion } from '../../../../scripts/policy/model/crd-schema.ts'
import { readLock } from '../../../../shared/lock.ts'
import { projectDir } from '../../../../shared/paths.ts'
import { policyNames } from '../../../../shared/policy-file.ts'
import { policyWithHook, readTestPolicy, summarize } from '../../support/policies.ts'

const folder = join(projectDir, 'test', 'policies')

describe('every rule', () => {
  const rules = Object.keys(ruleReasons)

  test('has a policy that breaks it and one that follows it', () => {
    expect(readdirSync(join(folder, 'rules')).sort()).toEqual([...rules].sort())
  })

  test.each(rules)('%s reports the bad policy, and nothing in the good one', rule => {
    const kernel = `rules/${rule}/kernel.json`
    const options: LintOptions = existsSync(join(folder, kernel)) ? { kernel: JSON.parse(readTestPolicy(kernel)) } : {}
    const bad = lintPolicy(readTestPolicy(`rules/${rule}/bad.yaml`), 'bad.yaml', options)
    expect(new Set(bad.map(finding => finding.rule))).toEqual(new Set([rule]))
    for (const { file, line, message, why, fix } of bad) {
      expect(file).toBe('bad.yaml')
      expect(line).toBeGreaterThan(0)
      expect(Math.min(message.length, why.length, fix.length)).toBeGreaterThan(3)
      expect(fix).toMatch(/^[A-Z]/)
    }
    expect(summarize(lintPolicy(readTestPolicy(`rules/${rule}/good.yaml`), 'good.yaml', options))).toEqual([])
  })
})

describe('compared with the agent', () => {
  const answers = readTestPolicy('agent-answers.tsv')
    .split('\n')
    .filter(line => line !== '' && !line.startsWith('#'))
    .map(line => line.split('\t') as [file: string, answer: string, reason?: string])

  test.each(answers.filter(([, answer]) => answer === 'refused'))('%s is refused by Tetragon and by the lint', file => {
    // The API server repairs the first two before an agent sees them. The others depend on the kernel.
    const level = /\/(no-namespace|empty-selector|unknown-hook|arch-prefix|resolve-path)\//.test(file)
      ? 'warn'
      : 'error'
    expect(lintPolicy(readFileSync(join(projectDir, file), 'utf8'), file).map(finding => finding.level)).toContain(
      level,
    )
  })

  test("Tetragon accepts every good policy and each of the lab's own", () => {
    const good = answers.filter(([file]) => file.endsWith('/good.yaml') || file.startsWith('policies/'))
    expect(good.length).toBeGreaterThan(80)
    expect(good.map(([file]) => file)).toEqual(
      expect.arrayContaining(policyNames().map(name => `policies/${name}.yaml`)),
    )
    expect(good.filter(([, answer]) => answer !== 'taken')).toEqual([])
  })
})

describe('policies from published articles', () => {
  test.each<[file: string, findings: string[]]>([
    ['tp-openat-basic.yaml', ['5 warn whole-machine', '7 warn severity-tag', '7 warn hot-hook']],
    ['tp-openat-args.yaml', ['5 warn whole-machine', '7 warn severity-tag', '7 warn hot-hook']],
    [
      'tp-openat-enforcement.yaml',
      ['7 warn severity-tag', '15 warn path-by-name', '20 error unscoped-enforcement', '20 error token-enforcement'],
    ],
    ['sensitive-file-access.yaml', ['7 warn severity-tag', '21 warn folder-equal', '23 warn host-namespace']],
    ['unexpected-process-exec.yaml', ['7 warn severity-tag', '15 error in-for-arguments', '21 warn host-namespace']],
    ['wget-sigkill.yaml', ['1 error kind-of-object']],
  ])('%s has these findings', (file, findings) => {
    expect(summarize(lintPolicy(readTestPolicy(`documents/${file}`), file))).toEqual(findings)
  })

  test('the fix for NotIn in matchArgs names the operator that exists', () => {
    const findings = lintPolicy(readTestPolicy('documents/unexpected-process-exec.yaml'), 'x')
    expect(findings.find(({ rule }) => rule === 'in-for-arguments')).toMatchObject({
      message: 'matchArgs does not support the operator NotIn',
      fix: 'Write operator: NotEqual',
    })
  })
})

describe('a finding', () => {
  test('has the line of its key or item, even in a later document of the file', () => {
    const text = `${policyWithHook('      call: tcp_connect\n      syscall: false\n')}---\n${policyWithHook('      call: tcp_connect\n').replace('example', 'second')}`
    expect(summarize(lintPolicy(text, 'two.yaml'))).toEqual(['18 error syscall-flag'])
  })

  test('of the schema suggests the nearest word', () => {
    const findings = lintPolicy(
      policyWithHook('      call: tcp_connect\n      syscal: false\n      args: [{ index: 0, type: sok }]\n'),
      'x',
    )
    expect(findings.map(({ rule, message, fix }) => [rule, message, fix])).toEqual([
      ['syscall-flag', 'tcp_connect is not a system call, but syscall defaults to true', 'Add syscall: false'],
      ['schema', 'There is no field spec.kprobes[0].syscal', 'Did you mean syscall?'],
      ['schema', 'spec.kprobes[0].args[0].type cannot be "sok"', 'Did you mean sock?'],
    ])
  })

  test('of the schema is not hidden by that of a rule about the same value', () => {
    const missing = policyWithHook('      call: fd_install\n      syscall: false\n      returnArg: { type: int }\n')
    const found = lintPolicy(`${missing}      return: true\n`, 'x').map(({ message }) => message)
    expect(found).toContain('spec.kprobes[0].returnArg has no index')
    const both = policyWithHook(
      '      call: fd_install\n      syscall: false\n      return: true\n      returnArg: {}\n',
    )
    expect(lintPolicy(both, 'x').map(({ message }) => message)).toEqual(
      expect.arrayContaining(['The returnArg of fd_install has no type', 'spec.kprobes[0].returnArg has no index']),
    )
  })

  test('is one for host_ns, however many selectors use it', () => {
    const selector = '        - matchNamespaces: [{ namespace: Pid, operator: NotIn, values: [host_ns] }]\n'
    const text = policyWithHook(`      call: sys_mount\n      selectors:\n${selector}${selector}`)
    expect(lintPolicy(text, 'x').map(({ line, message }) => `${line} ${message}`)).toEqual([
      '10 matchNamespaces uses host_ns to identify the host, 2 times',
    ])
  })

  test('does not call a file without a policy empty', () => {
    expect(lintPolicy('apiVersion: v1\nkind: Pod\n', 'x').map(({ message }) => message)).toEqual(['kind is "Pod"'])
  })

  test('does not need the rest of the policy to be valid', () => {
    const text =
      'apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: []\nspec: { kprobes: [7, { call: [] }, { call: x, args: {} }], options: 3 }\n'
    expect(lintPolicy(text, 'x').map(({ rule }) => rule)).toContain('schema')
  })

  test('is reported for a file with only comments', () => {
    expect(summarize(lintPolicy('# nothing\n', 'x'))).toEqual(['1 error kind-of-object'])
  })
})

describe('a waiver', () => {
  const text = policyWithHook('      call: tcp_conect\n')

  test('lifts a finding of any rule and level', () => {
    const waived = `# lint: allow unknown-hook, because this kernel has it\n# lint: allow syscall-flag, because I say so\n${text}`
    expect(summarize(lintPolicy(text, 'x'))).toEqual(['8 error syscall-flag'])
    expect(summarize(lintPolicy(waived, 'x'))).toEqual([])
    expect(summarize(lintPolicy(`# lint: allow yaml, because it is broken on purpose\na: [`, 'x'))).toEqual([])
  })

  test('at the end of a line lifts a finding on this line only', () => {
    const two = `${text}    - tags: [severity.info]\n      call: tcp_close\n`
    const waived = two.replace('tcp_conect', 'tcp_connect # lint: allow syscall-flag, because it is a test')
    expect(summarize(lintPolicy(waived, 'x'))).toEqual(['10 error syscall-flag'])
  })

  test('cannot lift the finding of an invalid waiver', () => {
    const waived = `# lint: allow waiver, because I can\n${policyWithHook('      call: sys_mount\n')}`
    expect(summarize(lintPolicy(waived, 'x'))).toEqual(['1 error waiver'])
  })

  test('is not part of a text', () => {
    const message = policyWithHook('      call: sys_mount\n      message: "see # lint: this"\n')
    expect(summarize(lintPolicy(message, 'x'))).toEqual([])
  })

  test('the policies of the lab waive only what an exercise demonstrates', () => {
    const waivers = policyNames().flatMap(name =>
      [...readFileSync(join(projectDir, 'policies', `${name}.yaml`), 'utf8').matchAll(/# lint: allow ([a-z-]+)/g)].map(
        ([, rule]) => `${name} ${rule}`,
      ),
    )
    expect(waivers).toEqual(['sys-openat-kill path-by-name', 'sys-openat-kill-monitor path-by-name'])
  })

  test('of an unknown rule, or without a reason, is an error', () => {
    expect(lintPolicy(`# lint: allow no-such-rule, because I can\n${text}`, 'x')[0]).toMatchObject({
      rule: 'waiver',
      line: 1,
      message: 'There is no rule no-such-rule',
    })
    expect(summarize(lintPolicy(`# lint: allow unknown-hook\n${text}`, 'x'))).toContain('1 error waiver')
  })
})

test('the schemas come from the pinned chart', () => {
  expect(schemaVersion()).toBe(readLock('').charts.tetragon.version)
})
