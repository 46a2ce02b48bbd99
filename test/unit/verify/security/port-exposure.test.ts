import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  judgeNeighbors,
  judgeNodeSockets,
  judgeSockets,
  judgeVacantAddresses,
  verifyPorts,
} from '../../../../scripts/verify/security/port-exposure.ts'
import { parseSettings } from '../../../../shared/settings/parser.ts'
import { newFolder } from '../../support/folders.ts'

describe('verifyPorts', () => {
  afterEach(() => {
    vi.unstubAllEnvs()
  })

  /** Makes the checks with an engine in a VM and a docker command that fails for these arguments. */
  async function resultsWithout(pattern: string): Promise<Record<string, string>> {
    const folder = newFolder()
    const { info } = JSON.parse(readFileSync(join(import.meta.dirname, '../../engine/docker-info/colima.json'), 'utf8'))
    const ports = { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '1' }] }
    const script = `#!/bin/sh
case "$*" in
  ${pattern}) echo 'Error response from daemon: container is not running' >&2; exit 1 ;;
  info*) echo '${JSON.stringify(info)}' ;;
  inspect*) printf '%s\\t%s\\n' '${JSON.stringify(ports)}' kind ;;
  *curl*) exit 7 ;;
esac
`
    writeFileSync(join(folder, 'docker'), script, { mode: 0o755 })
    vi.stubEnv('PATH', `${folder}:${process.env.PATH}`)
    vi.stubEnv('DOCKER_HOST', 'unix:///Users/ada/.colima/default/docker.sock')
    const checks = await verifyPorts(parseSettings({}))
    return Object.fromEntries(checks.map(({ title, result }) => [title, result]))
  }

  it('makes the other checks when the sockets of the node cannot be read', async () => {
    expect(await resultsWithout('exec*cat*')).toEqual({
      'loopback only': 'ok',
      'sockets of this machine': 'skip',
      "this machine's other addresses": expect.stringMatching(/^(ok|skip)$/),
      'sockets of the node': 'fail',
      'neighbors that route through this machine': 'ok',
      'unused addresses of the cluster': 'ok',
    })
  })

  it('checks the port mappings and the node when the engine cannot be examined', async () => {
    expect(await resultsWithout('info*')).toMatchObject({
      'loopback only': 'ok',
      'sockets of this machine': 'fail',
      'sockets of the node': 'ok',
      'unused addresses of the cluster': 'ok',
    })
  })
})

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

  it('say when curl could not run', () => {
    expect(judge(127, 7).found).toBe('curl could not run in the node: exit code 127')
    expect(judge(127, 52).found).toBe('another machine responds at 10.244.255.254')
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
