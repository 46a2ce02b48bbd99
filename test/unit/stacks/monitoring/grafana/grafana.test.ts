import { basename, dirname } from 'node:path'
import { expect, test } from 'vitest'
import { pages } from '../../../../../dashboards/builders/pages.ts'
import { parseSettings } from '../../../../../shared/settings/parser.ts'
import { dashboardFolders } from '../../../../../stacks/monitoring/grafana/grafana.ts'
import { chartValues } from '../../../../charts/chart-values.ts'
import { bytes } from '../../../support/quantities.ts'

const values = chartValues.grafana as {
  resources: { requests: { memory: string }; limits: { memory: string } }
  envValueFrom: Record<string, { resourceFieldRef: { resource: string; divisor: string } }>
  'grafana.ini': {
    server: Record<string, unknown>
    security: object
    dashboards: { default_home_dashboard_path: string }
  }
  dashboardProviders: Record<string, { providers: { options: { path: string } }[] }>
}

test('leaves memory for the processes of Grafana’s plugins beside its own heap', () => {
  const { requests, limits } = values.resources
  expect(bytes(limits.memory)).toBeGreaterThanOrEqual(768 * 1024 ** 2)
  expect(values.envValueFrom.GOMEMLIMIT?.resourceFieldRef).toEqual({ resource: 'requests.memory', divisor: '1' })
  expect(bytes(requests.memory)).toBeLessThanOrEqual((bytes(limits.memory) * 3) / 4)
})

test('does not compress responses', () => {
  expect(values['grafana.ini'].server.enable_gzip).toBe(false)
})

test('accepts queries from a port that GitHub Codespaces forwards under another host name', () => {
  expect(values['grafana.ini'].security).toMatchObject({ csrf_additional_headers: 'X-Forwarded-Host' })
})

test('opens the overview, at the path at which its file is mounted', () => {
  const path = values['grafana.ini'].dashboards.default_home_dashboard_path
  const folders = values.dashboardProviders['dashboardproviders.yaml']!.providers.map(({ options }) => options.path)
  expect(folders).toContain(dirname(path))
  expect(Object.values(dashboardFolders(parseSettings({}))).flatMap(Object.keys)).toContain(basename(path))
  expect(basename(path)).toBe(`${pages.overview.uid}.json`)
})
