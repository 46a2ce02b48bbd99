import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { waitForData } from '../../../scripts/lab/wait-for-data.ts'
import { parseSettings } from '../../../shared/settings/parser.ts'
import { type FakePrograms, fakePrograms } from '../support/fake-programs.ts'

it('opens a new connection for every attempt, so that it cannot stay with a pod that has taken over the address', async () => {
  const sockets: Socket[] = []
  const server = createServer((request, response) => {
    // Another program accepts the first connection of each of the five requests, and keeps it open.
    if (sockets.indexOf(request.socket) < 5) response.writeHead(404).end('who?')
    else response.end('{"status":"ok","data":{"result":[1]}}')
  })
  server.keepAliveTimeout = 60_000
  server.on('connection', socket => sockets.push(socket))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const settings = parseSettings({})
  const reports: string[] = []
  await waitForData(
    {
      settings: {
        ...settings,
        ports: { guestbook: port, grafana: port, prometheus: port, loki: port, tetragon: port },
      },
      env: {},
    },
    names => reports.push(names),
  )
  expect(reports[0]).toMatch(/^Tetragon's metrics, .*the Guestbook$/)
  expect(reports.map(names => names.split(', ').length)).toEqual([5, 4, 3, 2, 1])
  expect(sockets).toHaveLength(10)
  server.close()
})

describe('in a cluster of the user’s own, whose ports are not mapped', () => {
  let programs: FakePrograms
  beforeEach(() => {
    programs = fakePrograms()
  })
  afterEach(() => programs.restore())
  const settings = parseSettings({ cluster: { mode: 'existing', context: 'mine' } })

  it('asks every service through the API server', async () => {
    await waitForData({ settings, env: programs.env }, () => {})
    const proxy = (namespace: string, service: string) => `/api/v1/namespaces/${namespace}/services/${service}/proxy`
    const paths = programs.callsOf('kubectl').map(call => call.replace(/.* get --raw /, ''))
    expect(paths.toSorted()).toEqual([
      `${proxy('application', 'frontend:80')}/guestbook.php?cmd=get&key=messages`,
      `${proxy('monitoring', 'grafana:80')}/api/health`,
      `${proxy('monitoring', 'kube-prometheus-stack-prometheus:9090')}/api/v1/query?query=k6_http_reqs_total`,
      `${proxy('monitoring', 'kube-prometheus-stack-prometheus:9090')}/api/v1/query?query=tetragon_events_exported_total`,
      expect.stringMatching(
        /^\/api\/v1\/namespaces\/monitoring\/services\/loki:3100\/proxy\/loki\/api\/v1\/query\?query=sum/,
      ),
    ])
  })

  it('waits while a service has no data', async () => {
    programs.write('page', '{"status":"ok","data":{"result":[]}}')
    const reports: string[] = []
    const waiting = waitForData({ settings, env: programs.env }, names => reports.push(names))
    await expect
      .poll(() => reports.at(-1), { timeout: 15_000 })
      .toBe("Tetragon's metrics, the traffic's metrics, Tetragon's events")
    programs.write('page', '{"status":"ok","data":{"result":[1]}}')
    await waiting
  })
})
