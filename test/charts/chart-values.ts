import { join } from 'node:path'
import type { Lab } from '../../shared/lab.ts'
import { type ChartName, readLock } from '../../shared/lock.ts'
import { projectDir } from '../../shared/paths.ts'
import { parseSettings } from '../../shared/settings/parser.ts'
import { readStackConfig } from '../../shared/settings/stack-file.ts'
import { settingsFileName } from '../../shared/stack.ts'
import { fluentBitValues } from '../../stacks/monitoring/fluent-bit.ts'
import { gatewayValues } from '../../stacks/monitoring/gateway.ts'
import { dashboardFolders, grafanaValues } from '../../stacks/monitoring/grafana/grafana.ts'
import { lokiValues } from '../../stacks/monitoring/loki/loki.ts'
import { otelValues } from '../../stacks/monitoring/otel.ts'
import { prometheusValues } from '../../stacks/monitoring/prometheus/prometheus.ts'
import { tetragonValues } from '../../stacks/monitoring/tetragon.ts'

/** The lab's own lock file, without overlays. */
export const lock = readLock('')

type ChartValues = Record<ChartName, Record<string, unknown>>

const labOf = (given: Record<string, unknown>): Lab => ({ settings: parseSettings(given), lock, source: 'live' })

function valuesFor(given: Record<string, unknown>): ChartValues {
  const lab = labOf(given)
  return {
    tetragon: tetragonValues(lab),
    'kube-prometheus-stack': prometheusValues(lab),
    loki: lokiValues(lab),
    grafana: grafanaValues(lab, Object.keys(dashboardFolders(lab.settings))),
    'opentelemetry-collector': otelValues(lab),
    'fluent-bit': fluentBitValues(lab),
  }
}

/** The lab's values for each chart, with every feature of a laptop's lab enabled. */
export const chartValues: ChartValues = valuesFor({ tetragon: { runtimeHooks: true } })

const production = readStackConfig(join(projectDir, settingsFileName('production')))

/** The values for each chart with Pulumi.production.yaml. */
export const productionChartValues: ChartValues = valuesFor(production)

/** The values for the gateway with Pulumi.production.yaml, of the same chart as the shipper. */
export const productionGatewayValues = gatewayValues(labOf(production))
