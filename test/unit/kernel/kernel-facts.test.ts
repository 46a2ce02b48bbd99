import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { release } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseProbe } from '../../../scripts/kernel/kernel-facts.ts'
import { probeScript } from '../../../scripts/kernel/probe-target.ts'
import { newFolder } from '../support/folders.ts'
import { debian } from './probes.ts'

test('reads the state of tracefs', () => {
  expect(parseProbe(`${debian}tracefs=unmounted\n`).tracefs).toBe('unmounted')
  expect(parseProbe(debian).tracefs).toBeUndefined()
})

test.runIf(process.platform === 'linux').each([
  ['24, as before Linux 7.1', [0x9f, 0xeb, 1, 0, 24, 0, 0, 0], 24],
  ['32, as from Linux 7.1 on', [0x9f, 0xeb, 1, 0, 32, 0, 0, 0], 32],
  ['more than one byte, little-endian', [0x9f, 0xeb, 1, 0, 1, 2, 0, 0], 513],
  ['unknown without BTF', [], undefined],
])('the length of the BTF header is %s', (_, bytes, expected) => {
  const file = join(newFolder(), 'vmlinux')
  writeFileSync(file, Uint8Array.from(bytes))
  const script = readFileSync(probeScript, 'utf8').replaceAll('/sys/kernel/btf/vmlinux', file)
  const probe = execFileSync('sh', ['-s'], { encoding: 'utf8', input: script })
  expect(parseProbe(probe).btfHeaderBytes).toBe(expected)
})

test.runIf(process.platform === 'linux')('reads every key that probe.sh prints on this machine', () => {
  const probe = execFileSync('sh', [probeScript], { encoding: 'utf8' })
  expect(parseProbe(probe).release).toBe(release())
  expect(probe.split('\n').filter(line => line !== '' && !/^\w+=/.test(line))).toEqual([])
  for (const key of [
    'arch',
    'pid_namespace',
    'btf_bytes',
    'btf_header_bytes',
    'kprobe_pmu',
    'uprobe_pmu',
    'tracefs',
    'symbols',
    'lsm',
    'lockdown',
    'error_injection',
    'cgroup',
  ])
    expect(probe).toMatch(new RegExp(`^${key}=`, 'm'))
})
