import { exportFile, namespaces } from '../../shared/names.ts'
import { runLimited } from '../../shared/run-limited.ts'
import { type ClusterAccess, kubectl } from '../cluster/kubectl.ts'
import { nodeName } from '../cluster/node-container.ts'
import type { Context } from '../context/context.ts'
import { kernelDecision } from '../kernel/decision.ts'
import { runningSource } from '../tetragon/running-source.ts'
import { checksOf, eachCheck, type VerifyCheck } from './verify-check.ts'

const { ok, fail, skip } = checksOf('source')

type Source = Awaited<ReturnType<typeof runningSource>>

const logTitle = 'the agent reads the machine’s /proc'
const fileTitle = 'event file on the node'

/** Checks that the event source of the settings runs, sees the machine's processes and writes events. */
export async function verifySource(context: Context): Promise<VerifyCheck[]> {
  const { settings } = context
  const source = await runningSource(context)
  const pids = await pidView(context)
  const checkProcMount = async () => judgeProcMount(await procMount(nodeName(settings.cluster.name)), source, pids)
  return eachCheck('source', [
    ['event source', () => judgeSource(source, settings.tetragon.source)],
    ["the machine's /proc at /procHost", () => (settings.cluster.mode === 'create' ? checkProcMount() : [])],
    [logTitle, async () => (source === 'live' ? judgeAgentLog(await agentLog(context), pids) : [])],
    [fileTitle, () => verifyEventFile(context, source)],
  ])
}

/**
 * The processes that containers can see at most: all of the machine's, or only those of the engine's own PID namespace,
 * as with WSL 2 and OrbStack. The kernel probe knows which, and `lab doctor` warns about the latter.
 */
type PidView = 'machine' | 'engine'

async function pidView({ settings, env }: Context): Promise<PidView> {
  const { probed, features } = await kernelDecision({ cluster: settings.cluster, pull: false, env })
  return probed !== 'none' && !features.hostPids ? 'engine' : 'machine'
}

const engineNamespace =
  'Docker runs in a PID namespace of its own here, so events do not name processes that started before Tetragon'

function judgeSource(source: Source, configured: Source | 'auto'): VerifyCheck {
  const title = 'event source'
  if (source !== 'none' && (configured === 'auto' || configured === source)) return ok(title, source)
  return fail(title, {
    found: source,
    expected: configured === 'auto' ? 'live or replay' : configured,
    next: './lab up',
  })
}

/** Linux gives the machine's first PID namespace this number. Any other is a container's. */
const firstPidNamespace = 'pid:[4026531836]'

async function procMount(node: string): Promise<string> {
  const args = ['exec', node, 'readlink', '/procHost/1/ns/pid']
  const { stdout, stderr } = await runLimited('docker', args, { timeoutMs: 20_000 })
  return stdout.trim() || stderr.trim() || 'not readable'
}

/** @param found the PID namespace of process 1 in the node's /procHost, or why it cannot be read. */
export function judgeProcMount(found: string, source: Source, pids: PidView): VerifyCheck {
  const title = "the machine's /proc at /procHost"
  if (found === firstPidNamespace) return ok(title, found)
  if (source === 'replay') return skip(title, `${found}: not the machine's own, which a replay does not need`)
  if (pids === 'engine' && /^pid:\[\d+\]$/.test(found)) return skip(title, `${found}: ${engineNamespace}`)
  return fail(title, { found, expected: firstPidNamespace, next: './lab doctor' })
}

const agentLog = (access: ClusterAccess): Promise<string> =>
  kubectl(access, ['logs', '-n', namespaces.monitoring, 'ds/tetragon', '-c', 'tetragon', '--tail', '2000'])

/** Checks that the agent has not complained about the /proc that it was given. */
export function judgeAgentLog(log: string, pids: PidView): VerifyCheck {
  const title = logTitle
  if (!log.includes('procfs does not appear to be host procfs')) return ok(title, 'its log has no warning about procfs')
  return pids === 'engine'
    ? skip(title, engineNamespace)
    : fail(title, { found: 'its log says that /procHost is not the machine’s /proc', next: './lab doctor' })
}

async function verifyEventFile(access: ClusterAccess, source: Source): Promise<VerifyCheck> {
  const title = fileTitle
  const pod = source === 'live' ? ['ds/tetragon', '-c', 'tetragon'] : ['ds/tetragon-replay']
  const exec = ['-n', namespaces.monitoring, 'exec', ...pod, '--']
  const size = await kubectl(access, [...exec, 'stat', '-c', '%s', `${exportFile.directory}/${exportFile.name}`])
  return Number(size) > 0
    ? ok(title, `${size.trim()} bytes`)
    : fail(title, { found: 'empty', expected: 'events', next: './lab logs tetragon' })
}
