import { type ChartName, readLock } from '../../shared/lock.ts'
import { parseSettings } from '../../shared/settings/parser.ts'
import { fluentBitValues } from '../../stacks/monitoring/fluent-bit.ts'
import { dashboardFolders, grafanaValues } from '../../stacks/monitoring/grafana.ts'
import { lokiValues } from '../../stacks/monitoring/loki.ts'
import { otelValues } from '../../stacks/monitoring/otel.ts'
import { prometheusValues } from '../../stacks/monitoring/prometheus.ts'
import { tetragonValues } from '../../stacks/monitoring/tetragon.ts'

/** The lab's own lock file, without overlays. */
export const lock = readLock('')

const lab = { settings: parseSettings({ tetragon: { runtimeHooks: true } }), lock, source: 'live' as const }

/** The lab's values for each chart, with every feature enabled. */
export const chartValues: Record<ChartName, Record<string, unknown>> = {
  tetragon: tetragonValues(lab),
  'kube-prometheus-stack': prometheusValues(lab),
  loki: lokiValues(lab),
  grafana: grafanaValues(lab, Object.keys(dashboardFolders())),
  'opentelemetry-collector': otelValues(lab),
  'fluent-bit': fluentBitValues(lab),
}
