import { type Settings, setCommand } from '../../../shared/settings/schema.ts'
import { featureWords } from '../../kernel/feature-words.ts'
import type { Feature } from '../../kernel/features.ts'
import { type DoctorCheck, fail, ok, warn } from '../doctor-check.ts'
import { costOf, type TeachingMaterial } from '../exercise-impact.ts'
import type { Facts } from '../facts/facts.ts'
import { mendFeature, mendLack, mendLsm, type Place } from '../kernel-fixes.ts'

/** What a kernel may offer beyond running Tetragon at all, in the order of what it is worth. */
const extras: readonly Feature[] = ['sigkill', 'overrideSecurity', 'override', 'lsm', 'kprobeMulti', 'uprobes']

/** The kernel under the engine: whether Tetragon runs on it, and what each thing that it lacks costs. */
export function kernel(settings: Settings, facts: Facts, lessons?: TeachingMaterial): DoctorCheck[] {
  const { asked, source } = facts.kernel
  const first = verdict(settings, facts, lessons)
  if (asked === 'nobody' || settings.tetragon.source === 'replay') return [first]
  return [first, ...lockdown(facts), ...(source === 'live' ? lacking(facts, lessons) : [])]
}

function verdict({ tetragon }: Settings, facts: Facts, lessons?: TeachingMaterial): DoctorCheck {
  const { source, why, features, asked, lack, kernel } = facts.kernel
  const title = 'Kernel'
  if (source === 'replay' && tetragon.source === 'live' && asked !== 'nobody')
    return fail('kernel', title, {
      found: `${why}, but tetragon.source is live`,
      expected: 'a kernel with BTF and kprobes, or another source',
      next: setCommand('tetragon.source', 'auto'),
    })
  if (tetragon.source === 'replay') return ok('kernel', title, `${why}; a recording is replayed, as set`)
  if (asked === 'nobody') return ok('kernel', title, `${why}; \`lab up\` asks it`)
  if (source === 'replay') {
    const cost = lessons && costOf(['sigkill', 'overrideSecurity', 'override', 'lsm'], lessons)
    return warn('kernel', title, {
      found: `${why}; a recording is replayed in its place${cost ? `, which costs ${cost}` : ''}`,
      expected: 'a kernel with BTF and kprobes, for live events and enforcement',
      next: mendLack(lack, placeOf(facts)),
    })
  }
  if (!features.hostPids)
    return warn('kernel', title, {
      found: why,
      expected: "the machine's own process numbers",
      next: 'nothing; start pods anew when their events have no name',
    })
  const mount = kernel?.tracefs === 'unmounted' ? '; tracefs is not mounted, which the agent does by itself' : ''
  return ok('kernel', title, `${why}${mount}`)
}

function lockdown({ kernel: { kernel, lack } }: Facts): DoctorCheck[] {
  const mode = kernel?.lockdown
  // Confidentiality is the verdict's own business
  if (mode === undefined || lack === 'lockdown') return []
  return [ok('kernel-lockdown', 'Lockdown', mode === 'none' ? 'none' : `${mode}, with which Tetragon runs`)]
}

/** A row for each thing that is missing and missed, and one for all that is there. */
function lacking(facts: Facts, lessons?: TeachingMaterial): DoctorCheck[] {
  const { features, kernel } = facts.kernel
  const there = extras.filter(feature => features[feature])
  const missing = extras.filter(feature => !features[feature])
  const missed = missing.flatMap(feature => {
    const cost = lessons ? costOf([feature], lessons) : ''
    if (cost === '') return []
    const place = placeOf(facts)
    const modules = kernel?.lsm
    return [
      warn(`kernel-${feature}`, 'Kernel lacks', {
        found: `${featureWords[feature]}, which costs ${cost}`,
        expected: 'a kernel that has it; all else works',
        next: feature === 'lsm' && modules ? mendLsm(modules, place) : mendFeature(place),
      }),
    ]
  })
  const without = missing.filter(feature => !missed.some(({ id }) => id === `kernel-${feature}`))
  const list = (some: readonly Feature[]): string =>
    some.map(feature => shortWords[feature]).join(', ') || 'nothing more'
  const unused = without.length > 0 ? `; not, and here nothing needs it: ${list(without)}` : ''
  return [...missed, ok('kernel-features', 'Kernel has', `${list(there)}${unused}`)]
}

const shortWords: Record<Feature, string> = {
  btf: 'BTF',
  kprobes: 'kprobes',
  kprobeMulti: 'kprobe_multi',
  sigkill: 'Sigkill',
  override: 'Override of system calls',
  overrideSecurity: 'Override of security_ functions',
  lsm: 'BPF LSM',
  uprobes: 'uprobes',
  hostPids: 'process numbers',
}

/** Where the kernel runs; where no engine answers, it is this machine's. */
function placeOf({ engine, wsl, os, osName }: Facts): Place {
  if (!('problem' in engine)) return engine
  return { product: 'Docker Engine', endpoint: '', wsl, local: os === 'linux', system: osName }
}
