import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import * as tar from 'tar'
import { parse, parseAllDocuments, stringify } from 'yaml'
import { kubectlJson } from '../../scripts/cluster/kubectl.ts'
import { loadContext } from '../../scripts/context/context.ts'
import { ensureCharts } from '../../scripts/supplies/charts.ts'
import { type Container, containersOf, type PodSpec } from '../../scripts/verify/security/restricted.ts'
import { LabError } from '../../shared/lab-error.ts'
import { type ChartName, chartFile, chartNames, readLock } from '../../shared/lock.ts'
import { namespaces, releases } from '../../shared/names.ts'
import { chartValues, productionChartValues, productionGatewayValues } from './chart-values.ts'

// Saves the rights, volumes, ports and commands of the Pods that the charts create from the lab's values, so that tests
// need neither Helm nor archives. Run after changing a chart or its values: `node test/charts/render.ts`. It needs helm on
// PATH, and a running lab for Prometheus's Pod, which its operator creates.

/** A probe or hook that runs a command in the container. */
interface ExecHandler {
  exec?: { command: string[] }
}

/** The fields of a container that tests compare with its image. */
export interface WorkloadContainer extends Container {
  command?: string[]
  volumeMounts?: { name: string; mountPath: string; readOnly?: boolean }[]
  resources?: { requests?: Record<string, string>; limits?: Record<string, string> }
  livenessProbe?: Container['livenessProbe'] & ExecHandler
  readinessProbe?: Container['readinessProbe'] & ExecHandler
  startupProbe?: Container['startupProbe'] & ExecHandler
}

/** The specification of a Pod with these containers. */
export interface WorkloadPodSpec extends PodSpec {
  containers: WorkloadContainer[]
  initContainers?: WorkloadContainer[]
}

/** A workload and the relevant parts of its Pods. */
export interface Workload {
  /** The chart that creates it, or `prometheus-operator`. */
  chart: string
  namespace: string
  name: string
  labels: Record<string, string>
  spec: WorkloadPodSpec
}

const workloadsFile = join(import.meta.dirname, 'workloads.yaml')

const productionFile = join(import.meta.dirname, 'workloads-production.yaml')

const readFile = (file: string): Workload[] => parse(readFileSync(file, 'utf8')) as Workload[]

/** Returns the saved workloads of a laptop's lab. */
export const readWorkloads = (): Workload[] => readFile(workloadsFile)

/** Returns the saved workloads that Pulumi.production.yaml adds or changes. */
export const readProductionWorkloads = (): Workload[] => readFile(productionFile)

interface Controller {
  kind: string
  metadata: { name: string; namespace?: string }
  spec: { template: { metadata: { labels?: Record<string, string> }; spec: WorkloadPodSpec } }
}

/** Returns the relevant parts of a workload's Pods. */
function toWorkload(chart: string, { metadata, spec: { template } }: Controller): Workload {
  const { hostNetwork, hostPID, hostIPC, automountServiceAccountToken, securityContext, volumes } = template.spec
  // A chart can render `null` for an empty list.
  const relevantParts = (containers?: WorkloadContainer[] | null) =>
    containers?.map(({ name, image, command, securityContext, ports, env, volumeMounts, resources, ...probes }) => ({
      name,
      image,
      command,
      securityContext: securityContext ?? {},
      ports,
      resources,
      volumeMounts: volumeMounts?.map(({ name, mountPath, readOnly }) => ({ name, mountPath, readOnly })),
      livenessProbe: execOnly(probes.livenessProbe),
      readinessProbe: execOnly(probes.readinessProbe),
      startupProbe: execOnly(probes.startupProbe),
      // A reference to a secret is fine. A secret in plain text would show here.
      env: env?.filter(({ name }) => /PASS|SECRET|TOKEN|KEY/i.test(name)),
    }))
  const spec: WorkloadPodSpec = {
    hostNetwork,
    hostPID,
    hostIPC,
    automountServiceAccountToken,
    securityContext: securityContext ?? {},
    volumes: volumes?.map(({ name, ...kind }) => ({ name, [Object.keys(kind)[0]!]: {} })),
    containers: relevantParts(template.spec.containers) ?? [],
    initContainers: relevantParts(template.spec.initContainers),
  }
  return {
    chart,
    namespace: namespaces.monitoring,
    name: metadata.name,
    labels: template.metadata.labels ?? {},
    // Removes undefined values.
    spec: JSON.parse(JSON.stringify(spec)) as WorkloadPodSpec,
  }
}

const execOnly = (probe?: ExecHandler): ExecHandler | undefined => (probe?.exec ? { exec: probe.exec } : undefined)

/** Renders all charts with the values of a laptop's lab. The archives must have been downloaded. */
export const renderCharts = (): Promise<Workload[]> =>
  renderEach(chartNames.map(name => [name, name, chartValues[name]] as const))

/** Renders the charts whose Pods differ with Pulumi.production.yaml. */
const renderProduction = (): Promise<Workload[]> =>
  renderEach([
    ['loki', releases.loki, productionChartValues.loki],
    ['grafana', releases.grafana, productionChartValues.grafana],
    ['opentelemetry-collector', releases.otel, productionChartValues['opentelemetry-collector']],
    ['opentelemetry-collector', releases.otelGateway, productionGatewayValues],
  ])

async function renderEach(
  charts: readonly (readonly [name: ChartName, release: string, values: Record<string, unknown>])[],
): Promise<Workload[]> {
  const all: Workload[] = []
  for (const [name, release, values] of charts) all.push(...(await renderChart(name, release, values)))
  return all
}

async function renderChart(name: ChartName, release: string, values: Record<string, unknown>): Promise<Workload[]> {
  const lock = readLock()
  const folder = mkdtempSync(join(tmpdir(), 'lab-chart-'))
  try {
    await tar.extract({ file: chartFile(lock, name), cwd: folder })
    const chart = join(folder, readdirSync(folder)[0]!)
    removeMissingDependencies(chart)
    writeFileSync(join(folder, 'values.yaml'), stringify(values))
    const { stdout } = await execa('helm', [
      ...['template', release, chart, '--namespace', namespaces.monitoring, '--values', join(folder, 'values.yaml')],
      ...['--kube-version', lock.tools.kubectl.version],
    ])
    const objects = parseAllDocuments(stdout).map(document => document.toJS() as Controller | null)
    return objects
      .filter(object => object !== null)
      .filter(({ kind }) => ['Deployment', 'DaemonSet', 'StatefulSet', 'Job'].includes(kind))
      .map(object => toWorkload(name, object))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Removes dependencies that a repacked chart lists but does not contain, which Helm would reject. */
function removeMissingDependencies(chart: string): void {
  const file = join(chart, 'Chart.yaml')
  const whole = parse(readFileSync(file, 'utf8')) as { dependencies?: { name: string }[] }
  const exists = (name: string): boolean => existsSync(join(chart, 'charts', name))
  whole.dependencies = whole.dependencies?.filter(({ name }) => exists(name))
  writeFileSync(file, stringify(whole))
}

const operator = 'prometheus-operator'

/** Returns the workload that the operator created for Prometheus in the running lab. */
async function readPrometheusWorkload(): Promise<Workload[]> {
  const { items } = await kubectlJson<{ items: Controller[] }>(await loadContext(), [
    ...['get', 'statefulsets', '-n', namespaces.monitoring, '-l', 'operator.prometheus.io/name'],
  ])
  return items.map(item => toWorkload(operator, item))
}

if (import.meta.main) {
  const lock = readLock()
  await ensureCharts(lock, chartNames)
  const rendered = await renderCharts()
  const made = await readPrometheusWorkload().catch((error: unknown) => {
    if (!(error instanceof LabError)) throw error
    console.log(`${operator}: ${error.found}; keeping the saved workload`)
    return existsSync(workloadsFile) ? readWorkloads().filter(({ chart }) => chart === operator) : []
  })
  const all = [...rendered, ...made]
  writeFileSync(workloadsFile, stringify(all, { lineWidth: 0 }))
  writeFileSync(productionFile, stringify(await renderProduction(), { lineWidth: 0 }))
  for (const { chart, name, spec } of all)
    console.log(`${chart}: ${name} (${containersOf(spec).map(container => container.name)})`)
}
