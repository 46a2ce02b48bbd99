import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { keyPaths } from '../../../scripts/pins/chart-archive.ts'
import type { ChartName } from '../../../shared/lock.ts'
import { projectDir } from '../../../shared/paths.ts'
import { chartValues, lock, productionChartValues, productionGatewayValues } from '../../charts/chart-values.ts'

// Helm silently ignores keys that a chart does not have, so every key is looked up in the chart's own values.

/** Keys whose content the chart passes on unchanged, to a Pod's specification or to the program's configuration. */
const passedOn: Partial<Record<ChartName, RegExp>> = {
  // The class of node-exporter is in its templates, but only in a comment of its values.
  'kube-prometheus-stack':
    /^(prometheus-node-exporter\/priorityClassName|prometheus\/prometheusSpec\/(resources|image|externalLabels|storageSpec)|prometheusOperator\/.*(resources|image)|additionalPrometheusRulesMap|.*\/(resources|image|containerSecurityContext))\b/,
  loki: /^(singleBinary\/(resources|persistence)|loki\/(limits_config|compactor|ingester|analytics|readinessProbe|schemaConfig|storage|commonConfig|frontend|frontend_worker))\b/,
  // service/nodePort and ingress/ingressClassName are in the chart's templates, but only in comments of its values.
  grafana:
    /^(service\/nodePort|ingress\/(ingressClassName|annotations)|podDisruptionBudget|alerting|envValueFrom|grafana\.ini|datasources|dashboardProviders|dashboardsConfigMaps|resources|readinessProbe)\b/,
  'opentelemetry-collector':
    /^(alternateConfig|rollout\/rollingUpdate|resources|securityContext|podSecurityContext|readinessProbe|podDisruptionBudget)\b/,
  'fluent-bit': /^(updateStrategy|resources|securityContext|luaScripts|daemonSetVolumes|daemonSetVolumeMounts)\b/,
  tetragon:
    /^(updateStrategy|(tetragon|tetragonOperator)\/(resources|containerSecurityContext)|export\/securityContext)\b/,
}

type Row = [title: string, chart: ChartName, values: Record<string, unknown>]
const rowsOf = (stack: string, all: typeof chartValues): Row[] =>
  Object.entries(all).map(([chart, values]) => [`${chart} of ${stack}`, chart as ChartName, values])

describe.each<Row>([
  ...rowsOf('a laptop', chartValues),
  ...rowsOf('Pulumi.production.yaml', productionChartValues),
  ['the gateway of Pulumi.production.yaml', 'opentelemetry-collector', productionGatewayValues],
])('%s', (_, chart, values) => {
  const file = join(projectDir, 'test', 'charts', `${chart}-${lock.charts[chart].version}.keys`)

  it('has a list of keys for the pinned version', () => {
    expect(existsSync(file), `run: ./lab pins update charts.${chart} --to ${lock.charts[chart].version}`).toBe(true)
  })

  it('has every key that the lab sets', () => {
    const known = new Set(readFileSync(file, 'utf8').trim().split('\n'))
    const unknown = keyPaths(values).filter(path => !known.has(path) && !passedOn[chart]?.test(path))
    expect(unknown).toEqual([])
  })
})
