import { expect, it } from 'vitest'
import { readLock } from '../../../shared/lock.ts'
import { parseSettings } from '../../../shared/settings/parser.ts'
import { stackOutputs } from '../../../stacks/outputs.ts'

const addressesWith = (settings: object): Record<string, string> =>
  stackOutputs({
    settings: parseSettings({ grafana: { password: 'x' }, ...settings }),
    lock: readLock(''),
    source: 'live',
  }).addresses

it('names the mapped ports of a lab in its own cluster', () => {
  expect(addressesWith({ ports: { grafana: 3001 } }).grafana).toBe('http://localhost:3001')
})

it('names no local address in a cluster of the user’s own, where none is mapped, but how to forward each', () => {
  const addresses = addressesWith({ cluster: { mode: 'existing', context: 'mine' } })
  expect(Object.keys(addresses)).toContain('grafana')
  for (const access of Object.values(addresses)) {
    expect(access).toMatch(/^\.\/lab kubectl -n \w+ port-forward /)
    expect(access).not.toMatch(/localhost|127\.0\.0\.1/)
  }
})
