import { describe, expect, test } from 'vitest'
import { kernelFix, kernelOptionFix, lsmFix } from '../../../scripts/doctor/kernel-fixes.ts'
import { recordedEngine } from '../support/docker-info.ts'

describe('a kernel without type information is replaced by a newer one from its provider', () => {
  test.each([
    ['docker-engine-ubuntu', 'sudo apt install linux-image-generic, then reboot into it'],
    ['docker-engine-wsl2', 'on Windows: wsl --update, then wsl --shutdown'],
    ['docker-desktop-wsl2', 'on Windows: wsl --update, then wsl --shutdown'],
    [
      'orbstack',
      'update OrbStack; if the kernel stays the same: colima start --cpu 4 --memory 8 && docker context use colima',
    ],
    ['podman-rootless-socket', 'sudo dnf install kernel, then reboot into it'],
  ])('%s', (name, next) => expect(kernelFix('btf', recordedEngine(name))).toBe(next))
})

describe('adds BPF to the security modules and keeps the others', () => {
  const lsm = ['lockdown', 'capability', 'landlock', 'yama', 'apparmor']
  const ubuntu = recordedEngine('docker-engine-ubuntu')

  test('with GRUB on Ubuntu', () =>
    expect(lsmFix(lsm, ubuntu)).toBe(
      `echo 'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX lsm=lockdown,landlock,yama,apparmor,bpf"' | sudo tee -a /etc/default/grub && sudo update-grub, then reboot`,
    ))
  test('with grubby on Fedora', () =>
    expect(lsmFix(lsm, { ...ubuntu, system: 'Fedora Linux 42' })).toBe(
      "sudo grubby --update-kernel=ALL --args='lsm=lockdown,landlock,yama,apparmor,bpf', then reboot",
    ))
  test('inside the VM of Colima', () =>
    expect(lsmFix(lsm, recordedEngine('colima'))).toMatch(/^colima ssh, then inside: echo .*; then colima restart$/))
  test('with another engine where Docker Desktop fixes the options', () =>
    expect(lsmFix(lsm, recordedEngine('docker-desktop-mac'))).toMatch(
      /^use an engine whose kernel accepts lsm=\S+,bpf: colima start/,
    ))
})

test('lowers lockdown to integrity', () =>
  expect(kernelFix('lockdown', recordedEngine('docker-engine-ubuntu'))).toMatch(/^sudo sed -i .*lockdown=integrity/))

test('names the Tetragon that reads the BTF of Linux 7.1', () =>
  expect(kernelFix('btfHeader', recordedEngine('docker-engine-ubuntu'))).toBe(
    'boot Linux 7.0 or older, or pin Tetragon 1.8.0 or newer: ./lab up --lock FILE',
  ))

test('leaves a rootless engine for the default one', () =>
  expect(kernelFix('rootless', recordedEngine('docker-engine-rootless'))).toBe(
    'docker context use default; unset DOCKER_HOST',
  ))

test('sets a kernel option in .wslconfig under WSL', () =>
  expect(kernelOptionFix('x=1', recordedEngine('docker-engine-wsl2'))).toMatch(
    /^on Windows: add kernelCommandLine=x=1/,
  ))
