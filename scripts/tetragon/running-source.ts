import { namespaces } from '../../shared/names.ts'
import { type ClusterAccess, kubectlJson } from '../cluster/kubectl.ts'

/**
 * Returns which event source runs in the cluster: Tetragon's agent (`live`) or a recording (`replay`).
 * @throws LabError when no lab is running.
 */
export async function runningSource(access: ClusterAccess): Promise<'live' | 'replay' | 'none'> {
  const { items } = await kubectlJson<{ items: { metadata: { name: string } }[] }>(access, [
    ...['get', 'daemonsets', '-n', namespaces.monitoring],
  ])
  const names = items.map(item => item.metadata.name)
  return names.includes('tetragon') ? 'live' : names.includes('tetragon-replay') ? 'replay' : 'none'
}
