import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { GrafanaClient } from '../../../scripts/telemetry/grafana-client.ts'
import { parseSettings } from '../../../shared/settings/parser.ts'

let server: Server
let client: GrafanaClient
let requests: { path: string; parameters: Record<string, string>; authorization?: string }[]
let respond: (response: ServerResponse) => void

const settingsFor = (port: number, more: object = {}) =>
  parseSettings({ ports: { grafana: port }, grafana: { user: 'teacher', password: 'chalk' }, ...more })
const port = (): number => (server.address() as AddressInfo).port
const respondWith = (resultType: string, result: unknown): void => {
  respond = response => response.end(JSON.stringify({ status: 'success', data: { resultType, result } }))
}

beforeEach(async () => {
  requests = []
  respondWith('vector', [])
  server = createServer(({ url, headers }: IncomingMessage, response) => {
    const { pathname, searchParams } = new URL(url!, 'http://localhost')
    requests.push({
      path: pathname,
      parameters: Object.fromEntries(searchParams),
      authorization: headers.authorization,
    })
    respond(response)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  client = new GrafanaClient(settingsFor(port()))
})
afterEach(() => {
  server.closeAllConnections()
  server.close()
})

const from = new Date('2026-11-21T10:00:00.500Z')
const to = new Date('2026-11-21T10:15:00Z')

it('signs in as the user of the settings', async () => {
  respond = response => response.end('{"database":"ok"}')
  expect(await client.get('/api/health')).toEqual({ database: 'ok' })
  expect(requests[0]).toMatchObject({
    path: '/api/health',
    authorization: `Basic ${Buffer.from('teacher:chalk').toString('base64')}`,
  })
})

it('evaluates PromQL once, at the time given in seconds', async () => {
  respondWith('vector', [{ metric: { job: 'loki' }, value: [1, '1'] }])
  expect(await client.query('prometheus', 'up > 0', { to: from })).toEqual([{ labels: { job: 'loki' }, value: 1 }])
  expect(requests[0]).toMatchObject({
    path: '/api/datasources/proxy/uid/prometheus/api/v1/query',
    parameters: { query: 'up > 0', time: '1795255200.500' },
  })
})

it('evaluates PromQL over a time range in steps of 15 s', async () => {
  await client.query('prometheus', '{job="loki"}', { from, to })
  expect(requests[0]).toMatchObject({
    path: '/api/datasources/proxy/uid/prometheus/api/v1/query_range',
    parameters: { query: '{job="loki"}', start: '1795255200.500', end: '1795256100.000', step: '15' },
  })
})

it('evaluates LogQL at the time given in nanoseconds, and over a range in steps', async () => {
  const query = 'sum(count_over_time({service_name="tetragon"}[5m]))'
  await client.query('loki', query, { to })
  await client.query('loki', query, { from, to })
  expect(requests).toMatchObject([
    {
      path: '/api/datasources/proxy/uid/loki/loki/api/v1/query',
      parameters: { query, time: '1795256100000000000' },
    },
    {
      path: '/api/datasources/proxy/uid/loki/loki/api/v1/query_range',
      parameters: { query, start: '1795255200500000000', end: '1795256100000000000', step: '15' },
    },
  ])
})

it('counts the lines of a log query by stream, without steps, which Loki limits to 11,000', async () => {
  respondWith('streams', [{ stream: { pod: 'a' }, values: [['1', 'x']] }])
  expect(await client.query('loki', '{a="b"}', { from, to, limit: 500 })).toEqual([{ labels: { pod: 'a' }, value: 1 }])
  expect(requests[0]!.parameters).toEqual({
    query: '{a="b"}',
    start: '1795255200500000000',
    end: '1795256100000000000',
    limit: '500',
  })
})

it('reads log lines, at most as many as asked for', async () => {
  respondWith('streams', [{ stream: { pod: 'a' }, values: [['1795255201000000000', 'line']] }])
  expect(await client.logLines('{a="b"}', { from, to, limit: 3 })).toEqual([
    { time: new Date('2026-11-21T10:00:01Z'), labels: { pod: 'a' }, line: 'line' },
  ])
  expect(requests[0]).toMatchObject({
    path: '/api/datasources/proxy/uid/loki/loki/api/v1/query_range',
    parameters: { limit: '3' },
  })
})

it('uses the current time unless one is given', async () => {
  const before = Date.now() / 1000
  await client.query('prometheus', 'up')
  expect(Number(requests[0]!.parameters.time)).toBeGreaterThanOrEqual(Math.floor(before))
  expect(Number(requests[0]!.parameters.time)).toBeLessThanOrEqual(Date.now() / 1000)
})

it("passes on the data source's own message when it rejects a query", async () => {
  respond = response => response.writeHead(400).end('{"error":"parse error: unexpected end of input"}')
  await expect(client.query('prometheus', 'sum(')).rejects.toMatchObject({
    name: 'LabError',
    found: expect.stringMatching(/^Grafana responded with 400 to \/api.*: \{"error":"parse error: unexpected end/),
    next: './lab logs grafana',
  })
})

it('names the address when Grafana is not responding, and how to reach it', async () => {
  const unused = port()
  server.close()
  await expect(client.get('/api/health')).rejects.toMatchObject({
    name: 'LabError',
    found: `Grafana is not responding at http://127.0.0.1:${unused}`,
    next: './lab status',
  })
  const existing = new GrafanaClient(settingsFor(unused, { cluster: { mode: 'existing', context: 'mine' } }))
  await expect(existing.get('/api/health')).rejects.toMatchObject({
    next: expect.stringContaining(`port-forward svc/grafana ${unused}:80`),
  })
})

it('sends at most 4 requests at once', async () => {
  let open = 0
  let most = 0
  const waiting: ServerResponse[] = []
  respond = response => {
    open++
    most = Math.max(most, open)
    waiting.push(response)
    response.on('finish', () => open--)
  }
  const done = Promise.all(Array.from({ length: 10 }, () => client.get('/api/health')))
  for (let answered = 0; answered < 10; ) {
    await expect.poll(() => waiting.length).toBeGreaterThan(0)
    for (const response of waiting.splice(0)) {
      response.end('{}')
      answered++
    }
  }
  await done
  expect(most).toBe(4)
})

it('asks again when a connection breaks off', async () => {
  let broken = 2
  respond = response => (broken-- > 0 ? void response.destroy() : void response.end('{"status":"ok"}'))
  expect(await client.get('/api/health')).toEqual({ status: 'ok' })
  expect(requests).toHaveLength(3)
})
