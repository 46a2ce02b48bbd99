import { LabError } from '../lab-error.ts'
import { at } from '../validation/schema-errors.ts'
import { setCommand } from './config-commands.ts'
import type { Settings } from './schema.ts'
import { settingRows } from './setting-rows.ts'

// What the schema cannot express: settings that need each other.

/** @throws LabError for the first settings that contradict each other, with the command that corrects one of them. */
export function checkSettings(settings: Settings): void {
  checkPorts(settings.ports)
  checkPolicies(settings.policies)
  checkCluster(settings.cluster)
  checkSiem(settings.pipeline)
  checkGateway(settings.pipeline)
  checkLoki(settings)
  checkPrometheus(settings)
  checkGrafana(settings)
}

function checkPorts(ports: Settings['ports']): void {
  const settingByPort = new Map<number, string>()
  for (const [name, port] of Object.entries(ports)) {
    const other = settingByPort.get(port)
    if (other)
      throw new LabError({
        found: `ports.${name} and ports.${other} are both ${port}`,
        expected: 'a different port for each',
        next: setCommand(`ports.${name}`, nextUnusedPort(port, Object.values(ports))),
      })
    settingByPort.set(port, name)
  }
}

/** Returns the first port after this one that no setting uses, starting again at 1024 after the last. */
function nextUnusedPort(port: number, used: number[]): number {
  let candidate = port
  do candidate = candidate < 65535 ? Math.max(candidate + 1, 1024) : 1024
  while (used.includes(candidate))
  return candidate
}

function checkPolicies({ apply }: Settings['policies']): void {
  const duplicate = apply.find((name, index) => apply.indexOf(name) !== index)
  if (duplicate !== undefined)
    throw new LabError({
      found: `policies.apply names ${duplicate} twice`,
      next: setCommand('policies.apply', [...new Set(apply)]),
    })
}

function checkCluster({ mode, context, namespaces, imageDigests }: Settings['cluster']): void {
  if (mode === 'create' && namespaces === 'existing')
    throw new LabError({
      found: 'cluster.namespaces is existing, but cluster.mode is create',
      expected: 'create: a new cluster has no namespaces of yours',
      next: setCommand('cluster.namespaces', 'create'),
    })
  if (mode === 'create' && imageDigests)
    throw new LabError({
      found: 'cluster.imageDigests is true, but cluster.mode is create',
      expected: 'false: images loaded into a KinD cluster have no registry digest',
      next: setCommand('cluster.imageDigests', false),
    })
  if (mode === 'existing' && context === '')
    throw new LabError({
      found: 'cluster.mode is existing, but cluster.context is empty',
      expected: 'the name of a context in your kubeconfig',
      next: setCommand('cluster.context', '$(kubectl config current-context)'),
    })
}

function checkSiem({ shipper, siem: { protocol, endpoint } }: Settings['pipeline']): void {
  if (protocol === 'none') return
  const example = protocol === 'otlp' ? 'http://host:4318' : 'host:514'
  const pattern = protocol === 'otlp' ? /^https?:\/\/[^/\s]+(\/\S*)?$/ : /^[^\s:/]+:\d{1,5}$/
  const next = setCommand('pipeline.siem.endpoint', example)
  if (endpoint === '')
    throw new LabError({
      found: `pipeline.siem.protocol is ${protocol}, but pipeline.siem.endpoint is empty`,
      expected: 'the address that receives the copy',
      next,
    })
  if (!pattern.test(endpoint))
    throw new LabError({
      found: `pipeline.siem.endpoint is ${endpoint}`,
      expected: `an address like ${example}, because pipeline.siem.protocol is ${protocol}`,
      next,
    })
  if (protocol === 'syslog' && shipper !== 'fluent-bit')
    throw new LabError({
      found: `pipeline.siem.protocol is syslog, but pipeline.shipper is ${shipper}`,
      expected: 'fluent-bit: the OpenTelemetry Collector for Kubernetes has no syslog exporter',
      next: setCommand('pipeline.shipper', 'fluent-bit'),
    })
}

function checkGateway({ shipper, gateway }: Settings['pipeline']): void {
  if (gateway.replicas > 0 && shipper !== 'otel')
    throw new LabError({
      found: `pipeline.gateway.replicas is ${gateway.replicas}, but pipeline.shipper is ${shipper}`,
      expected: 'otel: a gateway receives OTLP',
      next: setCommand('pipeline.shipper', 'otel'),
    })
}

function checkLoki(settings: Settings): void {
  const { cluster, loki } = settings
  if (loki.mode === 'single') return
  if (cluster.mode === 'create')
    throw new LabError({
      found: 'loki.mode is ha, but cluster.mode is create',
      expected: 'existing: a KinD cluster has one node, and each Loki needs its own',
      next: setCommand('loki.mode', 'single'),
    })
  requireSettings('loki.mode is ha', settings, 'loki.objectStorage', ['bucket', 'credentialsSecret'])
}

function checkPrometheus(settings: Settings): void {
  const { prometheus, guestbook, traffic } = settings
  if (prometheus.replicas > 1 && guestbook.enabled && traffic.enabled)
    throw new LabError({
      found: `prometheus.replicas is ${prometheus.replicas}, but traffic.enabled is true`,
      expected: 'false: k6 pushes its metrics to one of them only',
      next: setCommand('traffic.enabled', false),
    })
  if (prometheus.remoteWrite.credentialsSecret !== '')
    requireSettings('prometheus.remoteWrite.credentialsSecret is set', settings, 'prometheus.remoteWrite', ['url'])
}

function checkGrafana(settings: Settings): void {
  const { replicas, database, ingress, oidc } = settings.grafana
  if (replicas > 1 && database.type === 'none')
    throw new LabError({
      found: `grafana.replicas is ${replicas}, but grafana.database.type is none`,
      expected: 'a database, because each Grafana would have users and sessions of its own',
      next: setCommand('grafana.replicas', 1),
    })
  if (database.type !== 'none')
    requireSettings(`grafana.database.type is ${database.type}`, settings, 'grafana.database', [
      'host',
      'credentialsSecret',
    ])
  if (ingress.tlsSecret !== '')
    requireSettings('grafana.ingress.tlsSecret is set', settings, 'grafana.ingress', ['host'])
  if (oidc.only) requireSettings('grafana.oidc.only is true', settings, 'grafana.oidc', ['clientId'])
  if (oidc.clientId !== '')
    requireSettings('grafana.oidc.clientId is set', settings, 'grafana.oidc', [
      'clientSecret',
      'authUrl',
      'tokenUrl',
      'userInfoUrl',
    ])
}

/** @throws LabError for the first of these settings of a section that is empty. */
function requireSettings(because: string, settings: Settings, section: string, names: string[]): void {
  for (const name of names) {
    const path = `${section}.${name}`
    if (at(settings, path.split('.')) !== '') continue
    const example = settingRows().find(row => row.path === path)?.example
    throw new LabError({
      found: `${because}, but ${path} is empty`,
      expected: `a value, as in ${example}`,
      next: setCommand(path, example),
    })
  }
}
