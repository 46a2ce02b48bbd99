import type { TeachingMaterial } from '../../../scripts/doctor/exercise-impact.ts'
import type { Exercise } from '../../../scripts/exercise/definition/exercises.ts'
import type { Needs } from '../../../scripts/exercise/definition/schema.ts'
import type { Decision } from '../../../scripts/kernel/decision.ts'
import { type Features, featureNames, noFeatures } from '../../../scripts/kernel/features.ts'
import type { CatalogEntry } from '../../../scripts/policy/catalog.ts'

// A few exercises and policies, and decisions about different kernels.

const needs = (some: Partial<Needs> = {}): Needs => ({ source: 'any', features: [], settings: {}, ...some })
const exercise = (name: string, of: Needs, ...tasks: (Needs | undefined)[]): Exercise =>
  ({
    name,
    title: name,
    track: 'stop',
    needs: of,
    tasks: tasks.map((each, index) => ({ id: `t${index}`, needs: each })),
  }) as Exercise

export const material: TeachingMaterial = {
  exercises: [
    exercise('04-find-the-reader', needs(), undefined, undefined),
    exercise(
      '08-refuse-or-kill',
      needs(),
      ...Array<undefined>(5).fill(undefined),
      needs({ source: 'live', features: ['sigkill', 'overrideSecurity'] }),
      needs({ source: 'live', features: ['sigkill'] }),
      needs({ source: 'live', features: ['overrideSecurity'] }),
    ),
    exercise('13-nothing-is-lost', needs({ settings: { 'pipeline.shipper': 'otel' } }), undefined),
    exercise('16-a-second-copy', needs({ settings: { 'pipeline.shipper': 'otel' } }), undefined),
  ],
  policies: (
    [
      ['deny-shadow', ['kprobes', 'overrideSecurity']],
      ['deny-shadow-monitor', ['kprobes', 'overrideSecurity']],
      ['deny-shadow-lsm', ['lsm']],
      ['deny-wget', ['kprobes', 'overrideSecurity']],
      ['kill-wget', ['kprobes', 'sigkill']],
      ['observe-wget', ['kprobes']],
      ['tcp-connect', ['kprobes']],
    ] as const
  ).map(([name, features]) => ({ name, features: [...features] }) as unknown as CatalogEntry),
}

const allFeatures = Object.fromEntries(featureNames.map(name => [name, true])) as unknown as Features

/** Returns the decision for a kernel that runs Tetragon. */
export const live = (features: Partial<Features> = {}, kernel: Partial<Decision['kernel']> = {}): Decision => ({
  source: 'live',
  why: 'Linux 6.8.0 can run Tetragon',
  probed: 'this machine',
  features: { ...allFeatures, ...features },
  kernel: {
    release: '6.8.0',
    lockdown: 'none',
    lsm: ['lockdown', 'capability', 'yama'],
    tracefs: 'mounted',
    ...kernel,
  },
})

export const replay: Decision = {
  source: 'replay',
  blocker: 'btf',
  why: 'Linux 6.8.0 cannot run Tetragon: it has no BPF type information (CONFIG_DEBUG_INFO_BTF)',
  probed: 'engine',
  features: noFeatures,
}

export const notProbed: Decision = {
  source: 'replay',
  why: 'The kernel was not probed: no image',
  probed: 'none',
  features: noFeatures,
}
