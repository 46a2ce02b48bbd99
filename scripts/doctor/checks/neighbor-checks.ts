import { setCommand } from '../../../shared/settings/config-commands.ts'
import type { Settings } from '../../../shared/settings/schema.ts'
import { type DoctorCheck, fail, ok, warn } from '../doctor-check.ts'
import type { DoctorFacts } from '../facts/gather-facts.ts'

/** Checks the other clusters and Tetragon agents that share the engine and its kernel. */
export function neighborChecks(
  settings: Settings,
  { foreignCluster, otherClusters, tetragonAgents, running }: DoctorFacts,
): DoctorCheck[] {
  const { name } = settings.cluster
  const checks: DoctorCheck[] = []
  if (foreignCluster)
    checks.push(
      fail('cluster', 'Cluster', {
        found: `The kind cluster ${name} was not created by this lab`,
        expected: `an unused name, or no such cluster (kind delete cluster --name ${name})`,
        next: setCommand('cluster.name', `${name}-2`),
      }),
    )
  else checks.push(ok('cluster', 'Cluster', running ? `${name} is running` : `the name ${name} is unused`))
  if (otherClusters.length > 0)
    checks.push(
      warn('neighbours', 'Other clusters', {
        found: `Other kind clusters run on the same kernel: ${otherClusters.join(', ')}`,
        expected: 'only the lab, because they share its memory and Tetragon sees their processes',
        next: `kind delete cluster --name ${otherClusters[0]}, if you do not need it`,
      }),
    )
  if (tetragonAgents !== undefined && tetragonAgents > (running ? 1 : 0))
    checks.push(
      warn('tetragon', 'Other Tetragon', {
        found: 'Another Tetragon agent runs on this kernel',
        expected: 'one agent per kernel, because each enforces its policies on the whole machine',
        next: 'stop the other agent (systemctl status tetragon, helm list -A)',
      }),
    )
  return checks
}
