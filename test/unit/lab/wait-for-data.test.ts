import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { expect, it } from 'vitest'
import { waitForData } from '../../../scripts/lab/wait-for-data.ts'
import { parseSettings } from '../../../shared/settings/parser.ts'

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
  expect(reports).toHaveLength(1)
  expect(reports[0]).toMatch(/^Tetragon's metrics, .*the Guestbook$/)
  expect(sockets).toHaveLength(10)
  server.close()
})

it('does not wait with a cluster of the user’s own, whose ports are not mapped', async () => {
  const reports: string[] = []
  const settings = parseSettings({ cluster: { mode: 'existing', context: 'mine' } })
  await waitForData({ settings, env: {} }, names => reports.push(names))
  expect(reports).toEqual([])
})
