import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  kernelFileScript,
  kernelFileText,
  parseKernelFile,
  readKernelFile,
} from '../../../scripts/policy/kernel-file.ts'
import { lintPolicy } from '../../../scripts/policy/lint/lint.ts'
import { newFolder } from '../../unit/support/folders.ts'
import { policyWithHook } from '../../unit/support/policies.ts'

const probe = `release=6.6.0-mine
arch=aarch64
btf_bytes=5000000
kprobe_pmu=yes
uprobe_pmu=no
symbols= security_file_open register_ftrace_direct bpf_lsm_file_open
lsm=unknown
error_injection=unknown
`
const text = (tracepoints = 'syscalls/sys_enter_openat\nsched/sched_switch\n'): string =>
  `# Kernel names for lab policy lint --kernel, format 1
[syscalls]
openat
[lsm]
file_open
[functions]
security_file_open
tcp_connect
[tracepoints]
${tracepoints}[probe]
${probe}`

describe('a kernel file', () => {
  const kernel = parseKernelFile(text())!

  test('names the functions as /proc/kallsyms does, and system calls also without a prefix', () => {
    expect([...kernel.symbols!].sort()).toEqual([
      '__arm64_sys_openat',
      'bpf_lsm_file_open',
      'security_file_open',
      'sys_openat',
      'tcp_connect',
    ])
    expect([...kernel.tracepoints!]).toEqual(['syscalls/sys_enter_openat', 'sched/sched_switch'])
  })

  test('has the release and the architecture', () => {
    expect([kernel.release, kernel.arch]).toEqual(['6.6.0-mine', 'aarch64'])
  })

  test('has only the features that its probe saw', () => {
    expect(kernel).toMatchObject({ btf: true, kprobes: true, uprobes: false, overrideSecurity: true })
    // Without root, /sys/kernel/security is unreadable. That is no reason to report the LSM hooks.
    expect(kernel).not.toHaveProperty('lsm')
  })

  test('without kprobes says nothing about the actions on them', () => {
    const without = parseKernelFile(text().replace('kprobe_pmu=yes', 'kprobe_pmu=no\nkprobe_events=no'))!
    expect(without.kprobes).toBe(false)
    expect(without).not.toHaveProperty('sigkill')
    expect(without).not.toHaveProperty('override')
  })

  test('leaves out what is unknown', () => {
    const unknown = parseKernelFile(text('unknown: only root can read available_events\n'))!
    expect(unknown).not.toHaveProperty('tracepoints')
    expect(unknown.symbols!.size).toBeGreaterThan(0)
  })

  test('that was copied in part is refused, so that no name looks missing', () => {
    expect(parseKernelFile(text().slice(0, text().indexOf('[probe]')))).toBeUndefined()
    expect(parseKernelFile('')).toBeUndefined()
    expect(parseKernelFile(text().replace('format 1', 'format 2'))).toBeUndefined()
  })

  test('with Windows line ends is read too', () => {
    expect(parseKernelFile(text().replaceAll('\n', '\r\n'))).toEqual(kernel)
  })
})

describe('readKernelFile', () => {
  const folder = newFolder()
  const file = join(folder, 'kernel.txt')

  test('reports a file that does not exist', () => {
    expect(() => readKernelFile(file)).toThrow(
      expect.objectContaining({
        found: `The kernel file ${file} does not exist`,
        next: `./lab policy symbols > ${file}`,
      }),
    )
  })

  test('reports another file', () => {
    writeFileSync(file, 'ffffffff81000000 T vfs_read\n')
    expect(() => readKernelFile(file)).toThrow(expect.objectContaining({ found: `${file} is not a kernel file` }))
  })
})

describe('a policy for a kernel', () => {
  const kernel = parseKernelFile(text())!
  const errors = (policy: string): string[] =>
    lintPolicy(policy, 'x', { kernel })
      .filter(({ level }) => level === 'error')
      .map(({ message }) => message)

  test('must not hook a function that the kernel lacks', () => {
    expect(errors(policyWithHook('      call: tcp_connect\n      syscall: false\n'))).toEqual([])
    expect(errors(policyWithHook('      call: tcp_v4_connect\n      syscall: false\n'))).toEqual([
      'This kernel has no function tcp_v4_connect',
    ])
    expect(errors(policyWithHook('      call: sys_openat\n      syscall: true\n'))).toEqual([])
    expect(errors(policyWithHook('      call: sys_openat2\n      syscall: true\n'))).toEqual([
      'This kernel has no function sys_openat2',
    ])
  })

  test('must not hook a tracepoint that the kernel lacks', () => {
    const tracepoint = (name: string): string =>
      policyWithHook(`      subsystem: sched\n      event: ${name}\n`).replace('kprobes:', 'tracepoints:')
    expect(errors(tracepoint('sched_switch'))).toEqual([])
    expect(errors(tracepoint('sched_process_hang'))).toEqual(['This kernel has no tracepoint sched/sched_process_hang'])
  })
})

describe('lab policy symbols', () => {
  test('on another system says how to get the names from a node', async () => {
    await expect(kernelFileText('darwin')).rejects.toThrow(
      expect.objectContaining({ next: './lab policy symbols --script | ssh NODE sh > FILE' }),
    )
  })

  test.runIf(process.platform === 'linux')(
    'prints what --kernel reads, with the names or why they are unknown',
    async () => {
      const written = await kernelFileText()
      const kernel = parseKernelFile(written)!
      expect(kernel.release).toMatch(/^\d+\.\d+/)
      for (const section of ['syscalls', 'lsm', 'functions', 'tracepoints'])
        expect(written).toMatch(new RegExp(`^\\[${section}\\]\\n(unknown: .+|\\S+|\\[)`, 'm'))
      expect(kernel.symbols === undefined).toBe(written.includes('unknown: /proc/kallsyms'))
    },
  )

  test.runIf(process.platform === 'linux')('has a script that needs only a POSIX shell and no lab', () => {
    const { status, stdout } = spawnSync('sh', ['-s'], {
      input: kernelFileScript(),
      encoding: 'utf8',
      cwd: newFolder(),
      env: { PATH: '/usr/bin:/bin' },
      maxBuffer: 2 ** 26,
    })
    expect(status).toBe(0)
    expect(parseKernelFile(stdout)).toBeDefined()
  })
})
