import { describe, expect, test } from 'vitest'
import { lintPolicy } from '../../../../scripts/policy/lint/lint.ts'
import { namespaceKey } from '../../../../scripts/policy/model/label-selector.ts'
import { brokenRules, readTestPolicy, summarize } from '../../support/policies.ts'

describe('unscoped-enforcement', () => {
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
  ])('for pods %j and containers %j reaches the system namespaces: %j', (pods, containers, reaches) => {
    const text = readTestPolicy('rules/unscoped-enforcement/bad.yaml').replace(
      '  podSelector: {}\n',
      `  podSelector: { ${pods} }\n${containers && `  containerSelector: { ${containers} }\n`}`,
    )
    const found = lintPolicy(text, 'x')
    expect(found.map(({ rule }) => rule)).toEqual(reaches ? ['unscoped-enforcement'] : [])
    // The message does not claim that a selector with labels selects every pod.
    if (/app: visitor|name: shell/.test(pods + containers))
      for (const { message } of found) expect(message).not.toMatch(/every pod/)
  })

  const unmount = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: example }
spec:
  podSelector: {}
  kprobes:
    - call: security_sb_umount
      syscall: false
      tags: [severity.info]
      selectors:
        - matchActions: [{ action: Sigkill }]
`

  test('is a warning in monitor mode', () => {
    const monitor = unmount.replace('spec:\n', 'spec:\n  options: [{ name: policy-mode, value: monitor }]\n')
    expect(summarize(lintPolicy(unmount, 'x'))).toEqual(['11 error unscoped-enforcement'])
    expect(summarize(lintPolicy(monitor, 'x'))).toEqual(['12 warn unscoped-enforcement'])
  })

  test.each<[filter: string, level: 'error' | 'warn' | undefined]>([
    ['matchBinaries: [{ operator: In, values: [/usr/sbin/umount] }]', 'warn'],
    ['matchCapabilities: [{ type: Effective, operator: NotIn, values: [CAP_SYS_ADMIN] }]', 'warn'],
    ['matchNamespaces: [{ namespace: Pid, operator: NotIn, values: ["4026531836"] }]', 'warn'],
    ['matchPIDs: [{ operator: NotIn, values: [4242] }]', 'warn'],
    ['matchPIDs: [{ operator: In, values: [1], isNamespacePID: true }]', 'warn'],
    // Every container has a process 4242 of its own.
    ['matchPIDs: [{ operator: In, values: [4242], isNamespacePID: true }]', 'warn'],
    // Process ids name exactly what is meant.
    ['matchPIDs: [{ operator: In, values: [4242], followForks: true }]', undefined],
    // The agent ignores a filter without values.
    ['matchBinaries: [{ operator: In, values: [] }]', 'error'],
  ])('with the filter %s has the level %j', (filter, level) => {
    const text = unmount.replace('- matchActions', `- ${filter}\n          matchActions`)
    const found = lintPolicy(text, 'x').filter(({ rule }) => rule === 'unscoped-enforcement')
    expect(found.map(finding => finding.level)).toEqual(level ? [level] : [])
    for (const { message } of found) expect(message.endsWith('where the filters match')).toBe(level === 'warn')
  })

  test.each<[scope: string, text: string, fix: RegExp | undefined]>([
    ['the whole cluster', unmount, /^Make it a TracingPolicyNamespaced/],
    ['the machine itself', unmount.replace('podSelector', 'hostSelector'), /^Name the programs/],
    [
      'kube-system',
      unmount.replace('Policy', 'PolicyNamespaced').replace('example', 'example, namespace: kube-system'),
      /^Add podSelector/,
    ],
    [
      'one app in kube-system',
      unmount
        .replace('Policy', 'PolicyNamespaced')
        .replace('example', 'example, namespace: kube-system')
        .replace('podSelector: {}', 'podSelector: { matchLabels: { app: kindnet } }'),
      undefined,
    ],
  ])('has a fix for %s', (_, text, fix) => {
    const [found] = lintPolicy(text, 'x').filter(({ rule }) => rule === 'unscoped-enforcement')
    if (fix) expect(found!.fix).toMatch(fix)
    else expect(found).toBeUndefined()
  })

  test('is an error if any selector has no filter, and for a filter on what the system itself reads', () => {
    const second = unmount.replace(
      '- matchActions',
      '- matchBinaries: [{ operator: In, values: [/usr/bin/bash] }]\n          matchActions: [{ action: Sigkill }]\n        - matchActions',
    )
    expect(summarize(lintPolicy(second, 'x'))).toContain('13 error unscoped-enforcement')
    expect(summarize(lintPolicy(readTestPolicy('rules/token-enforcement/bad.yaml'), 'x')).join()).not.toContain(
      'warn unscoped',
    )
  })
})

describe('uprobe-scope', () => {
  const uprobe = readTestPolicy('rules/uprobe-scope/bad.yaml')

  test.each<[change: string, text: string, findings: string[]]>([
    ['only observes', uprobe.slice(0, uprobe.indexOf('      selectors:')), ['7 warn uprobe-scope']],
    [
      'is in monitor mode',
      uprobe.replace('spec:\n', 'spec:\n  options: [{ name: policy-mode, value: monitor }]\n'),
      ['8 warn uprobe-scope'],
    ],
    ['has only a namespace', uprobe.replace(/ {2}podSelector:\n.*\n/, ''), ['5 error uprobe-scope']],
    [
      'does not claim a scope',
      uprobe.replace('Namespaced', '').replace(/ {2}(namespace: .*|podSelector:\n.*)\n/g, ''),
      ['12 error unscoped-enforcement'],
    ],
  ])('a uprobe that %s: %j', (_, text, findings) => {
    expect(summarize(lintPolicy(text, 'x'))).toEqual(findings)
  })
})

describe('whole-machine and severity-tag', () => {
  const text =
    'apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: { name: x }\nspec: { kprobes: [{ call: sys_mount }] }\n'

  test('are warnings for the lab, and notes for other files', () => {
    expect(summarize(lintPolicy(text, 'x'))).toEqual(['4 warn severity-tag', '4 warn whole-machine'])
    expect(summarize(lintPolicy(text, 'x', { foreign: true }))).toEqual(['4 note severity-tag', '4 note whole-machine'])
  })

  test('a misspelt severity is a warning in any file', () => {
    const misspelt = text.replace('sys_mount', 'sys_mount, tags: [severity.hihg]')
    expect(summarize(lintPolicy(misspelt, 'x', { foreign: true }))).toContain('4 warn severity-tag')
  })
})

describe('token-enforcement', () => {
  test.each<[string, boolean]>([
    ['{ index: 0, operator: Prefix, values: [/run/secrets] }', true],
    ['{ index: 0, operator: Prefix, values: [/run/secrets/kubernetes.io/] }', true],
    ['{ index: 0, operator: Postfix, values: [/token] }', true],
    ['{ index: 0, operator: Prefix, values: [/run] }, { index: 0, operator: NotPrefix, values: [/run/lock] }', true],
    // The resolved path of a token contains a date, so this exception does not exclude it.
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
  ])('a kill with the filters %s targets the token: %j', (filters, token) => {
    const items = filters.replaceAll('}, {', '}\n            - {')
    const text = readTestPolicy('rules/token-enforcement/bad.yaml').replace(/\{ index: 0, operator: .*\}/, items)
    expect(text).toContain(items)
    const rules = brokenRules(text)
    expect(rules).not.toContain('yaml')
    expect(rules.includes('token-enforcement')).toBe(token)
    const some = text.replace(
      'spec:\n',
      'spec:\n  podSelector: { matchExpressions: [{ key: app, operator: Exists }] }\n',
    )
    expect(brokenRules(some)).toEqual(rules)
    const one = text.replace('spec:\n', 'spec:\n  podSelector: { matchLabels: { app: visitor } }\n')
    expect(brokenRules(one)).not.toContain('token-enforcement')
  })
})

describe('unfiltered-enforcement', () => {
  test.each<[string, string, string[]]>([
    ['security_file_open', '', ['unfiltered-enforcement']],
    ['security_bprm_check', '', ['unfiltered-enforcement']],
    // Ordinary programs do not need this call.
    ['security_sb_mount', '', []],
    [
      'security_file_open',
      'matchArgs: [{ index: 0, operator: Prefix, values: [/] }]',
      ['token-enforcement', 'unfiltered-enforcement'],
    ],
    ['security_file_open', 'matchBinaries: [{ operator: In, values: [/usr/bin/curl] }]', []],
    ['security_file_open', 'matchBinaries: [{ operator: NotIn, values: [/usr/bin/curl] }]', ['unfiltered-enforcement']],
    ['sys_write', 'matchBinaries: [{ operator: In, values: [/usr/bin/curl] }]', ['late-kill']],
  ])('a kill on %s with the filter %j breaks %j', (call, filter, found) => {
    const text = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicyNamespaced
metadata: { name: example, namespace: application }
spec:
  podSelector: {}
  kprobes:
    - call: ${call}
      syscall: ${call.startsWith('sys_')}
      tags: [severity.info]
      args: [{ index: 0, type: ${call === 'security_file_open' ? 'file' : 'nop'} }]
      selectors:
        - { ${filter}${filter && ', '}matchActions: [{ action: Sigkill }] }
`
    expect(brokenRules(text).filter(rule => rule !== 'hot-hook')).toEqual(found)
    // For one app a list of exceptions is enough, but a policy without any filter is not.
    const one = brokenRules(text.replace('podSelector: {}', 'podSelector: { matchLabels: { app: visitor } }'))
    const still = found.filter(rule => rule === 'late-kill' || (rule === 'unfiltered-enforcement' && filter === ''))
    expect(one).toEqual(still)
  })
})
