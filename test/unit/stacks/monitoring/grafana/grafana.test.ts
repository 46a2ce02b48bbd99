import { expect, test } from 'vitest'
import { chartValues } from '../../../../charts/chart-values.ts'
import { bytes } from '../../../support/quantities.ts'

const values = chartValues.grafana as {
  resources: { requests: { memory: string }; limits: { memory: string } }
  envValueFrom: Record<string, { resourceFieldRef: { resource: string; divisor: string } }>
  'grafana.ini': { server: Record<string, unknown> }
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
