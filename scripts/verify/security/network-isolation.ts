import { namespaces } from '../../../shared/names.ts'
import { kubectl, runKubectl } from '../../cluster/kubectl.ts'
import type { Context } from '../../context/context.ts'
import { checksOf, type VerifyCheck } from '../verify-check.ts'

const { ok, fail, skip } = checksOf('security')
const title = 'network policies'

/** Addresses that the network policies allow the visitor to connect to, and some that they do not. */
const allowed = ['frontend:80']
const denied = ['redis-leader:6379', 'redis-follower:6379', `loki.${namespaces.monitoring}.svc:3100`]
/** The API server, and the kubelet on the node. Outgoing connections are restricted only in the lab's own cluster. */
const deniedOnNode = (node: string): string[] => ['kubernetes.default.svc:443', `${node}:10250`]

/** Program for Node in the visitor's pod. Prints which addresses accept a connection. */
const tryAddresses = `
const net = require('node:net')
const connect = address => new Promise(resolve => {
  const [host, port] = address.split(':')
  const socket = net.connect({ host, port: Number(port), timeout: 2000 })
  const finish = open => { socket.destroy(); resolve([address, open]) }
  socket.once('connect', () => finish(true)).once('timeout', () => finish(false)).once('error', () => finish(false))
})
Promise.all(process.argv.slice(1).map(connect)).then(all => console.log(JSON.stringify(Object.fromEntries(all))))
`

/** Checks that the cluster enforces the network policies, by attempting forbidden connections from the visitor's pod. */
export async function verifyNetworkPolicies(context: Context): Promise<VerifyCheck[]> {
  const { settings } = context
  if (!settings.cluster.networkPolicies)
    return [skip(title, 'cluster.networkPolicies is off: every pod can reach every other pod, and the internet')]
  if (!settings.guestbook.enabled) return [skip(title, 'guestbook.enabled is false: there is no visitor to try them')]
  const onNode = settings.cluster.mode === 'create' ? deniedOnNode(await visitorNode(context)) : []
  const exec = ['-n', namespaces.application, 'exec', 'deploy/visitor', '--']
  const { stdout, stderr, failed } = await runKubectl(
    context,
    [...exec, 'node', '-e', tryAddresses, ...allowed, ...denied, ...onNode],
    { timeoutMs: 30_000 },
  )
  if (failed) return [skip(title, `the visitor could not try them: ${stderr.trim().split('\n').at(-1)}`)]
  return [judgeNetwork(JSON.parse(stdout) as Record<string, boolean>, settings.cluster.mode)]
}

/** Returns the address of the visitor's node. */
const visitorNode = (context: Context): Promise<string> =>
  kubectl(context, [
    ...['get', 'pods', '-n', namespaces.application, '-l', 'app=visitor'],
    ...['-o', 'jsonpath={.items[0].status.hostIP}'],
  ])

/**
 * @param open for each address, whether the visitor can connect. A network that enforces no policies opens all of them.
 * @param mode whose cluster it is, and so whose network
 */
export function judgeNetwork(open: Record<string, boolean>, mode: 'create' | 'existing'): VerifyCheck {
  const next = './lab kubectl get networkpolicies -A'
  const forbidden = Object.keys(open).filter(address => !allowed.includes(address))
  const blocked = allowed.filter(address => !open[address])
  if (blocked.length > 0) return fail(title, { found: `the visitor cannot reach ${blocked.join(', ')}`, next })
  const reached = forbidden.filter(address => open[address])
  if (reached.length === 0)
    return ok(title, `enforced: the visitor reaches the Guestbook, but not ${forbidden.join(', ')}`)
  if (reached.length === forbidden.length)
    return skip(
      title,
      `the cluster's network enforces none of them: the visitor can reach ${reached.join(', ')}. ${notEnforcedReason[mode]}`,
    )
  return fail(title, { found: `the visitor can reach ${reached.join(', ')}`, next })
}

const notEnforcedReason = {
  create: 'With WSL 2 the kernel may lack what KinD needs (kind#3705): ./lab kubectl -n kube-system logs ds/kindnet',
  existing: 'They need a CNI plugin that enforces them, such as Cilium or Calico',
}
