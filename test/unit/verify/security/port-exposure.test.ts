import { describe, expect, it } from 'vitest'
import {
  judgeNeighbors,
  judgeNodeSockets,
  judgeSockets,
  judgeVacantAddresses,
} from '../../../../scripts/verify/security/port-exposure.ts'

describe('sockets of this machine', () => {
  const bindings = [
    { address: '127.0.0.1', port: 3000 },
    { address: '127.0.0.1', port: 8080 },
  ]

  it('pass on loopback', () => {
    expect(judgeSockets(bindings, bindings)).toMatchObject({ result: 'ok', found: '127.0.0.1:3000, 127.0.0.1:8080' })
  })

  it('fail on any other address', () => {
    expect(judgeSockets(bindings, [...bindings, { address: '::', port: 3000 }])).toMatchObject({
      result: 'fail',
      found: '[::]:3000',
    })
  })

  it('are skipped when Docker forwards a port without a socket', () => {
    expect(judgeSockets(bindings, bindings.slice(1))).toMatchObject({
      result: 'skip',
      found: expect.stringContaining('3000'),
    })
  })
})

describe('sockets of the node', () => {
  const listeners = [
    { address: '::', port: 6443 },
    { address: '::', port: 10250 },
    { address: '127.0.0.1', port: 10257 },
    { address: '0.0.0.0', port: 4711 },
  ]

  it('pass on a network of its own, with the programs that listen', () => {
    expect(judgeNodeSockets(listeners, 'kind', 'lab-control-plane')).toMatchObject({
      result: 'ok',
      found: "on Docker's network kind, not on this machine's: 4711, 6443 API server, 10250 kubelet",
    })
  })

  it('fail on the network of this machine', () => {
    expect(judgeNodeSockets(listeners, 'host', 'lab-control-plane').result).toBe('fail')
  })
})

describe('unused addresses of the cluster', () => {
  const judge = (service: number, pod: number) =>
    judgeVacantAddresses(
      new Map([
        ['10.96.255.254', service],
        ['10.244.255.254', pod],
      ]),
    )

  it('pass when connections are refused', () => {
    expect(judge(7, 7).result).toBe('ok')
  })

  it('fail when another machine responds', () => {
    expect(judge(0, 7)).toMatchObject({ result: 'fail', found: 'another machine responds at 10.96.255.254' })
  })

  it('fail when connections leave the node', () => {
    expect(judge(7, 28)).toMatchObject({ result: 'fail', found: 'connections to 10.244.255.254 leave the node' })
  })
})

describe('neighbors', () => {
  const engine = {
    version: '28.2.2',
    product: 'Docker Engine',
    system: 'Debian',
    endpoint: 'unix:///var/run/docker.sock',
    local: true,
    rootless: false,
  }

  it.each([
    ['Docker 28', {}, 'ok'],
    ['Docker before 28', { version: '27.5.1' }, 'skip'],
    ["a distribution's old Docker", { version: '20.10.24+dfsg1' }, 'skip'],
    ['a rootless Docker before 28', { version: '27.5.1', rootless: true }, 'ok'],
    ['Docker Desktop before 28', { version: '27.5.1', product: 'Docker Desktop', local: false }, 'ok'],
  ])('%s, which differs by %j, gives %s', (_, more, expected) => {
    expect(judgeNeighbors({ ...engine, ...more } as never, 'kind').result).toBe(expected)
  })
})
