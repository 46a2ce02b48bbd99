import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { expect, it } from 'vitest'
import { firstData } from '../../../scripts/lab/first-data.ts'
import { parseSettings } from '../../../shared/settings/schema.ts'

it('does not stay with a stranger who had the address for a moment', async () => {
  const sockets: Socket[] = []
  const server = createServer((request, response) => {
    // The first connection of each of the five questions is answered by somebody else, who keeps it open.
    if (sockets.indexOf(request.socket) < 5) response.writeHead(404).end('who?')
    else response.end('{"status":"ok","data":{"result":[1]}}')
  })
  server.keepAliveTimeout = 60_000
  server.on('connection', socket => sockets.push(socket))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const settings = parseSettings({})
  const asked: string[] = []
  await firstData(
    { ...settings, ports: { guestbook: port, grafana: port, prometheus: port, loki: port, tetragon: port } },
    line => asked.push(line),
  )
  expect(asked).toHaveLength(1)
  expect(asked[0]).toMatch(/^Tetragon's metrics, .*the Guestbook$/)
  expect(sockets).toHaveLength(10)
  server.close()
})
