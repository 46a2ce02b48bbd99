import { expect, test } from 'vitest'
import { chartValues } from '../../../charts/chart-values.ts'
import { cpuThousandths } from '../../support/quantities.ts'

/** Returns every CPU request in the values of a chart. */
function cpuRequests(values: unknown): string[] {
  if (typeof values !== 'object' || values === null) return []
  const { requests } = values as { requests?: { cpu?: string } }
  return [...(requests?.cpu ? [requests.cpu] : []), ...Object.values(values).flatMap(cpuRequests)]
}

test('the agent has more of a busy machine than any other container', () => {
  const { tetragon, ...others } = chartValues
  const agent = cpuThousandths(
    (tetragon.tetragon as { resources: { requests: { cpu: string } } }).resources.requests.cpu,
  )
  for (const cpu of cpuRequests(others)) expect(cpuThousandths(cpu)).toBeLessThanOrEqual(agent / 2)
  // The node's own components ask for 950m of two processors.
  const all = cpuRequests(chartValues).reduce((sum, cpu) => sum + cpuThousandths(cpu), 0)
  expect(all).toBeLessThan(1000)
})
