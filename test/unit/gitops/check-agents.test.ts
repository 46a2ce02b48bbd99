import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  type Agent,
  type Check,
  checkAgents,
  problemsOf,
  readAgents,
} from '../../../gitops/check-agents/check-agents.mts'

const policies = ['application/deny-wget', 'tcp-connect']
const check: Check = { prometheus: '', policies, job: 'tetragon', agentsDown: 0 }
const agent = (node: string, change: Partial<Agent> = {}): Agent => ({
  node,
  up: true,
  scrapedAt: 200,
  received: new Set(policies),
  refused: 0,
  ...change,
})

describe('the problems of agents', () => {
  const problems = (agents: Agent[], change: Partial<Check> = {}) => problemsOf(agents, { ...check, ...change }, 100)
  const nothing: string[] = []

  test.each<[string, Agent[], Partial<Check>, string[], string[]]>([
    ['all loaded', [agent('a'), agent('b')], {}, nothing, nothing],
    ['no agent', [], {}, nothing, ['Prometheus scrapes no agent']],
    ['one refused', [agent('a'), agent('b', { refused: 1 })], {}, ['b: could not load 1 policy'], nothing],
    [
      'an agent that has not reported since the sync, with an old refusal',
      [agent('a', { scrapedAt: 99, refused: 2 })],
      {},
      nothing,
      ['a: has not been scraped since the sync'],
    ],
    [
      'an agent without the policy',
      [agent('a', { received: new Set(['tcp-connect']) })],
      {},
      nothing,
      ['a: has not received application/deny-wget'],
    ],
    ['an agent that is down', [agent('a'), agent('b', { up: false })], {}, nothing, ['b: the agent is down']],
    ['an agent that may be down', [agent('a'), agent('b', { up: false })], { agentsDown: 1 }, nothing, nothing],
  ])('%s', (_, agents, change, refused, pending) => {
    expect(problems(agents, change)).toEqual({ refused, pending })
  })
})

describe('with Prometheus', () => {
  let server: Server
  let address: string
  /** What the fake Prometheus answers, by the metric in the query. */
  let answers: Record<string, { metric: Record<string, string>; value: string }[]>
  let queries: string[]
  const at = (node: string) => ({ instance: `${node}:2112`, node })

  beforeEach(async () => {
    queries = []
    answers = {
      up: ['a', 'b'].map(node => ({ metric: at(node), value: '1' })),
      timestamp: ['a', 'b'].map(node => ({ metric: at(node), value: String(Date.now() / 1000 + 60) })),
      refused: [],
      received: ['a', 'b'].flatMap(node =>
        policies.map(policy => {
          const [name, namespace = ''] = policy.split('/').reverse()
          return { metric: { ...at(node), policy: name!, policy_namespace: namespace }, value: '4096' }
        }),
      ),
    }
    server = createServer((request, response) => {
      const query = new URL(request.url!, 'http://prometheus').searchParams.get('query')!
      queries.push(query)
      const kind = query.startsWith('up') ? 'up' : query.startsWith('timestamp') ? 'timestamp' : undefined
      const result = answers[kind ?? (query.includes('error|load_error') ? 'refused' : 'received')]!
      response.setHeader('content-type', 'application/json')
      response.end(
        JSON.stringify({ data: { result: result.map(({ metric, value }) => ({ metric, value: [0, value] })) } }),
      )
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterEach(() => server.close())

  const run = () => checkAgents({ ...check, prometheus: address }, 0, 1)

  test('succeeds when every agent has loaded every policy', async () => {
    expect(await run()).toEqual([])
    expect(await readAgents({ ...check, prometheus: address })).toMatchObject([
      { node: 'a', up: true, received: new Set(policies), refused: 0 },
      { node: 'b' },
    ])
    expect(queries.find(query => query.includes('kernel_memory'))).toContain('policy=~"deny-wget|tcp-connect"')
  })

  test('fails when an agent could not load one', async () => {
    answers.refused = [{ metric: { instance: 'b:2112' }, value: '1' }]
    expect(await run()).toEqual(['b: could not load 1 policy'])
  })

  test('waits for a scrape after the sync, and says which agent had none', async () => {
    answers.timestamp![1]!.value = String(Date.now() / 1000 - 1)
    expect(await run()).toEqual(['b: has not been scraped since the sync'])
  })

  test('says that Prometheus does not respond', async () => {
    server.close()
    server.closeAllConnections()
    expect(await run()).toEqual([`${address}: fetch failed`])
  })
})
