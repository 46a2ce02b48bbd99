import { LabError } from '../../shared/lab-error.ts'
import { nodeState } from '../cluster/kind.ts'
import { kubeArgs } from '../cluster/kubectl.ts'
import { loadContext } from '../context/context.ts'
import { Grafana } from '../telemetry/grafana.ts'
import { verifyAgentEvents } from './agent-events.ts'
import { verifyListeners } from './listeners.ts'
import { verifyPanels } from './panels.ts'
import { verifyGotchas } from './policy-pitfalls.ts'
import {
  verifyAddresses,
  verifyDataSources,
  verifyFiles,
  verifyLogs,
  verifyPods,
  verifyPolicies,
  verifySource,
  verifyTargets,
} from './promises.ts'
import { verifyImages } from './running-images.ts'
import { verifySecrets } from './secrets.ts'
import { verifySecurity } from './security.ts'
import { fail, retryUntil, type VerifyCheck } from './verify-check.ts'

/**
 * Checks each promise of the lab against what runs.
 * @throws LabError when no lab is running.
 */
export async function verify(): Promise<VerifyCheck[]> {
  const { settings, lock } = await loadContext()
  kubeArgs(settings)
  if (settings.cluster.mode === 'create' && (await nodeState(settings.cluster.name)) !== 'running')
    throw new LabError({ found: 'the node of the lab does not run', expected: 'a lab that is up', next: './lab up' })
  const grafana = new Grafana(settings)
  const areas: [string, () => VerifyCheck[] | Promise<VerifyCheck[]>][] = [
    ['pods', verifyPods],
    ['source', () => verifySource(settings)],
    ['agent', () => verifyAgentEvents(settings, grafana)],
    ['policies', () => verifyPolicies(settings)],
    ['targets', () => verifyTargets(settings, grafana)],
    ['events', () => verifyLogs(grafana)],
    ['grafana', () => verifyDataSources(grafana)],
    ['panels', () => verifyPanels(settings, grafana)],
    ['addresses', () => verifyAddresses(settings)],
    ['addresses', () => verifyListeners(settings)],
    ['gotchas', () => verifyGotchas(grafana, lock)],
    ['files', () => verifyFiles(settings)],
    ['secrets', () => verifySecrets(settings)],
    ['security', () => verifySecurity(settings)],
    ['images', () => verifyImages(settings, lock)],
  ]
  const checks = await Promise.all(
    areas.map(async ([area, look]) => {
      try {
        return area === 'panels' ? await look() : await retryUntil(look)
      } catch (error) {
        // That one thing cannot be asked is a finding, and no reason not to ask for the others.
        if (!(error instanceof LabError)) throw error
        return [fail(area, area, error.found, error.expected, error.next)]
      }
    }),
  )
  return checks.flat()
}
