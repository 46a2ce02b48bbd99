import { local, types } from '@pulumi/command'
import type * as pulumi from '@pulumi/pulumi'
import type { CrdsSpec } from '../../../shared/crds-spec.ts'
import type { Lab } from '../../../shared/lab.ts'
import { chartFile } from '../../../shared/lock.ts'
import { projectDir } from '../../../shared/paths.ts'
import { scriptEnvironment } from '../../script-environment.ts'

/** The kinds that the chart's objects have, and those that an exercise or a user of Prometheus writes. */
const names = ['podmonitors', 'probes', 'prometheuses', 'prometheusrules', 'servicemonitors']

/**
 * Creates the CRDs of the Prometheus Operator in the lab's own cluster. The chart has five more (Alertmanager, Thanos,
 * agents), which are three quarters of 4.5 MB: a laptop takes 10 s and 100 MB of memory for what the lab does not use.
 * The operator serves the kinds that it finds.
 */
export function prometheusCrds({ settings, lock }: Lab, options: pulumi.CustomResourceOptions): pulumi.CustomResource {
  const spec: CrdsSpec = {
    cluster: settings.cluster.name,
    chart: chartFile(lock, 'kube-prometheus-stack'),
    names,
  }
  return new local.Command(
    'prometheus-crds',
    {
      create: 'node scripts/cluster/apply-crds.ts',
      update: 'node scripts/cluster/apply-crds.ts',
      dir: projectDir,
      stdin: JSON.stringify(spec),
      environment: scriptEnvironment(),
      logging: types.enums.local.Logging.Stderr,
      addPreviousOutputInEnv: false,
    },
    options,
  )
}
