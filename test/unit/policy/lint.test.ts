import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Finding, lintPolicy, ruleReasons } from '../../../scripts/policy/lint/lint.ts'
import type { LintOptions } from '../../../scripts/policy/lint/rule.ts'
import { schemaVersion } from '../../../scripts/policy/model/crd-schema.ts'
import { namespaceKey } from '../../../scripts/policy/model/label-selector.ts'
import { readLock } from '../../../shared/lock.ts'
import { projectDir } from '../../../shared/paths.ts'

const folder = join(projectDir, 'test', 'policies')
const read = (file: string): string => readFileSync(join(folder, file), 'utf8')
const said = (findings: Finding[]): string[] => findings.map(({ line, level, rule }) => `${line} ${level} ${rule}`)

describe('every rule', () => {
  const rules = Object.keys(ruleReasons)

  test('has a file that breaks it and one that keeps it, and no files are left over', () => {
    expect(readdirSync(join(folder, 'rules')).sort()).toEqual([...rules].sort())
  })

  test.each(rules)('%s', rule => {
    const kernel = `rules/${rule}/kernel.json`
    const options: LintOptions = existsSync(join(folder, kernel)) ? { kernel: JSON.parse(read(kernel)) } : {}
    const bad = lintPolicy(read(`rules/${rule}/bad.yaml`), 'bad.yaml', options)
    expect(new Set(bad.map(finding => finding.rule))).toEqual(new Set([rule]))
    for (const { file, line, message, why, fix } of bad) {
      expect(file).toBe('bad.yaml')
      expect(line).toBeGreaterThan(0)
      expect(Math.min(message.length, why.length, fix.length)).toBeGreaterThan(3)
    }
    expect(said(lintPolicy(read(`rules/${rule}/good.yaml`), 'good.yaml', options))).toEqual([])
  })
})

describe('beside the agent', () => {
  const answers = read('agent-answers.tsv')
    .split('\n')
    .filter(line => line !== '' && !line.startsWith('#'))
    .map(line => line.split('\t') as [file: string, answer: string, reason?: string])

  test.each(answers.filter(([, answer]) => answer === 'refused'))('what Tetragon refused is an error: %s', file => {
    // The API server mends the first two before an agent sees them; whether a function exists is known with the kernel at hand only.
    const level = /\/(no-namespace|empty-selector|unknown-hook)\//.test(file) ? 'warn' : 'error'
    expect(lintPolicy(readFileSync(join(projectDir, file), 'utf8'), file).map(finding => finding.level)).toContain(
      level,
    )
  })

  test("what keeps a rule, and each of the lab's own policies, was taken by Tetragon too", () => {
    const good = answers.filter(([file]) => file.endsWith('/good.yaml') || file.startsWith('policies/'))
    expect(good.length).toBeGreaterThan(80)
    const own = readdirSync(join(projectDir, 'policies')).filter(file => file.endsWith('.yaml'))
    expect(good.map(([file]) => file)).toEqual(expect.arrayContaining(own.map(file => `policies/${file}`)))
    expect(good.filter(([, answer]) => answer !== 'taken')).toEqual([])
  })
})

describe('policies as they are printed in articles', () => {
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
  ])('%s', (file, findings) => {
    expect(said(lintPolicy(read(`documents/${file}`), file))).toEqual(findings)
  })

  test('NotIn for arguments is answered with the operator that exists', () => {
    const [found] = lintPolicy(read('documents/unexpected-process-exec.yaml'), 'x').filter(
      ({ rule }) => rule === 'in-for-arguments',
    )
    expect(found).toMatchObject({ message: 'matchArgs with operator NotIn', fix: 'write operator: NotEqual' })
  })
})

describe('lab policy lint', () => {
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [join(projectDir, 'scripts', 'lab.ts'), 'policy', 'lint', ...args], {
      encoding: 'utf8',
    })

  test("leaves with 0 and an empty list for the lab's own policies", () => {
    const { status, stdout } = run('--json', join(projectDir, 'policies'))
    expect([status, JSON.parse(stdout)]).toEqual([0, []])
  })

  test('leaves with 1 when there are errors, and names the places', () => {
    const { status, stdout, stderr } = run(join(folder, 'documents', 'unexpected-process-exec.yaml'))
    expect([status, stderr.trim()]).toEqual([1, '1 file, 1 error, 2 warnings'])
    expect(stdout).toMatch(/unexpected-process-exec\.yaml:15: .*in-for-arguments: matchArgs with operator NotIn/)
  })

  test('says in three lines that a file is not there', () => {
    const { status, stderr } = run('no-such-file.yaml')
    expect([status, stderr.split('\n')[0]]).toEqual([1, expect.stringContaining('no file no-such-file.yaml')])
  })
})

describe('findings', () => {
  const policy = (hook: string, options = '') => `apiVersion: cilium.io/v1alpha1
kind: TracingPolicyNamespaced
metadata: { name: example, namespace: application }
spec:
  podSelector: { matchLabels: { app: visitor } }
${options}  kprobes:
    - tags: [severity.info]
${hook}`

  test('name the line of the key or item, also in a later document of the file', () => {
    const text = `${policy('      call: tcp_connect\n      syscall: false\n')}---\n${policy('      call: tcp_connect\n')}`
    expect(said(lintPolicy(text, 'two.yaml'))).toEqual(['18 error syscall-flag'])
  })

  test('of the schema suggest the nearest word', () => {
    const findings = lintPolicy(
      policy('      call: tcp_connect\n      syscal: false\n      args: [{ index: 0, type: sok }]\n'),
      'x',
    )
    expect(findings.map(({ rule, message, fix }) => [rule, message, fix])).toEqual([
      ['syscall-flag', 'tcp_connect is no system call, and syscall is left out', 'add syscall: false'],
      ['schema', 'there is no field spec.kprobes[0].syscal', 'did you mean syscall?'],
      ['schema', 'spec.kprobes[0].args[0].type is none of the words that are known there', 'did you mean sock?'],
    ])
  })

  test('do not depend on the rest being sound', () => {
    const text =
      'apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: []\nspec: { kprobes: [7, { call: [] }, { call: x, args: {} }], options: 3 }\n'
    expect(lintPolicy(text, 'x').map(({ rule }) => rule)).toContain('schema')
  })

  test('of an empty file, and of an empty list, are findings too', () => {
    expect(said(lintPolicy('# nothing\n', 'x'))).toEqual(['1 error kind-of-object'])
  })

  test('about hooks follow the symbols of the kernel that is given', () => {
    const text = policy('      call: tcp_connect\n      syscall: false\n')
    expect(said(lintPolicy(text, 'x', { kernel: { symbols: new Set(['tcp_close']) } }))).toEqual([
      '8 error unknown-hook',
    ])
    const lenient = `${text}      ignore: { callNotFound: true }\n`
    expect(said(lintPolicy(lenient, 'x', { kernel: { symbols: new Set(['tcp_close']) } }))).toEqual([])
    const call = policy('      call: sys_openat\n      syscall: true\n')
    expect(said(lintPolicy(call, 'x', { kernel: { symbols: new Set(['__arm64_sys_openat']) } }))).toEqual([])
  })

  test.each<[string, string[]]>([
    ['{ subsystem: syscalls, event: sys_enter_openat2 }', []],
    ['{ subsystem: syscallz, event: sys_enter_openat2 }', ['unknown-hook: did you mean syscalls/sys_enter_openat2?']],
    ['{ subsystem: sched, event: sched_proces_exec }', ['unknown-hook: did you mean sched/sched_process_exec?']],
    [
      '{ subsystem: raw_syscalls, event: sys_enter }',
      ['hot-hook: add matchArgs or matchBinaries, or a podSelector with labels'],
    ],
    ['{ subsystem: sched, event: sched_bare, raw: true }', []],
  ])('about the tracepoint %s', (tracepoint, found) => {
    const text = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicyNamespaced
metadata: { name: example, namespace: application }
spec: { podSelector: {}, tracepoints: [{ tags: [severity.info], ${tracepoint.slice(2)}] }
`
    expect(lintPolicy(text, 'x').map(({ rule, fix }) => `${rule}: ${fix}`)).toEqual(found)
  })

  test.each<[string, string | undefined]>([
    ['/proc/self/environ', 'write operator: Postfix and /environ'],
    ['/proc/self', 'write operator: Postfix and /self'],
    ['/etc/mtab', 'write operator: Postfix and /mtab'],
    ['/dev/stdin', 'hook what is done with it, not its name'],
    ['/etc/os-release', 'name both, /etc/os-release and /usr/lib/os-release'],
    ['/bin/bash', 'name both, /bin/bash and /usr/bin/bash'],
    ['/proc/1/environ', undefined],
    ['/etc/shadow', undefined],
  ])('about the path %s', (path, fix) => {
    const text = read('rules/linked-path/good.yaml').replace(
      /operator: Prefix, values: .*\]/,
      `operator: Equal, values: [${path}]`,
    )
    expect(lintPolicy(text, 'x').map(finding => finding.fix)).toEqual(fix === undefined ? [] : [fix])
  })

  test('about a policy-mode that is given twice follow the last, as the agent does', () => {
    const twice = (first: string, last: string): string[] =>
      lintPolicy(
        read('rules/unscoped-enforcement/bad.yaml').replace(
          'spec:\n',
          `spec:\n  options: [{ name: policy-mode, value: ${first} }, { name: policy-mode, value: ${last} }]\n`,
        ),
        'x',
      ).map(({ rule, level }) => `${rule} ${level}`)
    expect(twice('monitor', 'enforce')).toEqual(['option-twice error', 'unscoped-enforcement error'])
    expect(twice('enforce', 'monitor')).toEqual(['option-twice error', 'unscoped-enforcement warn'])
  })

  test.each<[string, string[]]>([
    ['[{ action: Override, argError: -13 }, { action: Post }]', ['action-order']],
    ['[{ action: Post }, { action: Override, argError: -13 }]', []],
    ['[{ action: Sigkill }, { action: Override, argError: -13 }]', ['override-and-kill', 'action-order']],
    ['[{ action: Override, argError: -13 }, { action: Sigkill }]', ['override-and-kill']],
  ])('about the actions %s', (actions, found) => {
    const text = read('rules/override-and-kill/good.yaml').replace(/matchActions:\n.*/, `matchActions: ${actions}`)
    expect(lintPolicy(text, 'x').map(({ rule }) => rule)).toEqual(found)
  })

  test.each<[string, string, string[]]>([
    ['security_file_open', '', ['unfiltered-enforcement']],
    ['security_bprm_check', '', ['unfiltered-enforcement']],
    // A call that no program needs is told by itself.
    ['security_sb_mount', '', []],
    [
      'security_file_open',
      'matchArgs: [{ index: 0, operator: Prefix, values: [/] }]',
      ['token-enforcement', 'unfiltered-enforcement'],
    ],
    ['security_file_open', 'matchBinaries: [{ operator: In, values: [/usr/bin/curl] }]', []],
    ['security_file_open', 'matchBinaries: [{ operator: NotIn, values: [/usr/bin/curl] }]', ['unfiltered-enforcement']],
    ['sys_write', 'matchBinaries: [{ operator: In, values: [/usr/bin/curl] }]', ['late-kill']],
  ])('about a kill at %s with %j', (call, filter, found) => {
    const text = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicyNamespaced
metadata: { name: example, namespace: application }
spec:
  podSelector: {}
  kprobes:
    - call: ${call}
      syscall: ${call.startsWith('sys_')}
      tags: [severity.info]
      args: [{ index: 0, type: file }]
      selectors:
        - { ${filter}${filter && ', '}matchActions: [{ action: Sigkill }] }
`
    const rules = (of: string): string[] => lintPolicy(of, 'x').map(({ rule }) => rule)
    expect(rules(text).filter(rule => rule !== 'hot-hook')).toEqual(found)
    // For one app a list of what it may do is a policy; nothing at all is none.
    const one = rules(text.replace('podSelector: {}', 'podSelector: { matchLabels: { app: visitor } }'))
    const still = found.filter(rule => rule === 'late-kill' || (rule === 'unfiltered-enforcement' && filter === ''))
    expect(one).toEqual(still)
  })

  test('that are warnings can be waived with a reason, errors cannot', () => {
    const text = policy('      call: tcp_conect\n')
    const waived = `# lint: allow unknown-hook, because this kernel has it\n# lint: allow syscall-flag, because I say so\n${text}`
    expect(said(lintPolicy(waived, 'x'))).toEqual(['10 error syscall-flag'])
    expect(said(lintPolicy(`# lint: allow no-such-rule, because\n${text}`, 'x'))).toContain('1 error waiver')
  })

  test.each<[string, string, boolean]>([
    ['matchLabels: { app: visitor }', '', true],
    ['matchLabels: { k8s-app: kube-dns }', '', true],
    ['matchExpressions: [{ key: app, operator: Exists }]', '', true],
    ['', 'matchExpressions: [{ key: name, operator: NotIn, values: [shell] }]', true],
    ['', 'matchLabels: { name: shell }', true],
    [`matchExpressions: [{ key: ${namespaceKey}, operator: NotIn, values: [kube-system] }]`, '', true],
    [`matchExpressions: [{ key: ${namespaceKey}, operator: In, values: [shop, kube-system] }]`, '', true],
    [`matchExpressions: [{ key: ${namespaceKey}, operator: Exists }]`, '', true],
    [`matchExpressions: [{ key: ${namespaceKey}, operator: NotIn, values: [kube-system, monitoring] }]`, '', false],
    [`matchExpressions: [{ key: ${namespaceKey}, operator: In, values: [shop] }]`, '', false],
    [`matchLabels: { "${namespaceKey}": shop }`, 'matchLabels: { name: shell }', false],
  ])('about the reach of a kill for the whole cluster: pods %j, containers %j', (pods, containers, reaches) => {
    const text = read('rules/unscoped-enforcement/bad.yaml').replace(
      '  podSelector: {}\n',
      `  podSelector: { ${pods} }\n${containers && `  containerSelector: { ${containers} }\n`}`,
    )
    const found = lintPolicy(text, 'x')
    expect(found.map(({ rule }) => rule)).toEqual(reaches ? ['unscoped-enforcement'] : [])
    // A selector that names something is not called none.
    if (/app: visitor|name: shell/.test(pods + containers))
      for (const { message } of found) expect(message).not.toMatch(/every pod/)
  })

  test.each<[string, boolean]>([
    ['{ index: 0, operator: Prefix, values: [/run/secrets] }', true],
    ['{ index: 0, operator: Prefix, values: [/run/secrets/kubernetes.io/] }', true],
    ['{ index: 0, operator: Postfix, values: [/token] }', true],
    ['{ index: 0, operator: Prefix, values: [/run] }, { index: 0, operator: NotPrefix, values: [/run/lock] }', true],
    // A rotated token is called after its day, so the exception is none.
    ['{ index: 0, operator: NotEqual, values: [/run/secrets/kubernetes.io/serviceaccount/namespace] }', true],
    ['{ index: 0, operator: Prefix, values: [/run/secrets/shop] }', false],
    [
      '{ index: 0, operator: Prefix, values: [/run/secrets] }, { index: 0, operator: NotPostfix, values: [/token] }',
      false,
    ],
    [
      '{ index: 0, operator: Prefix, values: [/run] }, { index: 0, operator: NotPrefix, values: [/run/secrets] }',
      false,
    ],
  ])('about a kill on the token: %s', (filters, token) => {
    const items = filters.replaceAll('}, {', '}\n            - {')
    const text = read('rules/token-enforcement/bad.yaml').replace(/\{ index: 0, operator: .*\}/, items)
    expect(text).toContain(items)
    const rules = lintPolicy(text, 'x').map(({ rule }) => rule)
    expect(rules).not.toContain('yaml')
    expect(rules.includes('token-enforcement')).toBe(token)
    const some = text.replace(
      'spec:\n',
      'spec:\n  podSelector: { matchExpressions: [{ key: app, operator: Exists }] }\n',
    )
    expect(lintPolicy(some, 'x').map(({ rule }) => rule)).toEqual(rules)
    const one = text.replace('spec:\n', 'spec:\n  podSelector: { matchLabels: { app: visitor } }\n')
    expect(lintPolicy(one, 'x').map(({ rule }) => rule)).not.toContain('token-enforcement')
  })

  test('about enforcement in monitor mode are warnings', () => {
    const text = read('rules/unscoped-enforcement/bad.yaml')
    const monitor = text.replace('spec:\n', 'spec:\n  options: [{ name: policy-mode, value: monitor }]\n')
    expect(said(lintPolicy(text, 'x'))).toEqual(['17 error unscoped-enforcement'])
    expect(said(lintPolicy(monitor, 'x'))).toEqual(['18 warn unscoped-enforcement'])
  })
})

test('the schemas are those of the pinned chart', () => {
  expect(schemaVersion()).toBe(readLock('').charts.tetragon.version)
})
