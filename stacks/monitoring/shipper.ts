import * as pulumi from '@pulumi/pulumi'
import { releases } from '../../shared/names.ts'
import type { ComponentArgs } from '../component-args.ts'
import { release } from '../release.ts'
import { fluentBitValues } from './fluent-bit.ts'
import { gatewayValues } from './gateway.ts'
import { otelValues } from './otel.ts'

/**
 * The shipper sends Tetragon's events from the file on each node to Loki: the OpenTelemetry Collector or Fluent Bit.
 * Between the nodes and Loki there can be a gateway.
 */
export class Shipper extends pulumi.ComponentResource {
  constructor(name: string, { lab, namespace }: ComponentArgs, options: pulumi.ComponentResourceOptions) {
    super('lab:monitoring:Shipper', name, {}, options)
    const inside = { parent: this, dependsOn: namespace }
    const chart = 'opentelemetry-collector'
    if (lab.settings.pipeline.shipper === 'otel')
      release(releases.otel, { lab, chart, values: otelValues(lab) }, inside)
    else release(releases.fluentBit, { lab, chart: 'fluent-bit', values: fluentBitValues(lab) }, inside)
    if (lab.settings.pipeline.gateway.replicas > 0)
      release(releases.otelGateway, { lab, chart, values: gatewayValues(lab) }, inside)
    this.registerOutputs({})
  }
}
