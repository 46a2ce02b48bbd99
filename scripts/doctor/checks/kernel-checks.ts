import { setCommand } from '../../../shared/settings/config-commands.ts'
import type { Settings } from '../../../shared/settings/schema.ts'
import { type Feature, featureDescriptions } from '../../kernel/features.ts'
import type { Blocker } from '../../kernel/verdict.ts'
import { type DoctorCheck, fail, ok, warn } from '../doctor-check.ts'
import { missingFeatureImpact, type TeachingMaterial } from '../exercise-impact.ts'
import type { DoctorFacts } from '../facts/gather-facts.ts'
import { type KernelHost, kernelFix, lsmFix, newerKernelFix } from '../kernel-fixes.ts'

/** What a kernel may offer beyond running Tetragon at all, the most useful first. */
const optionalFeatures: readonly Feature[] = [
  'sigkill',
  'overrideSecurity',
  'override',
  'lsm',
  'kprobeMulti',
  'uprobes',
]
const enforcementFeatures: readonly Feature[] = ['sigkill', 'overrideSecurity', 'override', 'lsm']

/** Checks whether Tetragon runs on the kernel, and what each missing feature rules out. */
export function kernelChecks(settings: Settings, facts: DoctorFacts, material?: TeachingMaterial): DoctorCheck[] {
  const { probed, source } = facts.kernel
  const verdict = verdictCheck(settings, facts, material)
  if (probed === 'none' || settings.tetragon.source === 'replay') return [verdict]
  return [verdict, ...lockdownCheck(facts), ...(source === 'live' ? featureChecks(facts, material) : [])]
}

function verdictCheck(
  { tetragon }: Pick<Settings, 'tetragon'>,
  facts: DoctorFacts,
  material?: TeachingMaterial,
): DoctorCheck {
  const { source, why, features, probed, blocker, kernel } = facts.kernel
  const title = 'Kernel'
  if (blocker === 'container' && tetragon.source === 'live')
    return warn('kernel', title, {
      found: `${why}, and tetragon.source is live`,
      expected: 'an engine on the machine itself, or a replay',
      next: setCommand('tetragon.source', 'auto'),
    })
  if (source === 'replay' && tetragon.source === 'live' && probed !== 'none')
    return fail('kernel', title, {
      found: `${why}, but tetragon.source is live`,
      next: setCommand('tetragon.source', 'auto'),
    })
  if (tetragon.source === 'replay') return ok('kernel', title, `${why}; tetragon.source is set to replay`)
  // With an existing cluster, the reason names the node that `lab up` will probe.
  if (probed === 'none') return ok('kernel', title, /`lab up` probes/.test(why) ? why : `${why}; \`lab up\` probes it`)
  if (source === 'replay') {
    const impact = material && missingFeatureImpact(enforcementFeatures, material)
    return warn('kernel', title, {
      found: `${why}, so the lab replays a recording${impact ? `, which rules out ${impact}` : ''}`,
      expected: `${liveNeeds(blocker)}, for live events and enforcement`,
      next: onHost(facts, kernelFix(blocker, kernelHost(facts))),
    })
  }
  if (!features.hostPids)
    return warn('kernel', title, {
      found: why,
      expected: 'the PID namespace of the host',
      next: 'restart the pods whose events have no process name',
    })
  return ok('kernel', title, kernel?.tracefs === 'unmounted' ? `${why}; the agent mounts tracefs itself` : why)
}

const liveNeeds = (blocker: Blocker | undefined): string =>
  blocker === 'container'
    ? 'an engine on the machine itself'
    : blocker === 'btfHeader'
      ? 'a kernel that this Tetragon can read'
      : 'a kernel with BTF and kprobes'

function lockdownCheck({ kernel: { kernel, blocker } }: DoctorFacts): DoctorCheck[] {
  const mode = kernel?.lockdown
  // The verdict already reports a lockdown that keeps Tetragon from running.
  if (mode === undefined || blocker === 'lockdown') return []
  return [ok('kernel-lockdown', 'Lockdown', mode === 'none' ? 'none' : `${mode}, which Tetragon supports`)]
}

/** Returns a row for each missing feature that an exercise or policy needs, and one row for all the others. */
function featureChecks(facts: DoctorFacts, material?: TeachingMaterial): DoctorCheck[] {
  const { features } = facts.kernel
  const missing = optionalFeatures.filter(feature => !features[feature])
  const impacts = missing.map(feature => [feature, material ? missingFeatureImpact([feature], material) : ''] as const)
  const warnings = impacts
    .filter(([, impact]) => impact !== '')
    .map(([feature, impact]) =>
      warn(`kernel-${feature}`, 'Kernel feature', {
        found: `The kernel lacks ${featureDescriptions[feature]}, which rules out ${impact}`,
        next: featureFix(feature, facts),
      }),
    )
  const present = shortNames(optionalFeatures.filter(feature => features[feature]))
  const unused = shortNames(impacts.filter(([, impact]) => impact === '').map(([feature]) => feature))
  const found = `${present || 'none of the optional ones'}${unused && `; missing, but not needed here: ${unused}`}`
  return [...warnings, ok('kernel-features', 'Kernel features', found)]
}

function featureFix(feature: Feature, facts: DoctorFacts): string {
  const modules = facts.kernel.kernel?.lsm
  const host = kernelHost(facts)
  return onHost(facts, feature === 'lsm' && modules ? lsmFix(modules, host) : newerKernelFix(host))
}

const shortNames = (features: readonly Feature[]): string =>
  features.map(feature => featureDescriptions[feature].replace(/ \(.*/, '')).join(', ')

/** Says where to run a command that changes a kernel. */
function onHost({ kernel, container }: DoctorFacts, fix: string): string {
  if (kernel.probed === 'node') return `on each node of the cluster: ${fix}`
  return container && kernel.blocker !== 'container' ? `outside of the container: ${fix}` : fix
}

/** Returns the engine, or this machine where no engine responds, or a node of an existing cluster. */
function kernelHost({ engine, wsl, os, osName, kernel }: DoctorFacts): KernelHost {
  // The distribution of a node is unknown.
  if (kernel.probed === 'node') return { product: 'Docker Engine', endpoint: '', wsl: false, local: true, system: '' }
  if (!('problem' in engine)) return engine
  return { product: 'Docker Engine', endpoint: '', wsl, local: os === 'linux', system: osName }
}
