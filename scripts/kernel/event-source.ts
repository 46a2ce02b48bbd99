import type { EventSource } from '../../shared/lab.ts'
import { LabError } from '../../shared/lab-error.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { type Decision, kernelDecision, undecided } from './decision.ts'

/** Returns the event source that `tetragon.source` names, or with `auto` the one that the kernel supports. */
export const eventSource = (
  { tetragon }: Pick<Settings, 'tetragon'>,
  { source }: Pick<Decision, 'source'>,
): EventSource => (tetragon.source === 'auto' ? source : tetragon.source)

/** Returns why that is the event source, in one clause. */
export const eventSourceReason = ({ tetragon }: Pick<Settings, 'tetragon'>, { why }: Pick<Decision, 'why'>): string =>
  tetragon.source === 'auto' ? why : `tetragon.source is set to ${tetragon.source}`

/**
 * Returns the event source of a lab with these settings; probes the kernel only where they leave it open.
 * @param options.pull whether to pull the node image or create a pod where the probe needs it; default true. Without
 * it, a kernel that cannot be probed leads to a replay.
 * @throws LabError when the kernel cannot be probed, unless `pull` is off.
 */
export async function chooseEventSource(settings: Settings, { pull = true } = {}): Promise<EventSource> {
  const { tetragon, cluster } = settings
  if (tetragon.source !== 'auto') return tetragon.source
  try {
    return (await kernelDecision({ cluster, pull })).source
  } catch (error) {
    if (pull || !(error instanceof LabError)) throw error
    return undecided(error.found).source
  }
}

/**
 * Requires that a lab with these settings gets its events from an agent.
 * @throws LabError when it would replay a recording, with the reason, or the kernel cannot be probed.
 */
export async function requireLiveSource(settings: Settings): Promise<void> {
  const { tetragon, cluster } = settings
  const decision = tetragon.source === 'auto' ? await kernelDecision({ cluster }) : undecided('the settings decide')
  if (eventSource(settings, decision) === 'live') return
  throw new LabError({
    found: `No agent can run here: ${eventSourceReason(settings, decision)}`,
    expected: 'a lab with a live agent',
    next: './lab doctor',
  })
}
