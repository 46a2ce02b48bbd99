import pLimit from 'p-limit'
import { LabError } from '../../shared/lab-error.ts'
import { readSettings } from '../../shared/settings/stack-file.ts'
import { nodeState } from '../cluster/node-container.ts'
import { loadContext, requireLab } from '../context/context.ts'
import { connectToGrafana } from '../telemetry/admin-access.ts'
import { verifyAgentSettings } from './agent-settings.ts'
import { verifyPanels } from './panel-data.ts'
import { verifyPolicies } from './policies-loaded.ts'
import { verifyPolicyPitfalls } from './policy-pitfalls.ts'
import { verifyNetworkPolicies } from './security/network-isolation.ts'
import { verifyPodRights } from './security/pod-rights.ts'
import { verifyPorts } from './security/port-exposure.ts'
import { verifyImages } from './security/running-images.ts'
import { verifySecretFiles, verifySecrets } from './security/secret-exposure.ts'
import { verifyAddresses, verifyPods } from './services-ready.ts'
import { verifySource } from './source-health.ts'
import { verifyDataSources, verifyEvents, verifyTargets } from './telemetry-flow.ts'
import { eachCheck, type MakeChecks, retryUntilPassed, type VerifyCheck } from './verify-check.ts'

/**
 * Checks everything that the lab promises against the running lab.
 * @throws LabError when no lab is running.
 */
export async function verify(): Promise<VerifyCheck[]> {
  const settings = readSettings()
  await requireLab(settings)
  if (settings.cluster.mode === 'create' && (await nodeState(settings.cluster.name)) !== 'running')
    throw new LabError({ found: "The lab's node is not running", next: './lab up' })
  const context = await loadContext(['kubectl'])
  const grafana = await connectToGrafana(context)
  return runAreas([
    ['pods', () => verifyPods(context)],
    ['source', () => verifySource(context)],
    ['agent', () => verifyAgentSettings(context, grafana)],
    ['policies', () => verifyPolicies(context)],
    ['targets', () => verifyTargets(settings, grafana)],
    ['events', () => verifyEvents(settings, grafana)],
    ['grafana', () => verifyDataSources(grafana)],
    ['panels', () => verifyPanels(context, grafana)],
    ['addresses', () => verifyAddresses(settings)],
    ['addresses', () => verifyPorts(settings)],
    ['gotchas', () => verifyPolicyPitfalls(context, grafana)],
    ['files', () => verifySecretFiles(settings)],
    ['secrets', () => verifySecrets(context)],
    ['security', () => verifyPodRights(context)],
    ['security', () => verifyNetworkPolicies(context)],
    ['images', () => verifyImages(context)],
  ])
}

type Area = readonly [area: string, make: MakeChecks]

/** How many areas are checked at once. More would overload a small cluster, which then fails checks that would pass. */
const concurrency = 3

/** Makes the checks of all areas. An area that does not respond fails alone, after it was asked again. */
export async function runAreas(
  areas: readonly Area[],
  options?: { timeoutMs?: number; intervalMs?: number },
): Promise<VerifyCheck[]> {
  const limit = pLimit(concurrency)
  const results = areas.map(([area, make]) =>
    limit(() => {
      const run = () => eachCheck(area, [[area, make]])
      // Each panel is repeated on its own.
      return area === 'panels' ? run() : retryUntilPassed(run, options)
    }),
  )
  return (await Promise.all(results)).flat()
}
