import { portForwardCommands } from '../../shared/addresses.ts'
import { dataSources, releases } from '../../shared/names.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import type { GrafanaClient } from '../telemetry/grafana-client.ts'
import { checksOf, eachCheck, type VerifyCheck } from './verify-check.ts'

/** Checks that Prometheus has every scrape target of the lab, and reaches all its targets. */
export async function verifyTargets(settings: Settings, grafana: GrafanaClient): Promise<VerifyCheck[]> {
  const { pipeline, guestbook, ports, cluster } = settings
  const targets = `curl -s localhost:${ports.prometheus}/api/v1/targets`
  const next = cluster.mode === 'existing' ? `${portForwardCommands(settings).prometheus} & ${targets}` : targets
  const { ok, fail } = checksOf('targets')
  const expected = [
    'tetragon',
    'loki',
    pipeline.shipper === 'otel' ? 'opentelemetry-collector' : 'fluent-bit',
    'kube-state-metrics',
    'node-exporter',
    'kubelet',
    ...(pipeline.gateway.replicas > 0 ? [releases.otelGateway] : []),
    ...(guestbook.enabled && guestbook.images === 'lab' ? ['guestbook'] : []),
  ]
  const samples = await grafana.query('prometheus', 'min by (job) (up)')
  // In a cluster of the user's own, Prometheus also scrapes what the user's monitors name.
  const isLabs = (job: string): boolean => cluster.mode === 'create' || expected.includes(job)
  const jobs = new Map(
    samples.filter(({ labels }) => isLabs(labels.job ?? '')).map(({ labels, value }) => [labels.job ?? '', value]),
  )
  const missing = expected.filter(job => !jobs.has(job))
  return [
    ...[...jobs].map(([job, value]) =>
      value === 1 ? ok(job, 'up') : fail(job, { found: 'down', expected: 'up', next }),
    ),
    ...missing.map(job => fail(job, { found: 'no such target', next: './lab logs prometheus' })),
  ]
}

/** Checks that events of each type reach Loki, with the labels that the dashboards filter by. */
export async function verifyEvents({ guestbook, policies }: Settings, grafana: GrafanaClient): Promise<VerifyCheck[]> {
  const { ok, fail } = checksOf('events')
  const next = './lab logs shipper'
  /** Returns the number of events of the last 15 min by the values of a label. */
  const countBy = async (label: string, log = '{service_name="tetragon"}'): Promise<Map<string, number>> => {
    const samples = await grafana.query('loki', `sum by (${label}) (count_over_time(${log}[15m]))`)
    return new Map(samples.map(({ labels, value }) => [labels[label] ?? '', value]))
  }
  const someValues = (title: string, values: string[], expected: string): VerifyCheck =>
    values.length > 0 ? ok(title, values.join(', ')) : fail(title, { found: 'none', expected, next })
  const judgeTypes = (types: ReadonlyMap<string, number>): VerifyCheck[] =>
    ['process_exec', 'process_exit', ...(hasPolicies ? ['process_kprobe'] : [])].map(type => {
      const count = types.get(type) ?? 0
      return count > 0
        ? ok(`${type} in Loki`, `${count} in 15 min`)
        : fail(`${type} in Loki`, { found: 'none in 15 min', next })
    })
  // Without them, policies come through GitOps, and the lab does not know which.
  const hasPolicies = policies.apply.length > 0
  const observed = guestbook.enabled ? '="application"' : '!=""'
  const ofPods = `{service_name="tetragon", k8s_namespace_name${observed}} | k8s_pod_name=~".+" `
  const ofPolicies = '{service_name="tetragon", tetragon_policy_name=~".+"}'
  const check = (title: string, expected: string, read: () => Promise<Map<string, number>>) =>
    [
      title,
      async () => {
        const values = [...(await read()).keys()].filter(value => value !== '' && value !== 'unknown')
        return someValues(title, values, expected)
      },
    ] as const
  return eachCheck('events', [
    ['events in Loki', async () => judgeTypes(await countBy('tetragon_event_type'))],
    check('events by pod', guestbook.enabled ? 'pods of the namespace application' : 'pods', () =>
      countBy('k8s_pod_name', ofPods),
    ),
    ...(hasPolicies
      ? [
          check('events by policy', 'policies that match the traffic', () =>
            countBy('tetragon_policy_name', ofPolicies),
          ),
        ]
      : []),
    check('severities', 'info, warn, error, critical', () => countBy('detected_level')),
  ])
}

/** Checks that Grafana reaches both data sources. */
export async function verifyDataSources(grafana: GrafanaClient): Promise<VerifyCheck[]> {
  const { ok, fail } = checksOf('grafana')
  const check = async (title: string, uid: string): Promise<VerifyCheck> => {
    const path = `/api/datasources/uid/${uid}/health`
    const { status, message } = await grafana.get<{ status: string; message: string }>(path)
    return status === 'OK' ? ok(title, message) : fail(title, { found: message, next: './lab logs grafana' })
  }
  const titles = Object.values(dataSources).map(uid => [`data source ${uid}`, uid] as const)
  return eachCheck(
    'grafana',
    titles.map(([title, uid]) => [title, () => check(title, uid)] as const),
  )
}
