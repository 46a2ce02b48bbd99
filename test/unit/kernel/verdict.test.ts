import { describe, expect, test } from 'vitest'
import { parseProbe } from '../../../scripts/kernel/kernel-facts.ts'
import { kernelVerdict } from '../../../scripts/kernel/verdict.ts'
import { readLock } from '../../../shared/lock.ts'
import { arch, debian, devContainer, dockerDesktop, microVm, ubuntu, withValue, wsl } from './probes.ts'

const judge = (probe: string, rootless = false, tetragon = 'v1.7.0') =>
  kernelVerdict(parseProbe(probe, rootless), tetragon)
const pinned = readLock().images.tetragon.tag

describe('runs Tetragon', () => {
  test('on Debian 12, with the features that `tetra probe` reports there', () => {
    expect(judge(debian)).toEqual({
      source: 'live',
      why: 'Linux 6.1.0-28-cloud-amd64 can run Tetragon',
      features: {
        btf: true,
        kprobes: true,
        kprobeMulti: false,
        sigkill: true,
        override: false,
        overrideSecurity: true,
        lsm: true,
        uprobes: false,
        hostPids: true,
      },
    })
  })

  test('on Ubuntu 24.04, probed without root', () => {
    const { source, features } = judge(ubuntu)
    expect(source).toBe('live')
    expect(features).toMatchObject({ kprobeMulti: true, override: true, overrideSecurity: true, lsm: false })
  })

  test('on WSL 2, without override of system calls and without names for earlier processes', () => {
    const { source, why, features } = judge(wsl)
    expect(source).toBe('live')
    expect(why).toContain('a PID namespace of its own')
    expect(features).toMatchObject({
      sigkill: true,
      override: false,
      overrideSecurity: true,
      kprobeMulti: false,
      lsm: false,
      hostPids: false,
    })
  })

  test('on Linux 7.1 and newer, from Tetragon 1.8.0 on', () => {
    for (const tag of ['v1.8.0', 'v1.10.2', '2.0.0']) expect(judge(arch, false, tag)).toMatchObject({ source: 'live' })
  })

  test('on Docker Desktop with Apple silicon', () => {
    expect(judge(dockerDesktop)).toMatchObject({
      source: 'live',
      features: { override: true, overrideSecurity: true, lsm: false },
    })
  })

  test('on a kernel that shows an ordinary user almost nothing', () => {
    const hidden = ['symbols', 'lsm', 'lockdown', 'error_injection', 'kprobe_events'].reduce(
      (probe, key) => withValue(probe, key, 'unknown'),
      debian.replace(/^CONFIG_.*\n/gm, ''),
    )
    const { source, features } = judge(hidden)
    expect(source).toBe('live')
    expect(features).toMatchObject({ sigkill: true, override: false, overrideSecurity: false, lsm: false })
  })
})

describe('replays the recording', () => {
  test('on a micro-VM with BTF and without kprobes', () => {
    expect(judge(microVm)).toEqual({
      source: 'replay',
      blocker: 'kprobes',
      why: 'Linux 6.18.44 cannot run Tetragon: it cannot attach kprobes (CONFIG_KPROBE_EVENTS)',
      features: {
        btf: true,
        kprobes: false,
        kprobeMulti: false,
        sigkill: false,
        override: false,
        overrideSecurity: false,
        lsm: false,
        uprobes: false,
        hostPids: true,
      },
    })
  })

  test.each([
    ['btf_bytes', '', /no BPF type information/],
    ['lockdown', 'confidentiality', /lockdown mode is confidentiality/],
    ['symbols', 'acct_process fd_install', /no security hooks/],
    ['symbols', 'security_bprm_committing_creds fd_install', /when a process exits/],
    ['CONFIG_SECURITY', 'n', /no security hooks/],
    ['CONFIG_BPF_EVENTS', 'n', /BPF is disabled/],
  ])('when the probe reports %s=%s', (key, value, why) => {
    const verdict = judge(withValue(debian, key, value))
    expect(verdict.source).toBe('replay')
    expect(verdict.why).toMatch(why)
    expect(verdict.features).toMatchObject({ kprobes: false, sigkill: false, overrideSecurity: false, lsm: false })
  })

  test('without a tracing file system', () => {
    expect(judge(`${debian}tracefs=none\n`)).toMatchObject({ source: 'replay', blocker: 'tracefs' })
  })

  test('on Linux 7.1 and newer, whose BTF header the pinned Tetragon rejects', () => {
    expect(judge(arch, false, pinned)).toMatchObject({
      source: 'replay',
      blocker: 'btfHeader',
      why: `Linux 7.2.6-arch1-1 cannot run Tetragon ${pinned.slice(1)}: its BPF type information has the format of Linux 7.1, which only Tetragon 1.8.0 and newer can read`,
      features: { kprobes: false, sigkill: false, hostPids: true },
    })
    expect(judge(arch, false, 'v1.7.1').blocker).toBe('btfHeader')
  })

  test('where Docker runs in a container, although the kernel has every feature', () => {
    const { source, blocker, why, features } = judge(devContainer)
    expect({ source, blocker }).toEqual({ source: 'replay', blocker: 'container' })
    expect(why).toBe(
      'Docker runs in a container, so its /proc is not that of the machine: Tetragon on Linux 6.8.0-60-generic would name the wrong processes',
    )
    expect(features).toMatchObject({ kprobes: true, sigkill: true, hostPids: false })
    // A container that shares the machine's processes sees the right ones.
    expect(judge(`${ubuntu}container=yes\n`).source).toBe('live')
    // Nothing runs at all on a kernel that lacks more.
    expect(judge(withValue(devContainer, 'btf_bytes', '')).blocker).toBe('btf')
  })

  test('on any kernel when Docker runs rootless', () => {
    expect(judge(debian, true)).toMatchObject({ source: 'replay', why: expect.stringMatching(/rootless/) })
  })
})
