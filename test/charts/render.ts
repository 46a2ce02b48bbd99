import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import * as tar from 'tar'
import { parse, parseAllDocuments, stringify } from 'yaml'
import { kubectlJson } from '../../scripts/cluster/kubectl.ts'
import { ensureCharts } from '../../scripts/supplies/charts.ts'
import { containersOf, type PodSpec } from '../../scripts/verify/restricted.ts'
import { LabError } from '../../shared/lab-error.ts'
import { chartFile, chartNames, readLock } from '../../shared/lock.ts'
import { namespaces } from '../../shared/names.ts'
import { given } from './given.ts'

// Writes down what pods the charts make of the lab's values, as far as it matters what they may do and who reaches them, so that tests need
// neither helm nor archives: `node test/charts/render.ts` after a chart or what it is given has changed. It wants helm on PATH, and a lab that is
// up, for the one pod that no chart makes: Prometheus's own, which is made by its operator.

/** A workload's pods, as far as it matters. */
export interface Workload {
  /** The chart that makes it, or `prometheus-operator`. */
  chart: string
  namespace: string
  name: string
  labels: Record<string, string>
  spec: PodSpec
}

export const workloadsFile = join(import.meta.dirname, 'workloads.yaml')

/** What was written down. */
export const readWorkloads = (): Workload[] => parse(readFileSync(workloadsFile, 'utf8')) as Workload[]

interface Controller {
  kind: string
  metadata: { name: string; namespace?: string }
  spec: { template: { metadata: { labels?: Record<string, string> }; spec: PodSpec } }
}

/** A pod's rights, volumes and ports; nothing of what it runs. */
function essence(chart: string, { metadata, spec: { template } }: Controller): Workload {
  const { hostNetwork, hostPID, hostIPC, automountServiceAccountToken, securityContext, volumes } = template.spec
  // A chart writes `null` where a list is empty.
  const part = (containers?: PodSpec['containers'] | null) =>
    containers?.map(({ name, image, securityContext, ports, env }) => ({
      name,
      image,
      securityContext: securityContext ?? {},
      ports,
      // A secret that is named is none; one that is written out would be seen here.
      env: env?.filter(({ name }) => /PASS|SECRET|TOKEN|KEY/i.test(name)),
    }))
  const spec: PodSpec = {
    hostNetwork,
    hostPID,
    hostIPC,
    automountServiceAccountToken,
    securityContext: securityContext ?? {},
    volumes: volumes?.map(({ name, ...kind }) => ({ name, [Object.keys(kind)[0]!]: {} })),
    containers: part(template.spec.containers) ?? [],
    initContainers: part(template.spec.initContainers),
  }
  return {
    chart,
    namespace: namespaces.monitoring,
    name: metadata.name,
    labels: template.metadata.labels ?? {},
    // Without what is not there.
    spec: JSON.parse(JSON.stringify(spec)) as PodSpec,
  }
}

/** What `helm template` makes of the lab's values. Nothing is fetched: the archives are there. */
export async function renderCharts(): Promise<Workload[]> {
  const lock = readLock()
  const all: Workload[] = []
  for (const name of chartNames) {
    const folder = mkdtempSync(join(tmpdir(), 'lab-chart-'))
    try {
      await tar.extract({ file: chartFile(lock, name), cwd: folder })
      const chart = join(folder, readdirSync(folder)[0]!)
      dropAbsent(chart)
      writeFileSync(join(folder, 'values.yaml'), stringify(given[name]))
      const { stdout } = await execa('helm', [
        ...['template', name, chart, '--namespace', namespaces.monitoring, '--values', join(folder, 'values.yaml')],
        ...['--kube-version', lock.tools.kubectl.version],
      ])
      for (const document of parseAllDocuments(stdout)) {
        const object = document.toJS() as Controller | null
        if (object && ['Deployment', 'DaemonSet', 'StatefulSet', 'Job'].includes(object.kind))
          all.push(essence(name, object))
      }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
  return all
}

/** A chart that was packed without the parts that are switched off anyway still names them, which helm refuses. */
function dropAbsent(chart: string): void {
  const file = join(chart, 'Chart.yaml')
  const whole = parse(readFileSync(file, 'utf8')) as { dependencies?: { name: string }[] }
  const there = (name: string): boolean => existsSync(join(chart, 'charts', name))
  whole.dependencies = whole.dependencies?.filter(({ name }) => there(name))
  writeFileSync(file, stringify(whole))
}

const operator = 'prometheus-operator'

/** What the operator has made of the resource that describes a Prometheus, in the lab that is up. */
async function operated(): Promise<Workload[]> {
  const { items } = await kubectlJson<{ items: Controller[] }>([
    ...['get', 'statefulsets', '-n', namespaces.monitoring, '-l', 'operator.prometheus.io/name'],
  ])
  return items.map(item => essence(operator, item))
}

if (import.meta.main) {
  const lock = readLock()
  await ensureCharts(lock, chartNames)
  const rendered = await renderCharts()
  const made = await operated().catch((error: unknown) => {
    if (!(error instanceof LabError)) throw error
    console.log(`${operator}: ${error.found}; what was written down before is kept`)
    return existsSync(workloadsFile) ? readWorkloads().filter(({ chart }) => chart === operator) : []
  })
  const all = [...rendered, ...made]
  writeFileSync(workloadsFile, stringify(all, { lineWidth: 0 }))
  for (const { chart, name, spec } of all)
    console.log(`${chart}: ${name} (${containersOf(spec).map(container => container.name)})`)
}
