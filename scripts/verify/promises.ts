import { statSync } from 'node:fs'
import { execa } from 'execa'
import { addressesOf } from '../../shared/addresses.ts'
import { exportFile, namespaces } from '../../shared/names.ts'
import { labPath } from '../../shared/paths.ts'
import { readPolicy } from '../../shared/policy-file.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { nodeOf } from '../cluster/kind.ts'
import { kubectl } from '../cluster/kubectl.ts'
import { readWorkloads, sayTrouble } from '../cluster/workloads.ts'
import { sameKey } from '../policy/apply.ts'
import { type ClusterState, type PolicyState, readClusterState, stateOf } from '../policy/state.ts'
import type { Grafana } from '../telemetry/grafana.ts'
import type { PolicyKey } from '../tetragon/agent-policies.ts'
import { runningSource } from '../tetragon/tetra.ts'
import { fail, ok, proven, skip, type VerifyCheck } from './verify-check.ts'

/** All pods are ready. */
export async function verifyPods(): Promise<VerifyCheck[]> {
  const workloads = await readWorkloads()
  if (workloads.length === 0) return [fail('pods', 'workloads', 'none', 'those of the lab', './lab up')]
  return workloads.map(({ namespace, name, ready, wanted, trouble }) =>
    ready >= wanted && wanted > 0
      ? ok('pods', `${namespace}/${name}`, `${ready} of ${wanted} ready`)
      : fail(
          'pods',
          `${namespace}/${name}`,
          `${ready} of ${wanted} ready${trouble ? `: ${sayTrouble(trouble)}` : ''}`,
          'all of them',
          `./lab kubectl -n ${namespace} describe pods`,
        ),
  )
}

/** Prometheus reaches everything that it should. */
export async function verifyTargets(settings: Settings, grafana: Grafana): Promise<VerifyCheck[]> {
  const up = await grafana.prometheus('min by (job) (up)')
  const jobs = new Map(up.map(series => [series.labels.job ?? '', series.value]))
  const wanted = [
    'tetragon',
    'loki',
    settings.pipeline.shipper === 'otel' ? 'opentelemetry-collector' : 'fluent-bit',
    'kube-state-metrics',
    'node-exporter',
    'kubelet',
  ]
  if (settings.guestbook.images === 'lab') wanted.push('guestbook')
  const missing = wanted
    .filter(job => !jobs.has(job))
    .map(job => fail('targets', job, 'no such target', 'one that is up', './lab logs prometheus'))
  const found = [...jobs].map(([job, value]) =>
    value === 1
      ? ok('targets', job, 'up')
      : fail('targets', job, 'down', 'up', `curl -s localhost:${settings.ports.prometheus}/api/v1/targets`),
  )
  return [...found, ...missing]
}

/** Events of each kind arrive in Loki with the labels that every query relies on, and can be told apart by pod. */
export async function verifyLogs(grafana: Grafana): Promise<VerifyCheck[]> {
  const counts = await grafana.loki('sum by (tetragon_event_type) (count_over_time({service_name="tetragon"}[15m]))')
  const kinds = new Map(counts.map(series => [series.labels.tetragon_event_type ?? '', series.value]))
  const byKind = ['process_exec', 'process_exit', 'process_kprobe'].map(kind =>
    (kinds.get(kind) ?? 0) > 0
      ? ok('events', `${kind} in Loki`, `${kinds.get(kind)} in 15 min`)
      : fail('events', `${kind} in Loki`, 'none in 15 min', 'some', './lab logs shipper'),
  )
  const pods = await grafana.loki(
    'sum by (k8s_pod_name) (count_over_time({service_name="tetragon", k8s_namespace_name="application"} | k8s_pod_name=~".+" [15m]))',
  )
  const levels = await grafana.loki('sum by (detected_level) (count_over_time({service_name="tetragon"}[15m]))')
  const policies = await grafana.loki(
    'sum by (tetragon_policy_name) (count_over_time({service_name="tetragon", tetragon_policy_name=~".+"}[15m]))',
  )
  const some = (title: string, found: string[], expected: string) =>
    found.length > 0
      ? ok('events', title, found.join(', '))
      : fail('events', title, 'none', expected, './lab logs shipper')
  return [
    ...byKind,
    some(
      'events by pod',
      pods.map(series => series.labels.k8s_pod_name ?? ''),
      'pods of application',
    ),
    some(
      'events by policy',
      policies.map(series => series.labels.tetragon_policy_name ?? ''),
      'policies that fired',
    ),
    some(
      'severities',
      levels.map(series => series.labels.detected_level ?? '').filter(level => level !== '' && level !== 'unknown'),
      'info, warn, error, critical',
    ),
  ]
}

/** Both data sources work, as Grafana sees them. */
export async function verifyDataSources(grafana: Grafana): Promise<VerifyCheck[]> {
  return Promise.all(
    ['prometheus', 'loki'].map(async uid => {
      const { status, message } = await grafana.get<{ status: string; message: string }>(
        `/api/datasources/uid/${uid}/health`,
      )
      return status === 'OK'
        ? ok('grafana', `data source ${uid}`, message)
        : fail('grafana', `data source ${uid}`, message, 'OK', './lab logs grafana')
    }),
  )
}

/** The policies that the settings name are in the cluster, and no agent refuses one that is there. */
export async function verifyPolicies(settings: Settings): Promise<VerifyCheck[]> {
  return judgePolicies(
    settings.policies.apply.map(name => readPolicy(name).metadata),
    await readClusterState(),
  )
}

/** The same, of any cluster. @param wanted have to be there; others need not, but those that are have to be loaded too. */
export function judgePolicies(wanted: PolicyKey[], cluster: ClusterState): VerifyCheck[] {
  const others = cluster.objects.filter(object => !wanted.some(key => sameKey(key, object)))
  return [...wanted, ...others].map(key => {
    const state = stateOf(key, cluster)
    const check = `./lab policy check ${key.name}`
    return state.state === 'absent' ? judgePolicy(state) : proven(check, judgePolicy(state))
  })
}

function judgePolicy({ name, state, error, mode, counts }: PolicyState): VerifyCheck {
  const failed = (found: string, expected: string, next: string) => fail('policies', name, found, expected, next)
  switch (state) {
    case 'loaded':
      return ok('policies', name, `loaded, ${mode}, ${counts?.events} events`)
    case 'accepted':
      return ok('policies', name, 'in the cluster; no agent runs that could load it')
    case 'absent':
      return failed('not in the cluster', `that of policies/${name}.yaml`, `./lab policy apply ${name}`)
    case 'refused':
      return failed(`the agent refused it: ${error}`, 'a policy that it can load', `./lab policy remove ${name}`)
    case 'loading':
      return failed('not loaded yet', 'that every agent has loaded it', './lab logs tetragon')
  }
}

/** Every address answers. */
export async function verifyAddresses(settings: Settings): Promise<VerifyCheck[]> {
  if (settings.cluster.mode === 'existing')
    return [skip('addresses', 'ports', 'cluster.mode is existing: the lab maps no ports')]
  const paths: Record<string, string> = {
    guestbook: '/guestbook.php?cmd=get&key=messages',
    grafana: '/api/health',
    prometheus: '/-/ready',
    loki: '/ready',
    tetragon: '',
  }
  const answers = Object.entries(addressesOf(settings)).map(async ([name, address]) => {
    const url = address.replace('localhost', '127.0.0.1') + paths[name]
    const status = await fetch(url, { signal: AbortSignal.timeout(5000) }).then(
      answer => String(answer.status),
      (error: Error) => error.message,
    )
    return status === '200'
      ? ok('addresses', name, url)
      : fail('addresses', name, `${url}: ${status}`, '200', `./lab logs ${name}`)
  })
  return Promise.all(answers)
}

/** Tetragon, or what plays in its place, sees what it should. */
export async function verifySource(settings: Settings): Promise<VerifyCheck[]> {
  const source = await runningSource()
  const set = settings.tetragon.source
  const checks: VerifyCheck[] = [
    source === 'none' || (set !== 'auto' && set !== source)
      ? fail('source', 'source of events', source, set === 'auto' ? 'live or replay' : set, './lab up')
      : ok('source', 'source of events', source),
  ]
  if (settings.cluster.mode === 'create') {
    // The number of the machine's first process-id namespace is a constant of Linux: any other is a container's.
    const { stdout, stderr } = await execa(
      'docker',
      ['exec', nodeOf(settings.cluster.name), 'readlink', '/procHost/1/ns/pid'],
      { reject: false },
    )
    checks.push(
      stdout.trim() === 'pid:[4026531836]'
        ? ok('source', "the machine's /proc at /procHost", stdout.trim())
        : source === 'replay'
          ? skip(
              'source',
              "the machine's /proc at /procHost",
              `${stdout.trim() || stderr.trim() || 'not readable'}: not the machine's own, which a replay does not need`,
            )
          : fail(
              'source',
              "the machine's /proc at /procHost",
              stdout.trim() || stderr,
              'pid:[4026531836]',
              './lab doctor',
            ),
    )
  }
  if (source === 'live') checks.push(await verifyAgent())
  const daemon = source === 'live' ? ['ds/tetragon', '-c', 'tetragon'] : ['ds/tetragon-replay']
  const size = await kubectl([
    '-n',
    namespaces.monitoring,
    'exec',
    ...daemon,
    '--',
    'stat',
    '-c',
    '%s',
    `${exportFile.directory}/${exportFile.name}`,
  ])
  checks.push(
    Number(size) > 0
      ? ok('source', 'event file on the node', `${size.trim()} bytes`)
      : fail('source', 'event file on the node', 'empty', 'events', './lab logs tetragon'),
  )
  return checks
}

async function verifyAgent(): Promise<VerifyCheck> {
  const title = 'the agent sees the machine'
  const log = await kubectl(['-n', namespaces.monitoring, 'logs', 'ds/tetragon', '-c', 'tetragon', '--tail', '2000'])
  return log.includes('procfs does not appear to be host procfs')
    ? fail('source', title, 'its log says that /procHost is not the machine’s', 'the machine’s /proc', './lab doctor')
    : ok('source', title, 'its log does not complain of procfs')
}

/** Keys on this machine are for their owner alone. */
export function verifyFiles(settings: Settings): VerifyCheck[] {
  const files = [
    'passphrase',
    ...(settings.cluster.mode === 'create' ? ['kubeconfig'] : []),
    ...(settings.grafana.password ? [] : ['grafana-password']),
  ]
  return files.map(file => {
    const mode = (statSync(labPath(file)).mode & 0o777).toString(8)
    return mode === '600'
      ? ok('files', `.lab/${file}`, 'mode 600')
      : fail('files', `.lab/${file}`, `mode ${mode}`, 'mode 600', `chmod 600 ${labPath(file)}`)
  })
}
