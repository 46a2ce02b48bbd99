import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import semver from 'semver'
import { podSubnet, serviceSubnet } from '../../../shared/names.ts'
import { runLimited } from '../../../shared/run-limited.ts'
import type { Settings } from '../../../shared/settings/schema.ts'
import { nodeName } from '../../cluster/node-container.ts'
import { docker } from '../../engine/docker.ts'
import { type EngineFacts, readEngineFacts, runsInLocalVm } from '../../engine/engine-facts.ts'
import { acceptsConnections } from '../../engine/tcp-port.ts'
import { checksOf, eachCheck, readOnce, type VerifyCheck, withProof } from '../verify-check.ts'
import { isLoopback, type Listener, parseListeners, showListeners } from './listening-sockets.ts'

const { ok, fail, skip } = checksOf('addresses')

const titles = {
  bindings: 'loopback only',
  sockets: 'sockets of this machine',
  otherAddresses: "this machine's other addresses",
  nodeSockets: 'sockets of the node',
  neighbors: 'neighbors that route through this machine',
  vacantAddresses: 'unused addresses of the cluster',
}

/** Checks that only this machine can reach the lab's ports. */
export async function verifyPorts(settings: Settings): Promise<VerifyCheck[]> {
  if (settings.cluster.mode === 'existing')
    return [skip(titles.bindings, 'the lab maps no ports: cluster.mode is existing')]
  const node = nodeName(settings.cluster.name)
  const ports = readOnce(() => readNodePorts(node))
  const engine = readOnce(readEngine)
  return eachCheck('addresses', [
    [titles.bindings, async () => judgeBindings((await ports()).bindings, node)],
    [titles.sockets, async () => verifySockets((await ports()).bindings, await engine())],
    [titles.otherAddresses, async () => verifyOtherAddresses((await ports()).bindings, await engine())],
    [
      titles.nodeSockets,
      async () => judgeNodeSockets(parseListeners(await readNodeSockets(node)), (await ports()).network, node),
    ],
    [titles.neighbors, async () => judgeNeighbors(await engine(), (await ports()).network)],
    [titles.vacantAddresses, () => verifyVacantAddresses(node)],
  ])
}

async function readEngine(): Promise<EngineFacts> {
  const engine = await readEngineFacts(5000)
  if ('problem' in engine) throw engine.problem
  return engine
}

const readNodeSockets = (node: string): Promise<string> =>
  docker(['exec', node, 'cat', '/proc/net/tcp', '/proc/net/tcp6'])

/** Returns the ports of this machine that Docker maps to the node, and the network of the node. */
async function readNodePorts(node: string): Promise<{ bindings: Listener[]; network: string }> {
  const format = '{{json .NetworkSettings.Ports}}\t{{.HostConfig.NetworkMode}}'
  const [ports, network] = (await docker(['inspect', '--format', format, node])).trim().split('\t') as [string, string]
  const lists = Object.values(JSON.parse(ports) as Record<string, { HostIp: string; HostPort: string }[] | null>)
  const bindings = lists.flatMap(list =>
    (list ?? []).map(({ HostIp, HostPort }) => ({ address: HostIp, port: Number(HostPort) })),
  )
  return { bindings, network }
}

function judgeBindings(bindings: Listener[], node: string): VerifyCheck {
  const title = titles.bindings
  const showPorts = `docker port ${node}`
  const exposed = bindings.filter(({ address }) => !isLoopback(address))
  return withProof(
    showPorts,
    exposed.length === 0 && bindings.length > 0
      ? ok(title, `${bindings.length} ports on 127.0.0.1`)
      : fail(title, { found: showListeners(exposed) || 'no ports', expected: 'only 127.0.0.1', next: showPorts }),
  )
}

function verifySockets(bindings: Listener[], engine: EngineFacts): VerifyCheck {
  if (!engine.local)
    return skip(titles.sockets, 'Docker runs in a VM or elsewhere: its sockets are not in the /proc of this machine')
  const ports = new Set(bindings.map(({ port }) => port))
  const listeners = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap(file => parseListeners(readFileSync(file, 'utf8')))
  return judgeSockets(
    bindings,
    listeners.filter(({ port }) => ports.has(port)),
  )
}

/** @param listeners the sockets of this machine that listen on one of these ports. */
export function judgeSockets(bindings: Listener[], listeners: Listener[]): VerifyCheck {
  const exposed = listeners.filter(({ address }) => !isLoopback(address))
  const withoutSocket = bindings.filter(({ port }) => !listeners.some(listener => listener.port === port))
  if (exposed.length > 0) {
    const error = { found: showListeners(exposed), expected: 'only 127.0.0.1', next: 'ss -ltnp' }
    return withProof('ss -ltn', fail(titles.sockets, error))
  }
  if (withoutSocket.length > 0) {
    const ports = withoutSocket.map(({ port }) => port).join(', ')
    return skip(titles.sockets, `Docker forwards ${ports} by firewall rules alone: there is no socket to check`)
  }
  return withProof('ss -ltn', ok(titles.sockets, showListeners(listeners)))
}

/** Connects to this machine's other addresses, as another machine would. */
async function verifyOtherAddresses(bindings: Listener[], { system }: EngineFacts): Promise<VerifyCheck> {
  const title = titles.otherAddresses
  const addresses = Object.values(networkInterfaces())
    .flatMap(list => list ?? [])
    // A link-local address needs the name of its interface.
    .filter(({ internal, address }) => !internal && !address.startsWith('fe80:'))
    .map(({ address }) => address)
  if (addresses.length === 0) return skip(title, `${system} has no network except loopback`)
  const attempts = addresses.flatMap(address => bindings.map(({ port }) => ({ address, port })))
  const accepted = await Promise.all(attempts.map(listener => acceptsConnections(listener, 500)))
  const exposed = attempts.filter((_, index) => accepted[index])
  return exposed.length === 0
    ? ok(title, `connections are refused at ${addresses.join(', ')}`)
    : fail(title, { found: `connections are accepted at ${showListeners(exposed)}`, next: 'ss -ltnp' })
}

/** Programs that listen on the node's network. */
const nodePrograms: Record<number, string> = {
  2112: 'Tetragon',
  2379: 'etcd',
  2380: 'etcd',
  6443: 'API server',
  9100: 'node-exporter',
  10250: 'kubelet',
  10256: 'kube-proxy',
}

/** Checks that the node has its own network, of which only the mapped ports are reachable. */
export function judgeNodeSockets(listeners: Listener[], network: string, node: string): VerifyCheck {
  const title = titles.nodeSockets
  const ports = new Set(listeners.filter(({ address }) => !isLoopback(address)).map(({ port }) => port))
  const names = [...ports]
    .sort((a, b) => a - b)
    .map(port => (nodePrograms[port] ? `${port} ${nodePrograms[port]}` : String(port)))
    .join(', ')
  return withProof(
    `docker exec ${node} cat /proc/net/tcp6`,
    network === 'host'
      ? fail(title, {
          found: `on the network of this machine: ${names}`,
          expected: 'its own network',
          next: './lab down && ./lab up',
        })
      : ok(title, `on Docker's network ${network}, not on this machine's: ${names}`),
  )
}

/** The first version of Docker that drops packets from other machines to the addresses of its containers. */
const protectedSince = '28.0.0'

/**
 * Judges whether a machine in the same network segment can reach the node's own address through this machine. Docker
 * before 28 forwards such packets to mapped ports, even to those mapped to 127.0.0.1.
 */
export function judgeNeighbors(engine: EngineFacts, network: string): VerifyCheck {
  const title = titles.neighbors
  if (runsInLocalVm(engine)) return ok(title, `cannot reach the VM of ${engine.system}`)
  if (engine.rootless) return ok(title, 'cannot reach the network of a rootless Docker')
  const version = semver.coerce(engine.version)
  return version && semver.gte(version, protectedSince)
    ? ok(title, `Docker ${engine.version} drops their packets`)
    : skip(
        title,
        `Docker ${engine.version} forwards their packets for the network ${network} to the mapped ports; ${protectedSince} drops them`,
      )
}

/** The last address of the Services and of the pods, which nothing uses. */
const vacantAddresses = [serviceSubnet, podSubnet].map(subnet => subnet.replace('0.0/16', '255.254'))

async function verifyVacantAddresses(node: string): Promise<VerifyCheck> {
  const exitCodes = await Promise.all(
    vacantAddresses.map(async address => {
      const args = ['exec', node, 'curl', '--silent', '--output', '/dev/null', '--max-time', '2', `http://${address}`]
      return [address, (await runLimited('docker', args, { timeoutMs: 20_000 })).exitCode] as const
    }),
  )
  return withProof(`docker exec ${node} curl http://${vacantAddresses[0]}`, judgeVacantAddresses(new Map(exitCodes)))
}

/**
 * Checks that connections to unused addresses of the cluster do not leave the node, where another machine could answer
 * them.
 * @param exitCodes of curl for each address: 7 when the connection was refused, 28 after a timeout. 1, or 125 and above,
 * come from Docker, which could not run curl. Any other code means that a machine answered.
 */
export function judgeVacantAddresses(exitCodes: Map<string, number | undefined>): VerifyCheck {
  const title = titles.vacantAddresses
  const couldNotRun = (exitCode = 1) => exitCode === 1 || exitCode >= 125
  const others = [...exitCodes].filter(([, exitCode]) => exitCode !== 7)
  const leak = others.find(([, exitCode]) => !couldNotRun(exitCode)) ?? others[0]
  if (!leak) return ok(title, 'connections are refused in the node')
  const [address, exitCode] = leak
  const found = couldNotRun(exitCode)
    ? `curl could not run in the node: exit code ${exitCode ?? 'unknown'}`
    : exitCode === 28
      ? `connections to ${address} leave the node`
      : `another machine responds at ${address}`
  return fail(title, { found, next: './lab up' })
}
