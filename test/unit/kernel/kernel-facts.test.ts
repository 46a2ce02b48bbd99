import { execFileSync } from 'node:child_process'
import { release } from 'node:os'
import { expect, test } from 'vitest'
import { parseProbe } from '../../../scripts/kernel/kernel-facts.ts'
import { probeScript } from '../../../scripts/kernel/probe-target.ts'
import { debian } from './probes.ts'

test('reads the state of tracefs', () => {
  expect(parseProbe(`${debian}tracefs=unmounted\n`).tracefs).toBe('unmounted')
  expect(parseProbe(debian).tracefs).toBeUndefined()
})

test.runIf(process.platform === 'linux')('reads every key that probe.sh prints on this machine', () => {
  const probe = execFileSync('sh', [probeScript], { encoding: 'utf8' })
  expect(parseProbe(probe).release).toBe(release())
  expect(probe.split('\n').filter(line => line !== '' && !/^\w+=/.test(line))).toEqual([])
  for (const key of [
    'arch',
    'pid_namespace',
    'btf_bytes',
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
