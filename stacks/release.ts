import * as k8s from '@pulumi/kubernetes'
import type * as pulumi from '@pulumi/pulumi'
import type { Lab } from '../shared/lab.ts'
import { type ChartName, chartFile } from '../shared/lock.ts'
import { namespaces } from '../shared/names.ts'

/** Values of a chart. A test checks their keys against the chart, because Helm ignores unknown ones. */
export type Values = Record<string, unknown>

/**
 * Creates a Helm release in the monitoring namespace from a chart archive that was downloaded and verified before. It
 * is complete when its Pods are ready, except those of a DaemonSet: Helm lets one of them be unavailable, which on one
 * node is the only one. `lab up` waits for it.
 */
export function release(
  name: string,
  { lab, chart, values }: { lab: Lab; chart: ChartName; values: Values },
  options: pulumi.CustomResourceOptions,
): k8s.helm.v3.Release {
  // Replicas are replaced one after the other, and each takes its time to write what it has.
  const minutes = lab.settings.cluster.mode === 'existing' ? 30 : 10
  return new k8s.helm.v3.Release(
    name,
    {
      // Without a name, Pulumi would add random letters, and every address in the lab would change.
      name,
      namespace: namespaces.monitoring,
      chart: chartFile(lab.lock, chart),
      version: lab.lock.charts[chart].version,
      values: values as { [key: string]: pulumi.Input<unknown> },
      createNamespace: false,
      // The API server checks every object anyway. Helm would first download and read its whole schema, for each release.
      disableOpenapiValidation: true,
      timeout: minutes * 60,
      maxHistory: 3,
    },
    // Two releases cannot have the same name.
    { ...options, deleteBeforeReplace: true, customTimeouts: { create: `${minutes + 2}m`, update: `${minutes + 2}m` } },
  )
}
