import { describe, expect, test } from 'vitest'
import { lintPolicy } from '../../../../scripts/policy/lint/lint.ts'
import { readTestPolicy } from '../../support/policies.ts'

// Public policies that a linter judges wrongly if it knows Tetragon 1.7.0 less well. Those with a path of examples/ in
// the last column are Tetragon's own (Apache-2.0); the others are reduced to the point.

/** Returns what the lint says about a trial file that is not one of the lab's, without the notes. */
const lintTrial = (file: string) =>
  lintPolicy(readTestPolicy(`trials/${file}.yaml`), file, { foreign: true }).filter(({ level }) => level !== 'note')

describe('is accepted without a false alarm', () => {
  test.each<[file: string, findings: string[], source: string]>([
    ['cel-expression', [], 'pkg/selectors/celexpr.go#L58 parses the value'],
    ['tracepoint-auto', [], 'pkg/sensors/tracing/generictracepoint.go#L704 replaces auto before it compares'],
    ['merge-key', [], 'pkg/tracingpolicy/k8s.go#L40 reads YAML 1.1'],
    ['yes-and-no', ['17 warn hot-hook'], 'pkg/tracingpolicy/k8s.go#L40 reads YAML 1.1'],
    ['fentry-twice', [], 'pkg/sensors/tracing/generickprobe.go#L594 checks kprobes only'],
    ['number-binary', [], 'pkg/selectors/kernel.go#L697'],
    ['number-underscore', [], 'pkg/selectors/kernel.go#L697'],
    ['module-syscalls', [], 'the kernel has them with modules and kexec'],
    ['hot-hook-filtered', [], 'examples/tracingpolicy/fd_install_caps.yaml'],
  ])('%s: %j', (file, findings) => {
    expect(lintTrial(file).map(({ line, level, rule }) => `${line} ${level} ${rule}`)).toEqual(findings)
  })
})

describe('is judged for what it is', () => {
  test.each<[file: string, findings: [line: number, level: string, rule: string, says: RegExp][], source: string]>([
    [
      'policy-and-pod',
      [
        [40, 'warn', 'init-tree', /kind node/],
        [45, 'warn', 'unscoped-enforcement', /where the filters match/],
        [45, 'error', 'override-multi', /disable-kprobe-multi/],
        [47, 'warn', 'override-and-kill', /Keep Override/],
      ],
      'examples/other/file-block-kubectl-exec-access.yaml',
    ],
    ['kubectl-list', [[10, 'error', 'syscall-flag', /Add syscall: false/]], 'kubectl get tracingpolicies -o yaml'],
    [
      'relative-among-absolute',
      [
        [61, 'warn', 'linked-path', /\/usr\/lib64/],
        [103, 'warn', 'relative-path', /^"\.bashrc" and 9 more values are not absolute paths/],
        [128, 'warn', 'linked-path', /\/usr\/lib64/],
        [164, 'warn', 'linked-path', /\/usr\/lib64/],
      ],
      'examples/quickstart/file_monitoring.yaml',
    ],
    ['return-argument-unused', [[12, 'warn', 'return-argument', /Add return: true/]], 'generickprobe.go#L880'],
    [
      'placeholder',
      [
        [18, 'error', 'template', /^"\$\{PODCIDR\}" is a placeholder\. .*envsubst/],
        [19, 'error', 'template', /^"\$\{SERVICECIDR\}" is a placeholder/],
      ],
      'examples/policylibrary/egress.yaml',
    ],
    ['helm-template', [[1, 'error', 'template', /^The file is a template.*helm template/]], ''],
    [
      'suggestions',
      [
        [7, 'error', 'schema', /no field spec\.dns\. Use one of/],
        [15, 'error', 'schema', /Did you mean sizeArgIndex\?/],
        [24, 'error', 'argument-unknown', /\{index: 1, type: file\}/],
      ],
      '',
    ],
    [
      'name-number',
      [
        [4, 'error', 'schema', /^metadata\.name is 123\. Write text, in quotes/],
        [5, 'error', 'no-hook', /Add spec\.kprobes/],
      ],
      '',
    ],
    [
      'symlink-override',
      [
        [23, 'warn', 'path-by-name', /Hook security_path_symlink or security_inode_symlink$/],
        [28, 'warn', 'unscoped-enforcement', /where the filters match/],
        [28, 'warn', 'override-syscall', /Hook security_path_symlink or security_inode_symlink instead/],
      ],
      'examples/tracingpolicy/symlink-override.yaml',
    ],
    [
      'dns-servers',
      [[51, 'warn', 'unscoped-enforcement', /every process on the machine/]],
      'examples/tracingpolicy/dns-only-specified-servers.yaml',
    ],
    [
      'a01-uprobe-namespaced-kill',
      [[7, 'error', 'uprobe-scope', /no effect on uprobes.*\/bin\/bash/]],
      'cilium/tetragon#5347',
    ],
    [
      'a02-uprobe-podselector',
      [[6, 'error', 'uprobe-scope', /no effect on uprobes.*\/bin\/bash/]],
      'cilium/tetragon#5347',
    ],
  ])('%s', (file, expected) => {
    const findings = lintTrial(file)
    expect(findings.map(({ line, level, rule }) => [line, level, rule])).toEqual(
      expected.map(([line, level, rule]) => [line, level, rule]),
    )
    for (const [index, [, , , says]] of expected.entries())
      expect(`${findings[index]!.message}. ${findings[index]!.fix}`).toMatch(says)
  })

  test('a system call without a security_ function gets no advice to hook one', () => {
    const unshare = readTestPolicy('trials/symlink-override.yaml').replace('sys_symlinkat', 'sys_unshare')
    const fixes = lintPolicy(unshare, 'x').map(({ rule, fix }) => `${rule}: ${fix}`)
    expect(fixes).toContain('override-syscall: Use Sigkill, or only observe: the call passes no security_ function')
  })
})
