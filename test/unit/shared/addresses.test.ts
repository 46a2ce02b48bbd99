import { expect, it } from 'vitest'
import { forwardsFor, replaceAddresses } from '../../../shared/addresses.ts'
import { parseSettings } from '../../../shared/settings/parser.ts'

const text = 'Open [Security](http://127.0.0.1:3000/d/tetragon-security), `curl localhost:8080/` and 127.0.0.1:9099.'

it('names the ports of the settings', () => {
  const settings = parseSettings({ ports: { grafana: 13000, guestbook: 18080 } })
  expect(replaceAddresses(text, settings)).toBe(
    'Open [Security](http://127.0.0.1:13000/d/tetragon-security), `curl localhost:18080/` and 127.0.0.1:9099.',
  )
})

it('knows every default port', () => {
  const settings = parseSettings({})
  const existing = parseSettings({ cluster: { mode: 'existing', context: 'mine' } })
  for (const [service, port] of Object.entries(settings.ports)) {
    const moved = { ports: { ...settings.ports, [service]: 12345 } }
    expect(replaceAddresses(`localhost:${port}`, moved)).toBe('localhost:12345')
    expect(forwardsFor(`localhost:${port}`, existing)).toHaveLength(1)
  }
})

it('forwards what a text needs in an existing cluster, and nothing in the lab’s own', () => {
  const existing = parseSettings({ cluster: { mode: 'existing', context: 'mine' }, ports: { grafana: 13000 } })
  expect(forwardsFor(text, existing)).toEqual([
    './lab kubectl -n monitoring port-forward svc/grafana 13000:80',
    './lab kubectl -n application port-forward svc/frontend 8080:80',
  ])
  expect(forwardsFor(text, parseSettings({}))).toEqual([])
})
