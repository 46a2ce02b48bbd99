import { type Settings, setCommand } from '../../../shared/settings/schema.ts'
import { type DoctorCheck, fail, ok, warn } from '../doctor-check.ts'
import type { Facts } from '../facts/facts.ts'

/** What else is there that the lab shares the engine and its kernel with. */
export function neighbours(
  settings: Settings,
  { foreignNode, otherClusters, tetragons, running }: Facts,
): DoctorCheck[] {
  const { name } = settings.cluster
  const checks: DoctorCheck[] = []
  if (foreignNode)
    checks.push(
      fail('cluster', 'Cluster', {
        found: `a KinD cluster named ${name} that this lab did not make`,
        expected: 'a name that is free',
        next: `${setCommand('cluster.name', `${name}-2`)}, or: kind delete cluster --name ${name}`,
      }),
    )
  else checks.push(ok('cluster', 'Cluster', running ? `${name} runs` : `the name ${name} is free`))
  if (otherClusters.length > 0)
    checks.push(
      warn('neighbours', 'Other clusters', {
        found: `${otherClusters.join(', ')} run${otherClusters.length === 1 ? 's' : ''} on the same kernel`,
        expected: 'the lab alone: it shares memory with them, and Tetragon sees their processes too',
        next: `kind delete cluster --name ${otherClusters[0]}, when it is not needed`,
      }),
    )
  if (tetragons !== undefined && tetragons > (running ? 1 : 0))
    checks.push(
      warn('tetragon', 'Another Tetragon', {
        found: 'one runs on this kernel already',
        expected: 'one Tetragon a kernel: each enforces for the whole machine',
        next: 'stop the other: systemctl status tetragon, helm list -A',
      }),
    )
  return checks
}
