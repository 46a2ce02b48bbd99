import { describe, expect, test } from 'vitest'
import { lintPolicy } from '../../../../scripts/policy/lint/lint.ts'
import type { Kernel } from '../../../../scripts/policy/lint/rule.ts'
import { summarize } from '../../support/policies.ts'

// Cases beside the trial policies: the same class of mistake in other places, and what must not be reported.

const head = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicyNamespaced
metadata: { name: example, namespace: application }
`

/** Returns the findings of a policy for one app. The spec is in flow style, from line 4. */
const lint = (spec: string, kernel?: Kernel): string[] =>
  summarize(
    lintPolicy(`${head}spec: { podSelector: { matchLabels: { app: visitor } }, ${spec} }\n`, 'x', { kernel }),
  ).map(finding => finding.replace(/^4 /, ''))

const kprobe = (rest: string): string => `kprobes: [{ tags: [severity.info], ${rest} }]`
const tracepoint = (rest: string): string => `tracepoints: [{ tags: [severity.info], ${rest} }]`
const fileOpen = 'call: security_file_open, syscall: false, args: [{ index: 0, type: file }]'
const chroot = 'call: security_path_chroot, syscall: false'
const selector = (text: string): string => `selectors: [{ ${text} }]`

describe('an action without an effect', () => {
  const enter = 'subsystem: syscalls, event: sys_enter_chroot'
  test.each<[where: string, spec: string, found: string[]]>([
    [
      'Override at a tracepoint',
      tracepoint(`${enter}, ${selector('matchActions: [{ action: Override, argError: -1 }]')}`),
      ['error action-place'],
    ],
    [
      'Override at a usdt',
      `usdts: [{ tags: [severity.info], path: /usr/bin/x, provider: libx, name: start, ${selector('matchActions: [{ action: Override, argError: -1 }]')} }]`,
      ['error uprobe-scope', 'error action-place'],
    ],
    ['Sigkill at a tracepoint', tracepoint(`${enter}, ${selector('matchActions: [{ action: Sigkill }]')}`), []],
    [
      'Override when the function returns',
      kprobe(
        `call: sys_chroot, syscall: true, return: true, returnArg: { index: 0, type: int }, ${selector('matchReturnActions: [{ action: Override, argError: -1 }]')}`,
      ),
      ['warn override-syscall', 'error action-place'],
    ],
    [
      'Set at a kprobe',
      kprobe(`${chroot}, ${selector('matchActions: [{ action: Set, argIndex: 0, argValue: 1 }]')}`),
      ['error action-place'],
    ],
    [
      'an enforcing action at a fentry',
      `fentries: [{ tags: [severity.info], ${chroot}, ${selector('matchActions: [{ action: Signal, argSig: 9 }]')} }]`,
      ['error fentry-action'],
    ],
  ])('is reported for %s', (_where, spec, found) => {
    expect(lint(spec).sort()).toEqual([...found].sort())
  })
})

describe('the index of a tracepoint', () => {
  const execve = 'subsystem: syscalls, event: sys_enter_execve'
  const compare = (index: number, value: string): string =>
    selector(`matchArgs: [{ index: ${index}, operator: Equal, values: ["${value}"] }]`)
  test.each<[spec: string, found: string[]]>([
    [`${execve}, args: [{ index: 5, type: string }]`, []],
    // The process id is a field of every tracepoint, and worth reading.
    [`${execve}, args: [{ index: 3, type: int }], ${compare(3, '7')}`, []],
    [`${execve}, args: [{ index: 0, type: int }], ${compare(0, '7')}`, ['error tracepoint-field']],
    [`${execve}, args: [{ index: 4, type: string }]`, ['warn tracepoint-field']],
    [`${execve}, args: [{ index: 8, type: uint64 }]`, ['error tracepoint-field']],
    [`${execve}, args: [{ index: 5, type: auto }]`, ['error tracepoint-field']],
    [`${execve}, args: [{ index: 4, type: auto }]`, []],
    ['subsystem: syscalls, event: sys_enter_fchmodat, args: [{ index: 7, type: auto }]', ['error tracepoint-field']],
    ['subsystem: sched, event: sched_process_exec, args: [{ index: 4, type: auto }]', ['warn tracepoint-field']],
    ['subsystem: sched, event: sched_process_exec, args: [{ index: 4, type: data_loc }]', []],
    ['subsystem: sched, event: sched_process_exec, args: [{ index: 99, type: int }]', ['warn tracepoint-field']],
    [
      'subsystem: sched, event: sched_process_exec, raw: true, args: [{ index: 6, type: int }]',
      ['error tracepoint-field'],
    ],
    // The size of a buffer is read although it is not listed: 5 fields are 6.
    [
      'subsystem: syscalls, event: sys_enter_sendto, args: [{ index: 5, type: int }, { index: 6, type: char_buf, sizeArgIndex: 8 }, { index: 8, type: uint64 }, { index: 9, type: uint64 }, { index: 10, type: uint64 }]',
      ['error argument-count'],
    ],
  ])('%s has the findings %j', (spec, found) => {
    expect(lint(tracepoint(spec))).toEqual(found)
  })
})

describe('an argument', () => {
  test.each<[spec: string, found: string[]]>([
    ['call: fd_install, syscall: false, args: [{ index: 0, type: file }]', ['warn argument-mismatch']],
    ['call: fd_install, syscall: false, args: [{ index: 0, type: int }, { index: 1, type: file }]', []],
    ['call: sys_openat, syscall: true, args: [{ index: 0, type: string }]', ['warn argument-mismatch']],
    [
      'call: sys_write, syscall: true, args: [{ index: 1, type: char_buf, sizeArgIndex: 3 }, { index: 2, type: int }]',
      [],
    ],
    // A path through structs says itself what it reads.
    ['call: security_bprm_check, syscall: false, args: [{ index: 0, type: file, resolve: file }]', []],
    ['call: sys_openat, syscall: true, args: [{ index: 1, type: string, resolve: comm }]', ['error resolve-path']],
    ['call: tcp_connect, syscall: false, args: [{ index: 0, type: int, resolve: a..b }]', ['error resolve-path']],
    [
      'call: tcp_connect, syscall: false, args: [{ index: 0, type: int, resolve: a.b.c.d.e.f.g.h.i.j.k }]',
      ['error resolve-path', 'warn resolve-path'],
    ],
    [`${chroot}, data: [{ index: 0, type: uint64, source: pt_regs, resolve: rdi }]`, []],
    [`${chroot}, data: [{ index: 0, type: uint64, source: pt_regs, resolve: x0 }]`, []],
    [`${chroot}, data: [{ index: 0, type: uint64, source: task, resolve: pid }]`, ['error data-source']],
  ])('in %s has the findings %j', (spec, found) => {
    const isHot = (finding: string): boolean => finding.endsWith('hot-hook')
    expect(lint(kprobe(spec)).filter(finding => !isHot(finding))).toEqual(found)
  })

  test('can be a register of the architecture', () => {
    const spec = kprobe(`${chroot}, data: [{ index: 0, type: uint64, source: pt_regs, resolve: x0 }]`)
    expect(lint(spec, { arch: 'aarch64' })).toEqual([])
    expect(lint(spec, { arch: 'x86_64' })).toEqual(['error data-source'])
  })

  test('of an LSM hook is compared with that of the BPF LSM function', () => {
    const hook = (type: string): string =>
      `lsmhooks: [{ tags: [severity.info], hook: bprm_check_security, args: [{ index: 0, type: ${type} }] }]`
    expect(lint(hook('linux_binprm'))).toEqual([])
    expect(lint(hook('file'))).toEqual(['warn argument-mismatch'])
  })
})

describe('a uprobe', () => {
  const uprobe = (rest: string): string[] =>
    summarize(
      lintPolicy(
        `${head.replace('Namespaced', '').replace(', namespace: application', '')}spec: { uprobes: [{ tags: [severity.info], path: /usr/bin/x, ${rest} }] }\n`,
        'x',
      ),
    ).map(finding => finding.replace(/^4 /, ''))

  test.each<[spec: string, found: string[]]>([
    ['symbols: [main]', []],
    ['symbols: [main], offsets: [16]', ['warn uprobe-target']],
    ['addrs: [16], refCtrOffsets: [1, 2]', []],
    ['symbols: [main], args: [{ index: 0, type: string }]', []],
    ['symbols: [main], args: [{ index: 0, type: string }, { index: 1, type: string }]', ['error argument-count']],
    ['symbols: [main], args: [{ index: 0, type: int, btfType: s, resolve: a.b }]', ['error resolve-path']],
  ])('with {%s} has the findings %j', (spec, found) => {
    expect(uprobe(spec)).toEqual(found)
  })
})

describe('a wildcard', () => {
  const open = (filter: string): string => kprobe(`${fileOpen}, ${selector(`matchArgs: [{ index: 0, ${filter} }]`)}`)
  test.each<[filter: string, found: string[]]>([
    ['operator: Equal, values: ["/srv/*.key"]', ['error wildcard']],
    ['operator: Prefix, values: ["/srv/*", /opt/]', ['warn wildcard']],
    ['operator: NotEqual, values: ["/srv/*"]', ['warn wildcard']],
    ['operator: Postfix, values: ["*.key"]', ['error wildcard']],
    ['operator: Equal, values: ["/srv/[ab].key"]', ['error wildcard']],
    ['operator: Equal, values: [/srv/a.key]', []],
  ])('in {%s} has the findings %j', (filter, found) => {
    expect(lint(open(filter))).toEqual(found)
  })

  test('in matchBinaries is an error, too', () => {
    expect(
      lint(kprobe(`${chroot}, ${selector('matchBinaries: [{ operator: In, values: ["/opt/app/bin/*"] }]')}`)),
    ).toEqual(['error wildcard'])
  })
})

describe('a filter without values', () => {
  test('lets a kill hit every program if it is on binaries', () => {
    const filter = (actions: string): string =>
      kprobe(`${chroot}, ${selector(`matchBinaries: [{ operator: In, values: [] }]${actions}`)}`)
    expect(lint(filter(''))).toEqual(['warn no-values'])
    expect(lint(filter(', matchActions: [{ action: Sigkill }]'))).toEqual(['error no-values'])
  })

  test('does not make later selectors reachable', () => {
    const spec = kprobe(
      `${chroot}, selectors: [{ matchBinaries: [{ operator: In, values: [] }] }, { matchBinaries: [{ operator: In, values: [/opt/app] }] }]`,
    )
    expect(lint(spec)).toEqual(['error unreachable-selector', 'warn no-values'])
  })

  test('is right for an operator that needs none', () => {
    const spec = kprobe(
      `call: tcp_connect, syscall: false, args: [{ index: 0, type: sock }], ${selector('matchArgs: [{ index: 0, operator: DPortPriv }]')}`,
    )
    expect(lint(spec)).toEqual([])
  })
})

describe('a macro', () => {
  const macro = (text: string, uses: string): string =>
    `selectorsMacros: { mine: { ${text} } }, ${kprobe(`${fileOpen}, selectors: [${uses}]`)}`
  test('is checked like the selector that uses it, once', () => {
    expect(
      lint(
        macro(
          'matchArgs: [{ index: 1, operator: Prefix, values: [/srv/] }]',
          '{ macros: [mine] }, { macros: [mine], matchPIDs: [{ operator: In, values: [7] }] }',
        ),
      ),
    ).toEqual(['error argument-unknown'])
    expect(
      lint(
        macro(
          'matchArgs: [{ index: 0, operator: Prefix, values: [srv] }], matchActions: [{ action: Signal }]',
          '{ macros: [mine] }',
        ),
      ),
    ).toEqual(['error relative-path', 'error signal-number'])
  })

  test('cannot use other macros', () => {
    expect(lint(macro('macros: [other]', '{ macros: [mine] }'))).toContain('error macro-conflict')
  })
})

describe('a name with the prefix of an architecture', () => {
  const spec = kprobe('call: __x64_sys_chroot, syscall: true, args: [{ index: 0, type: string }]')
  test('is right on that architecture, and an error on the other', () => {
    expect(lint(spec)).toEqual(['warn arch-prefix'])
    expect(lint(spec, { arch: 'x86_64' })).toEqual([])
    expect(lint(spec, { arch: 'aarch64' })).toEqual(['error arch-prefix'])
  })

  test('is reported in a list', () => {
    const list = 'lists: [{ name: mine, type: syscalls, values: [arm64/sys_chroot] }]'
    expect(lint(`${list}, ${kprobe('call: "list:mine"')}`)).toEqual(['warn arch-prefix'])
  })
})

describe('a list of system calls', () => {
  const list = (type: string): string => `lists: [{ name: mine, type: ${type}, values: [sys_chroot] }]`
  const enter = (type: string): string =>
    tracepoint(
      `subsystem: raw_syscalls, event: sys_enter, args: [{ index: 4, type: ${type} }], ${selector('matchArgs: [{ index: 4, operator: InMap, values: ["list:mine"] }]')}`,
    )
  test('can be compared with a syscall64 in a tracepoint, and with nothing else', () => {
    expect(lint(`${list('syscalls')}, ${enter('syscall64')}`)).toEqual([])
    expect(lint(`${list('syscalls')}, ${enter('uint64')}`)).toEqual(['error list'])
    const probe = kprobe(
      `${chroot}, args: [{ index: 0, type: nop }], data: [{ index: 0, type: int, source: pt_regs, resolve: rax }], ${selector('matchData: [{ index: 0, operator: InMap, values: ["list:mine"] }]')}`,
    )
    expect(lint(`${list('syscalls')}, ${probe}`)).toEqual(['error list'])
  })
})

describe('a rate limit', () => {
  const limit = (hook: string, text: string): string =>
    kprobe(
      `${hook}, ${selector(`matchPIDs: [{ operator: In, values: [7] }], matchActions: [{ action: Post, ${text} }]`)}`,
    )
  test.each<[hook: string, text: string, found: string[]]>([
    [fileOpen, 'rateLimit: 1m, rateLimitScope: global', []],
    [fileOpen, 'rateLimit: 1m', ['warn rate-limit']],
    [
      'call: tcp_connect, syscall: false, args: [{ index: 0, type: sock }]',
      'rateLimit: 1m, rateLimitScope: global',
      ['warn rate-limit'],
    ],
  ])('on {%s} with {%s} has the findings %j', (hook, text, found) => {
    expect(lint(limit(hook, text))).toEqual(found)
  })
})

describe('SubString', () => {
  const spec = kprobe(
    `call: sys_execve, syscall: true, args: [{ index: 0, type: string }], ${selector('matchArgs: [{ index: 0, operator: SubString, values: [x] }]')}`,
  )
  test('depends on a function of the kernel', () => {
    expect(lint(spec)).toEqual(['warn substring'])
    expect(lint(spec, { symbols: new Set(['__x64_sys_execve', 'bpf_strnstr']) })).toEqual([])
    expect(lint(spec, { symbols: new Set(['__x64_sys_execve']) })).toEqual(['error substring'])
  })
})

describe('a function that newer kernels do not have', () => {
  const spec = (more: string): string =>
    kprobe(`call: kfree_skb_reason, syscall: false, ${selector('matchPIDs: [{ operator: In, values: [7] }]')}${more}`)
  test('is reported with its successor, unless the policy allows for it', () => {
    expect(lint(spec(''))).toEqual(['warn unknown-hook'])
    expect(lintPolicy(`${head}spec: { podSelector: {}, ${spec('')} }`, 'x')[0]?.fix).toMatch(/^Hook sk_skb_reason_drop/)
    expect(lint(spec(', ignore: { callNotFound: true }'))).toEqual([])
    expect(lint(spec(''), { symbols: new Set(['kfree_skb_reason']) })).toEqual([])
  })
})
