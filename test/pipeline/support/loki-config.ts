import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import type { Lab } from '../../../shared/lab.ts'
import { lokiValues } from '../../../stacks/monitoring/loki/loki.ts'

type Section = Record<string, unknown>

/**
 * Returns Loki's configuration as the chart renders it from the lab's values. `loki-VERSION.yaml` has what the chart
 * adds.
 */
export function lokiConfig(lab: Lab): Section {
  const base = parse(
    readFileSync(join(import.meta.dirname, `loki-${lab.lock.charts.loki.version}.yaml`), 'utf8'),
  ) as Record<string, Section>
  const given = lokiValues(lab).loki as Record<string, Section>
  return {
    ...base,
    auth_enabled: given.auth_enabled,
    analytics: given.analytics,
    compactor: given.compactor,
    schema_config: given.schemaConfig,
    common: { ...base.common, ...given.commonConfig },
    ingester: { ...base.ingester, ...given.ingester },
    limits_config: { ...base.limits_config, ...given.limits_config },
  }
}
