import { join } from 'node:path'
import { type ChartName, readLock } from '../../shared/lock.ts'
import { projectDir } from '../../shared/paths.ts'
import { parseSettings } from '../../shared/settings/parser.ts'
import { readStackConfig } from '../../shared/settings/stack-file.ts'
import { settingsFileName } from '../../shared/stack.ts'
import { fluentBitValues } from '../../stacks/monitoring/fluent-bit.ts'
import { dashboardFolders, grafanaValues } from '../../stacks/monitoring/grafana/grafana.ts'
import { lokiValues } from '../../stacks/monitoring/loki/loki.ts'
import { otelValues } from '../../stacks/monitoring/otel.ts'
import { prometheusValues } from '../../stacks/monitoring/prometheus/prometheus.ts'
import { tetragonValues } from '../../stacks/monitoring/tetragon.ts'

/** The lab's own lock file, without overlays. */
export const lock = readLock('')

type ChartValues = Record<ChartName, Record<string, unknown>>

function valuesFor(given: Record<string, unknown>): ChartValues {
  const lab = { settings: parseSettings(given), lock, source: 'live' as const }
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

/** The values for each chart with Pulumi.production.yaml. */
export const productionChartValues: ChartValues = valuesFor(
  readStackConfig(join(projectDir, settingsFileName('production'))),
)
