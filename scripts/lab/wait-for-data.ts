import { setTimeout as sleep } from 'node:timers/promises'
import { LabError } from '../../shared/lab-error.ts'
import { namespaces, releases } from '../../shared/names.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { timeLimit } from '../../shared/time-limit.ts'
import { type ClusterAccess, kubectl } from '../cluster/kubectl.ts'
import { findStuckWorkloads, type StuckWorkload, stuckError } from '../cluster/stuck-workloads.ts'
import { parseSamples } from '../telemetry/query-response.ts'

/** A page whose content shows that one part of the lab has data. */
interface DataSign {
  name: string
  service: ServiceName
  /** Path and query. */
  path: string
  isPresent: (body: string) => boolean
}

type DataContext = ClusterAccess & { settings: Settings }

type ServiceName = 'guestbook' | 'grafana' | 'prometheus' | 'loki'

/** The services as the API server's proxy names them: namespace, then name and port. */
const proxied: Record<ServiceName, [namespace: string, service: string]> = {
  guestbook: [namespaces.application, 'frontend:80'],
  grafana: [namespaces.monitoring, `${releases.grafana}:80`],
  prometheus: [namespaces.monitoring, `${releases.prometheus}-prometheus:9090`],
  loki: [namespaces.monitoring, `${releases.loki}:3100`],
}

/** Returns the signs that data flows from end to end. */
function dataSigns({ guestbook, traffic, tetragon }: Settings): DataSign[] {
  // A cluster without the lab's application may be quiet.
  const hasEvents = guestbook.enabled || tetragon.source !== 'live'
  const hasSamples = (body: string) => parseSamples(JSON.parse(body)).length > 0
  const query = (path: string, parameters: Record<string, string>) => `${path}?${new URLSearchParams(parameters)}`
  const metric = (name: string, expression: string): DataSign => ({
    name,
    service: 'prometheus',
    path: query('/api/v1/query', { query: expression }),
    isPresent: hasSamples,
  })
  return [
    metric("Tetragon's metrics", 'tetragon_events_exported_total'),
    ...(guestbook.enabled && traffic.enabled ? [metric("the traffic's metrics", 'k6_http_reqs_total')] : []),
    ...only(hasEvents, {
      name: "Tetragon's events",
      service: 'loki',
      path: query('/loki/api/v1/query', { query: 'sum(count_over_time({service_name="tetragon"}[5m]))' }),
      isPresent: hasSamples,
    }),
    { name: 'Grafana', service: 'grafana', path: '/api/health', isPresent: body => body.includes('ok') },
    ...only(guestbook.enabled, {
      name: 'the Guestbook',
      service: 'guestbook',
      path: query('/guestbook.php', { cmd: 'get', key: 'messages' }),
      isPresent: body => body.includes('data'),
    }),
  ]
}

const only = (condition: boolean, sign: DataSign): DataSign[] => (condition ? [sign] : [])

/** Times how long one sign takes, as `Timeline.measure` does. */
type Measure = (name: string, work: () => Promise<void>) => Promise<void>

/**
 * Waits up to 90 s until there is data to see. A rate, which needs two samples, follows within one scrape interval.
 * In a cluster of the user's own no port is mapped, so the API server passes the requests on.
 * @param report receives the names of the parts that have no data yet, whenever the list changes.
 * @param measure records how long each part takes.
 * @throws LabError naming the parts that have no data.
 */
export async function waitForData(
  context: DataContext,
  report: (names: string) => void,
  measure: Measure = (_, work) => work(),
): Promise<void> {
  const startedAt = performance.now()
  const limitMs = timeLimit(90_000)
  const signs = dataSigns(context.settings)
  const missing = new Set(signs.map(({ name }) => name))
  const names = (): string => [...missing].join(', ')
  const waitFor = async (sign: DataSign): Promise<void> => {
    while (!(await isThere(context, sign))) {
      if (performance.now() - startedAt > limitMs) return
      await sleep(500)
    }
    missing.delete(sign.name)
    if (missing.size > 0) report(names())
  }
  report(names())
  await Promise.all(signs.map(sign => measure(sign.name, () => waitFor(sign))))
  if (missing.size > 0) throw await noDataError(context, names(), Math.round((performance.now() - startedAt) / 1000))
}

async function isThere(context: DataContext, { service, path, isPresent }: DataSign): Promise<boolean> {
  try {
    const { cluster, ports } = context.settings
    const body =
      cluster.mode === 'existing' ? await readThroughApi(context, service, path) : await readPort(ports[service], path)
    return body !== undefined && isPresent(body)
  } catch {
    return false
  }
}

async function readPort(port: number, path: string): Promise<string | undefined> {
  // A new connection each time. Right after a node has started, kube-proxy may still route to a pod that is gone,
  // another pod may have its address by now, and a kept-alive connection would stay with that pod.
  const options = { signal: AbortSignal.timeout(timeLimit(3000)), headers: { connection: 'close' } }
  const response = await fetch(`http://127.0.0.1:${port}${path}`, options)
  return response.ok ? response.text() : undefined
}

function readThroughApi(access: ClusterAccess, service: ServiceName, path: string): Promise<string> {
  const [namespace, name] = proxied[service]
  const proxy = `/api/v1/namespaces/${namespace}/services/${name}/proxy`
  return kubectl(access, ['get', '--raw', `${proxy}${path}`], { timeoutMs: 5000 })
}

/** Names the workload that is not ready, where there is one. */
async function noDataError(access: ClusterAccess, names: string, seconds: number): Promise<LabError> {
  const failed = `No data after ${seconds} s from ${names}`
  const [first, ...others] = await findStuckWorkloads(access).catch((): StuckWorkload[] => [])
  if (first) return stuckError([first, ...others], failed)
  return new LabError({ found: `${failed}, and all pods are ready`, next: './lab verify' })
}
