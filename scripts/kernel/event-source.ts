import type { EventSource } from '../../shared/lab.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { type Decision, kernelDecision } from './decision.ts'

/**
 * Returns the event source of a lab with these settings: the one that `tetragon.source` names, or with `auto` the one that the kernel supports.
 * @param decision what is known about the kernel; without it, an `auto` probes the kernel.
 * @throws LabError when the kernel cannot be probed.
 */
export async function chooseEventSource(
  { tetragon, cluster }: Settings,
  decision?: Pick<Decision, 'source'>,
): Promise<EventSource> {
  if (tetragon.source !== 'auto') return tetragon.source
  return (decision ?? (await kernelDecision({ cluster }))).source
}
