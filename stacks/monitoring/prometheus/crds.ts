import { local } from '@pulumi/command'
import type * as pulumi from '@pulumi/pulumi'
import type { CrdsSpec } from '../../../shared/crds-spec.ts'
import type { Lab } from '../../../shared/lab.ts'
import { chartFile } from '../../../shared/lock.ts'
import { prometheusCrds } from '../../../shared/names.ts'
import { scriptCommand } from '../../script-command.ts'

/** The kinds of the chart's objects, and Probe, which is as small. */
const names = ['podmonitors', 'probes', 'prometheuses', 'prometheusrules', 'servicemonitors']

/**
 * Creates the CRDs of the Prometheus Operator in the lab's own cluster, except Alertmanager, AlertmanagerConfig,
 * PrometheusAgent, ScrapeConfig and ThanosRuler. Those are three quarters of 4.5 MB, which a new node would need 10 s
 * and 100 MB of memory for, and the lab does not use them. The operator serves the kinds that it finds.
 * @param node a new node gets the CRDs again
 */
export function createPrometheusCrds(
  { settings, lock }: Lab,
  node: local.Command,
  options: pulumi.CustomResourceOptions,
): pulumi.CustomResource {
  const spec: CrdsSpec = {
    cluster: settings.cluster.name,
    chart: chartFile(lock, 'kube-prometheus-stack'),
    names,
  }
  return new local.Command(
    prometheusCrds,
    {
      create: 'node scripts/cluster/apply-crds.ts',
      update: 'node scripts/cluster/apply-crds.ts',
      ...scriptCommand(spec),
      triggers: [node.id],
    },
    options,
  )
}
