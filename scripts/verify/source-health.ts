import { execa } from 'execa'
import { exportFile, namespaces } from '../../shared/names.ts'
import { type ClusterAccess, kubectl } from '../cluster/kubectl.ts'
import { nodeName } from '../cluster/node-container.ts'
import type { Context } from '../context/context.ts'
import { runningSource } from '../tetragon/running-source.ts'
import { checksOf, type VerifyCheck } from './verify-check.ts'

const { ok, fail, skip } = checksOf('source')

type Source = Awaited<ReturnType<typeof runningSource>>

/** Checks that the event source of the settings runs, sees the machine's processes and writes events. */
export async function verifySource(context: Context): Promise<VerifyCheck[]> {
  const { settings } = context
  const source = await runningSource(context)
  return [
    judgeSource(source, settings.tetragon.source),
    ...(settings.cluster.mode === 'create' ? [await verifyProcMount(nodeName(settings.cluster.name), source)] : []),
    ...(source === 'live' ? [await verifyAgentLog(context)] : []),
    await verifyEventFile(context, source),
  ]
}

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

async function verifyProcMount(node: string, source: Source): Promise<VerifyCheck> {
  const title = "the machine's /proc at /procHost"
  const args = ['exec', node, 'readlink', '/procHost/1/ns/pid']
  const { stdout, stderr } = await execa('docker', args, { reject: false })
  const found = stdout.trim() || stderr.trim() || 'not readable'
  if (found === firstPidNamespace) return ok(title, found)
  return source === 'replay'
    ? skip(title, `${found}: not the machine's own, which a replay does not need`)
    : fail(title, { found, expected: firstPidNamespace, next: './lab doctor' })
}

async function verifyAgentLog(access: ClusterAccess): Promise<VerifyCheck> {
  const title = 'the agent reads the machine’s /proc'
  const agent = ['logs', '-n', namespaces.monitoring, 'ds/tetragon', '-c', 'tetragon']
  const log = await kubectl(access, [...agent, '--tail', '2000'])
  return log.includes('procfs does not appear to be host procfs')
    ? fail(title, { found: 'its log says that /procHost is not the machine’s /proc', next: './lab doctor' })
    : ok(title, 'its log has no warning about procfs')
}

async function verifyEventFile(access: ClusterAccess, source: Source): Promise<VerifyCheck> {
  const title = 'event file on the node'
  const pod = source === 'live' ? ['ds/tetragon', '-c', 'tetragon'] : ['ds/tetragon-replay']
  const exec = ['-n', namespaces.monitoring, 'exec', ...pod, '--']
  const size = await kubectl(access, [...exec, 'stat', '-c', '%s', `${exportFile.directory}/${exportFile.name}`])
  return Number(size) > 0
    ? ok(title, `${size.trim()} bytes`)
    : fail(title, { found: 'empty', expected: 'events', next: './lab logs tetragon' })
}
