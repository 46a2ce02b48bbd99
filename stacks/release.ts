import { existsSync } from 'node:fs'
import * as k8s from '@pulumi/kubernetes'
import type * as pulumi from '@pulumi/pulumi'
import type { Lab } from '../shared/lab.ts'
import { LabError } from '../shared/lab-error.ts'
import { type ChartName, chartFile } from '../shared/lock.ts'
import { namespaces } from '../shared/names.ts'

/** Values for a chart; a chart's own schema is its author's, so what is checked here is checked by a test against the chart. */
export type Values = Record<string, unknown>

/**
 * A Helm release in `monitoring`, from an archive that was fetched and checked before: no index is asked, nothing floats.
 * It counts as made when its pods are ready.
 * @throws LabError when the archive is not there.
 */
export function release(
  name: string,
  { lab, chart, values }: { lab: Lab; chart: ChartName; values: Values },
  options: pulumi.CustomResourceOptions,
): k8s.helm.v3.Release {
  const archive = chartFile(lab.lock, chart)
  if (!existsSync(archive) && !process.env.LAB_PLAN)
    throw new LabError({
      found: `chart ${chart} ${lab.lock.charts[chart].version} is not in .lab/charts`,
      expected: 'its archive, fetched and checked against lab.lock.yaml',
      next: 'eval "$(./lab env)"',
    })
  return new k8s.helm.v3.Release(
    name,
    {
      // Given, because Pulumi would add random letters and every address in the lab would change.
      name,
      namespace: namespaces.monitoring,
      chart: archive,
      version: lab.lock.charts[chart].version,
      values: values as { [key: string]: pulumi.Input<unknown> },
      createNamespace: false,
      timeout: 600,
      maxHistory: 3,
    },
    // A release cannot stand beside one of its own name.
    { ...options, deleteBeforeReplace: true, customTimeouts: { create: '12m', update: '12m' } },
  )
}
