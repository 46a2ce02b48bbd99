import { setTimeout as sleep } from 'node:timers/promises'
import { LabError } from '../../shared/lab-error.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import type { ClusterAccess } from '../cluster/kubectl.ts'
import { describeTrouble, readWorkloads, type Workload } from '../cluster/workloads.ts'
import { parseSamples } from '../telemetry/query-response.ts'

/** A page whose content shows that one part of the lab has data. */
interface DataSign {
  name: string
  url: string
  isPresent: (body: string) => boolean
}

/** Returns the signs that data flows from end to end. */
function dataSigns({ ports, traffic }: Settings): DataSign[] {
  const hasSamples = (body: string) => parseSamples(JSON.parse(body)).length > 0
  const url = (port: number, path: string, parameters = {}) =>
    `http://127.0.0.1:${port}${path}?${new URLSearchParams(parameters)}`
  const metric = (name: string, query: string): DataSign => ({
    name,
    url: url(ports.prometheus, '/api/v1/query', { query }),
    isPresent: hasSamples,
  })
  return [
    metric("Tetragon's metrics", 'tetragon_events_exported_total'),
    ...(traffic.enabled ? [metric("the traffic's metrics", 'k6_http_reqs_total')] : []),
    {
      name: "Tetragon's events",
      url: url(ports.loki, '/loki/api/v1/query', { query: 'sum(count_over_time({service_name="tetragon"}[5m]))' }),
      isPresent: hasSamples,
    },
    { name: 'Grafana', url: url(ports.grafana, '/api/health'), isPresent: body => body.includes('ok') },
    {
      name: 'the Guestbook',
      url: url(ports.guestbook, '/guestbook.php', { cmd: 'get', key: 'messages' }),
      isPresent: body => body.includes('data'),
    },
  ]
}

/**
 * Waits up to 90 s until there is data to see. A rate, which needs two samples, follows within one scrape interval.
 * With a cluster of the user's own no port is mapped, so there is nothing to wait for.
 * @param report receives the names of the parts that have no data yet, whenever the list changes.
 * @throws LabError naming the parts that have no data.
 */
export async function waitForData(
  context: ClusterAccess & { settings: Settings },
  report: (names: string) => void,
): Promise<void> {
  if (context.settings.cluster.mode === 'existing') return
  const end = Date.now() + 90_000
  let missing = dataSigns(context.settings)
  let reported = ''
  for (;;) {
    const names = missing.map(({ name }) => name).join(', ')
    if (names !== reported) report(names)
    reported = names
    const present = await Promise.all(missing.map(isThere))
    missing = missing.filter((_, index) => !present[index])
    if (missing.length === 0) return
    if (Date.now() > end) throw await noDataError(context, missing.map(({ name }) => name).join(', '))
    await sleep(500)
  }
}

async function isThere({ url, isPresent }: DataSign): Promise<boolean> {
  try {
    // A new connection each time. Right after a node has started, kube-proxy may still route to a pod that is gone,
    // another pod may have its address by now, and a kept-alive connection would stay with that pod.
    const response = await fetch(url, { signal: AbortSignal.timeout(3000), headers: { connection: 'close' } })
    return response.ok && isPresent(await response.text())
  } catch {
    return false
  }
}

/** Names the workload that is not ready, where there is one. */
async function noDataError(access: ClusterAccess, names: string): Promise<LabError> {
  const workloads = await readWorkloads(access).catch((): Workload[] => [])
  const { namespace, name, trouble } = workloads.find(({ trouble }) => trouble !== undefined) ?? {}
  if (!trouble)
    return new LabError({
      found: `No data after 90 s from ${names}, and no pod reports a problem`,
      next: './lab verify',
    })
  return new LabError({
    found: `No data after 90 s from ${names}: ${name} is not ready (${describeTrouble(trouble)})`,
    next: `./lab up, which repairs what it can. If that does not help: ./lab kubectl -n ${namespace} describe pods`,
  })
}
