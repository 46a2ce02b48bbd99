import { readFileSync } from 'node:fs'
import { BlockList, isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'
import { execa } from 'execa'
import semver from 'semver'
import { podSubnet, serviceSubnet } from '../../shared/names.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { nodeOf } from '../cluster/kind.ts'
import { docker } from '../engine/docker.ts'
import { type EngineFacts, engineFacts, inMachine } from '../engine/engine-facts.ts'
import { isTaken } from '../engine/tcp-port.ts'
import { fail, ok, proven, skip, type VerifyCheck } from './verify-check.ts'

// Nothing listens beyond loopback: as Docker says, as the kernel of this machine says, as somebody finds who tries it at the machine's other
// addresses, and what is left for a neighbour who tries harder. And what listens inside the node, which is a machine of its own to Docker.

/** A socket that waits for connections. */
export interface Listener {
  address: string
  port: number
}

const area = 'addresses'

/** Sockets that listen, from `/proc/net/tcp` or `/proc/net/tcp6`. Both processors that the lab runs on write a word's lowest byte first. */
export function parseListeners(table: string): Listener[] {
  return table
    .split('\n')
    .slice(1)
    .map(line => line.trim().split(/\s+/))
    .filter(([, , , state]) => state === '0A')
    .map(([, local]) => {
      const [address, port] = local!.split(':')
      return { address: readAddress(address!), port: Number.parseInt(port!, 16) }
    })
}

function readAddress(hex: string): string {
  const bytes = hex.match(/.{8}/g)!.flatMap(word => word.match(/../g)!.reverse())
  const numbers = bytes.map(byte => Number.parseInt(byte, 16))
  if (numbers.length === 4) return numbers.join('.')
  // IPv4 on a socket for both.
  if (bytes.slice(0, 12).join('') === `${'00'.repeat(10)}ffff`.toUpperCase()) return numbers.slice(12).join('.')
  const groups = bytes.join('').match(/.{4}/g)!.join(':')
  // The shortest way to write it, as a URL has it.
  return new URL(`http://[${groups}]`).hostname.slice(1, -1)
}

const loopbacks = new BlockList()
loopbacks.addSubnet('127.0.0.0', 8)
loopbacks.addAddress('::1', 'ipv6')

/** Whether only this machine itself reaches an address. */
export const isLoopback = (address: string): boolean => loopbacks.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')

/** Everything that listens for the lab, and who reaches it. */
export async function verifyListeners(settings: Settings): Promise<VerifyCheck[]> {
  if (settings.cluster.mode === 'existing')
    return [skip(area, 'loopback only', 'cluster.mode is existing: the lab maps no ports')]
  const node = nodeOf(settings.cluster.name)
  const [inspected, engine, tables] = await Promise.all([
    docker(['inspect', '--format', '{{json .NetworkSettings.Ports}}\t{{.HostConfig.NetworkMode}}', node]),
    engineFacts(5000),
    docker(['exec', node, 'cat', '/proc/net/tcp', '/proc/net/tcp6']),
  ])
  if ('problem' in engine) throw engine.problem
  const [ports, network] = inspected.trim().split('\t') as [string, string]
  const bound = Object.values(
    JSON.parse(ports) as Record<string, { HostIp: string; HostPort: string }[] | null>,
  ).flatMap(list => (list ?? []).map(({ HostIp, HostPort }) => ({ address: HostIp, port: Number(HostPort) })))
  return [
    judgeBindings(bound, node),
    judgeHost(bound, engine),
    await tryOtherAddresses(bound, engine),
    judgeNode(parseListeners(tables), network, node),
    judgeNeighbours(engine, network),
    await tryVacantAddresses(node),
  ]
}

const show = (listeners: Listener[]): string =>
  listeners.map(({ address, port }) => (isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`)).join(', ')

/** What Docker was told. */
function judgeBindings(bound: Listener[], node: string): VerifyCheck {
  const open = bound.filter(({ address }) => !isLoopback(address))
  return proven(
    `docker port ${node}`,
    open.length === 0 && bound.length > 0
      ? ok(area, 'loopback only', `${bound.length} ports on 127.0.0.1`)
      : fail(area, 'loopback only', show(open) || 'no ports', '127.0.0.1 alone', `docker port ${node}`),
  )
}

/** What the kernel of this machine has open for it. */
function judgeHost(bound: Listener[], engine: EngineFacts): VerifyCheck {
  const title = 'sockets of this machine'
  if (!engine.local)
    return skip(
      area,
      title,
      'Docker runs in a virtual machine or elsewhere: its sockets are not in a /proc of this machine',
    )
  const ports = new Set(bound.map(({ port }) => port))
  const listening = ['/proc/net/tcp', '/proc/net/tcp6']
    .flatMap(file => parseListeners(readFileSync(file, 'utf8')))
    .filter(({ port }) => ports.has(port))
  return judgeSockets(bound, listening)
}

/** @param listening what listens on one of these ports */
export function judgeSockets(bound: Listener[], listening: Listener[]): VerifyCheck {
  const title = 'sockets of this machine'
  const proof = 'ss -ltn'
  const open = listening.filter(({ address }) => !isLoopback(address))
  if (open.length > 0) return proven(proof, fail(area, title, show(open), '127.0.0.1 alone', 'ss -ltnp'))
  const missing = bound.filter(({ port }) => !listening.some(each => each.port === port))
  if (missing.length > 0)
    return skip(
      area,
      title,
      `Docker forwards ${missing.map(({ port }) => port).join(', ')} by firewall rules alone: no socket shows`,
    )
  return proven(proof, ok(area, title, show(listening)))
}

/** What answers to somebody who comes by another of this machine's addresses, as everybody in the room does. */
async function tryOtherAddresses(bound: Listener[], { system }: EngineFacts): Promise<VerifyCheck> {
  const title = "this machine's other addresses"
  const addresses = Object.values(networkInterfaces())
    .flatMap(list => list ?? [])
    // An address of the link alone would need to be told which link.
    .filter(({ internal, address }) => !internal && !address.startsWith('fe80:'))
    .map(({ address }) => address)
  if (addresses.length === 0) return skip(area, title, `${system} has no network but loopback`)
  const tries = addresses.flatMap(address => bound.map(({ port }) => ({ address, port })))
  const answers = await Promise.all(tries.map(listener => isTaken(listener, 500)))
  const open = tries.filter((_, index) => answers[index])
  return open.length === 0
    ? ok(area, title, `nothing answers at ${addresses.join(', ')}`)
    : fail(area, title, `something answers at ${show(open)}`, 'nothing', 'ss -ltnp')
}

/** What is known to listen on the node's network. */
const known: Record<number, string> = {
  2112: 'Tetragon',
  2379: 'etcd',
  2380: 'etcd',
  6443: 'API server',
  9100: 'node-exporter',
  10250: 'kubelet',
  10256: 'kube-proxy',
}

/**
 * What listens in the node, on all of its addresses. The node has a network of its own, so that this is not this machine's: only the mapped ports
 * lead there. Were it on the machine's network, all of it would be open.
 */
export function judgeNode(listening: Listener[], network: string, node: string): VerifyCheck {
  const title = 'sockets of the node'
  const open = [...new Set(listening.filter(({ address }) => !isLoopback(address)).map(({ port }) => port))]
  const names = open.sort((a, b) => a - b).map(port => (known[port] ? `${port} ${known[port]}` : String(port)))
  return proven(
    `docker exec ${node} cat /proc/net/tcp6`,
    network === 'host'
      ? fail(
          area,
          title,
          `on the network of this machine: ${names.join(', ')}`,
          'a network of its own',
          './lab down && ./lab up',
        )
      : ok(area, title, `on Docker's network ${network}, not on this machine's: ${names.join(', ')}`),
  )
}

/** The first version of Docker that refuses what was not sent to this machine itself. */
const closed = '28.0.0'

/**
 * A neighbour in the same network segment can send packets for the node's own address to this machine, which forwards them: older Dockers let those
 * through to ports that are mapped, also where they are mapped to 127.0.0.1.
 */
export function judgeNeighbours(engine: EngineFacts, network: string): VerifyCheck {
  const title = 'neighbours who route through this machine'
  if (inMachine(engine)) return ok(area, title, `cannot reach the virtual machine of ${engine.system}`)
  if (engine.rootless) return ok(area, title, 'cannot reach the network of a rootless Docker')
  const version = semver.coerce(engine.version)
  return version && semver.gte(version, closed)
    ? ok(area, title, `are refused by Docker ${engine.version}`)
    : skip(
        area,
        title,
        `Docker ${engine.version} would let one who knows the addresses of its network ${network} through to the mapped ports; ${closed} refuses`,
      )
}

/** The last addresses that a Service and a pod could have; nobody has them. */
const vacant = [serviceSubnet, podSubnet].map(subnet => subnet.replace('0.0/16', '255.254'))

/** Who answers in the name of a Service or a pod that is not there, or not there yet. */
async function tryVacantAddresses(node: string): Promise<VerifyCheck> {
  const codes = await Promise.all(
    vacant.map(async address => {
      const args = ['exec', node, 'curl', '--silent', '--output', '/dev/null', '--max-time', '2', `http://${address}`]
      return [address, (await execa('docker', args, { reject: false })).exitCode] as const
    }),
  )
  return proven(`docker exec ${node} curl http://${vacant[0]}`, judgeVacantAddresses(new Map(codes)))
}

/** @param codes curl's exit code for each address: 7 when the connection was refused, 28 when nobody answered in time, 0 when somebody did. */
export function judgeVacantAddresses(codes: Map<string, number | undefined>): VerifyCheck {
  const title = 'addresses of the cluster'
  const [open] = [...codes].filter(([, code]) => code !== 7)
  if (!open) return ok(area, title, 'stay in the node: where no Service and no pod is, the connection is refused')
  const [address, code] = open
  const found = code === 0 ? `a stranger answers at ${address}` : `${address} is asked outside of the node`
  return fail(area, title, found, 'a connection that is refused', './lab up')
}
