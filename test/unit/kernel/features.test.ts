import { expect, test } from 'vitest'
import { atLeast, supportedFeatures } from '../../../scripts/kernel/features.ts'
import { parseProbe } from '../../../scripts/kernel/kernel-facts.ts'
import { debian, withValue } from './probes.ts'

const featuresOf = (probe: string) => supportedFeatures(parseProbe(probe))

test('finds kprobes by tracefs on kernels before 4.17', () => {
  const rhel = withValue(withValue(debian, 'release', '4.18.0-553.el8.x86_64'), 'kprobe_pmu', 'no')
  expect(featuresOf(rhel)).toMatchObject({ kprobes: true, sigkill: false, overrideSecurity: false })
})

test('counts on trampolines from Linux 6.0 on arm64', () => {
  const arm = withValue(debian, 'arch', 'aarch64')
  expect(featuresOf(withValue(arm, 'release', '5.15.0'))).toMatchObject({
    overrideSecurity: false,
    lsm: false,
    sigkill: true,
  })
  expect(featuresOf(arm)).toMatchObject({ overrideSecurity: true, lsm: true })
})

test('has uprobes only where the probe saw them', () => {
  expect(featuresOf(debian).uprobes).toBe(false)
  expect(featuresOf(`${debian}uprobe_pmu=yes\n`).uprobes).toBe(true)
})

test('compares releases as numbers', () => {
  expect(atLeast('5.10.0', [5, 7])).toBe(true)
  expect(atLeast('6.1.0-28-cloud-amd64', [5, 18])).toBe(true)
  expect(atLeast('5.4.0', [5, 7])).toBe(false)
  expect(atLeast('not a kernel', [4, 0])).toBe(false)
})
