import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { ChartName } from '../../../shared/lock.ts'
import { keyPaths } from '../../charts/collect.ts'
import { given, lock } from '../../charts/given.ts'

// Helm drops a key that a chart does not know without a word. So every key that is given is looked up in the chart's own values.

/** Places whose content is not the chart's: it is handed on as it is (to a pod's specification, or to the program's own configuration). */
const handedOn: Partial<Record<ChartName, RegExp>> = {
  'kube-prometheus-stack':
    /^(prometheus\/prometheusSpec\/(resources|image)|prometheusOperator\/.*(resources|image)|additionalPrometheusRulesMap|.*\/(resources|image|containerSecurityContext))\b/,
  loki: /^(singleBinary\/(resources|persistence)|loki\/(limits_config|compactor|ingester|analytics|readinessProbe|schemaConfig|storage|commonConfig))\b/,
  // service/nodePort stands in the chart's template and only in a comment of its values.
  grafana:
    /^(service\/nodePort|alerting|grafana\.ini|datasources|dashboardProviders|dashboardsConfigMaps|resources|readinessProbe)\b/,
  'opentelemetry-collector': /^(alternateConfig|resources|securityContext|readinessProbe)\b/,
  'fluent-bit': /^(resources|securityContext|luaScripts|daemonSetVolumes|daemonSetVolumeMounts)\b/,
  tetragon: /^((tetragon|tetragonOperator)\/(resources|containerSecurityContext)|export\/securityContext)\b/,
}

describe.each(Object.entries(given) as [ChartName, Record<string, unknown>][])('%s', (chart, values) => {
  const file = join(import.meta.dirname, '..', '..', 'charts', `${chart}-${lock.charts[chart].version}.keys`)

  it('was looked at in the version that the lock pins', () => {
    expect(existsSync(file), `run: node test/charts/collect.ts`).toBe(true)
  })

  it('knows every key that it is given', () => {
    const known = new Set(readFileSync(file, 'utf8').trim().split('\n'))
    const unknown = keyPaths(values).filter(path => !known.has(path) && !handedOn[chart]?.test(path))
    expect(unknown).toEqual([])
  })
})
