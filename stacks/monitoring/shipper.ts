import type * as k8s from '@pulumi/kubernetes'
import * as pulumi from '@pulumi/pulumi'
import type { Lab } from '../../shared/lab.ts'
import { releases } from '../../shared/names.ts'
import { release } from '../release.ts'
import { fluentBitValues } from './fluent-bit.ts'
import { otelValues } from './otel.ts'

/** What carries Tetragon's events from the file on the node to Loki: the OpenTelemetry Collector, or Fluent Bit by choice. */
export class Shipper extends pulumi.ComponentResource {
  constructor(
    name: string,
    { lab, namespace }: { lab: Lab; namespace: k8s.core.v1.Namespace },
    options: pulumi.ComponentResourceOptions,
  ) {
    super('lab:monitoring:Shipper', name, {}, options)
    const inside = { parent: this, dependsOn: namespace }
    if (lab.settings.pipeline.shipper === 'otel')
      release(releases.otel, { lab, chart: 'opentelemetry-collector', values: otelValues(lab) }, inside)
    else release(releases.fluentBit, { lab, chart: 'fluent-bit', values: fluentBitValues(lab) }, inside)
    this.registerOutputs({})
  }
}
