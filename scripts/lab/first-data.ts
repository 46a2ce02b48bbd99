import { setTimeout as sleep } from 'node:timers/promises'
import { LabError } from '../../shared/lab-error.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { readWorkloads, sayTrouble, type Workload } from '../cluster/workloads.ts'

/** What shows that data flows from end to end: metrics from Tetragon, events in Loki, traffic from k6, and Grafana over them. */
function probes({
  ports,
  traffic,
  cluster,
}: Settings): { what: string; url: string; holds: (body: string) => boolean }[] {
  const prometheus = (expression: string) =>
    `http://127.0.0.1:${ports.prometheus}/api/v1/query?query=${encodeURIComponent(expression)}`
  const some = (body: string) => ((JSON.parse(body) as { data?: { result?: unknown[] } }).data?.result?.length ?? 0) > 0
  if (cluster.mode === 'existing') return []
  return [
    { what: "Tetragon's metrics", url: prometheus('tetragon_events_exported_total'), holds: some },
    ...(traffic.enabled ? [{ what: "the traffic's metrics", url: prometheus('k6_http_reqs_total'), holds: some }] : []),
    {
      what: "Tetragon's events",
      url: `http://127.0.0.1:${ports.loki}/loki/api/v1/query?query=${encodeURIComponent('sum(count_over_time({service_name="tetragon"}[5m]))')}`,
      holds: some,
    },
    { what: 'Grafana', url: `http://127.0.0.1:${ports.grafana}/api/health`, holds: body => body.includes('ok') },
    {
      what: 'the Guestbook',
      url: `http://127.0.0.1:${ports.guestbook}/guestbook.php?cmd=get&key=messages`,
      holds: body => body.includes('data'),
    },
  ]
}

/**
 * Waits until there is something to see (a rate, which takes two readings, follows within one scrape interval), at most 90 seconds.
 * @throws LabError naming what stays empty.
 */
export async function firstData(settings: Settings, say: (line: string) => void): Promise<void> {
  const end = Date.now() + 90_000
  let open = probes(settings)
  let said = ''
  while (open.length > 0) {
    const waiting = open.map(probe => probe.what).join(', ')
    if (waiting !== said) say(waiting)
    said = waiting
    const answers = await Promise.all(open.map(probe => answersWith(probe.url, probe.holds)))
    open = open.filter((_, index) => !answers[index])
    if (open.length === 0) return
    if (Date.now() > end) throw await noData(open.map(probe => probe.what).join(', '))
    await sleep(500)
  }
}

/** Why there is none, where Kubernetes knows. */
async function noData(what: string): Promise<LabError> {
  const workloads = await readWorkloads().catch((): Workload[] => [])
  const { namespace, name, trouble } = workloads.find(({ trouble }) => trouble !== undefined) ?? {}
  if (!trouble)
    return new LabError({
      found: `all parts stand, but there is no sign yet of ${what}`,
      expected: 'data within 90 s',
      next: './lab verify, then ./lab logs PART',
    })
  return new LabError({
    found: `no sign yet of ${what}: ${name} is not ready (${sayTrouble(trouble)})`,
    expected: 'data within 90 s',
    next: `./lab up again, which mends what it can; if it stays so: ./lab kubectl -n ${namespace} describe pods`,
  })
}

async function answersWith(url: string, holds: (body: string) => boolean): Promise<boolean> {
  try {
    // Each time over a connection of its own: right after a start of the node, while kube-proxy still goes by pods that are gone, another pod may
    // have the address by now, and a connection that is kept would stay with that one.
    const answer = await fetch(url, { signal: AbortSignal.timeout(3000), headers: { connection: 'close' } })
    return answer.ok && holds(await answer.text())
  } catch {
    // Not there yet: asked again.
    return false
  }
}
