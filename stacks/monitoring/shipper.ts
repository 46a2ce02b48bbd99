import * as pulumi from '@pulumi/pulumi'
import { releases } from '../../shared/names.ts'
import type { ComponentArgs } from '../component-args.ts'
import { release } from '../release.ts'
import { fluentBitValues } from './fluent-bit.ts'
import { otelValues } from './otel.ts'

/** The shipper sends Tetragon's events from the file on the node to Loki: the OpenTelemetry Collector or Fluent Bit. */
export class Shipper extends pulumi.ComponentResource {
  constructor(name: string, { lab, namespace }: ComponentArgs, options: pulumi.ComponentResourceOptions) {
    super('lab:monitoring:Shipper', name, {}, options)
    const inside = { parent: this, dependsOn: namespace }
    if (lab.settings.pipeline.shipper === 'otel')
      release(releases.otel, { lab, chart: 'opentelemetry-collector', values: otelValues(lab) }, inside)
    else release(releases.fluentBit, { lab, chart: 'fluent-bit', values: fluentBitValues(lab) }, inside)
    this.registerOutputs({})
  }
}
