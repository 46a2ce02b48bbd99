import { LabError } from '../lab-error.ts'
import { isMapping } from '../validation/yaml-source.ts'
import { configNamespace, setCommand } from './config-commands.ts'
import { explainIssue } from './explain-issue.ts'
import { type Settings, settingsSchema } from './schema.ts'
import { settingRows } from './setting-rows.ts'

/**
 * Checks the settings a user has given and fills in the defaults.
 * @throws LabError for the first wrong value or unknown name, with the command that corrects it.
 */
export function parseSettings(given: unknown): Settings {
  const sections = withParsedText(given ?? {})
  const parsed = settingsSchema.safeParse(sections)
  if (!parsed.success) throw explainIssue(parsed.error.issues[0]!, sections)
  checkPorts(parsed.data.ports)
  checkPolicies(parsed.data.policies)
  checkCluster(parsed.data.cluster)
  checkSiem(parsed.data.pipeline)
  return parsed.data
}

/**
 * Reads settings from a Pulumi stack's configuration: a flat record of `namespace:section` to text, where a section is
 * JSON. Keys of other namespaces (those of providers) are ignored.
 * @throws LabError as `parseSettings`, and for a section that is not an object.
 */
export function settingsFromConfig(config: Record<string, string>): Settings {
  const prefix = `${configNamespace}:`
  const own = Object.entries(config).filter(([key]) => key.startsWith(prefix))
  return parseSettings(Object.fromEntries(own.map(([key, text]) => [key.slice(prefix.length), jsonOrText(text)])))
}

/**
 * Parses what `pulumi config set --path` stores as text although the setting is not text: a list, and a number with a
 * decimal point. A number or boolean in quotes is accepted too.
 */
function withParsedText(given: unknown): unknown {
  const sections = structuredClone(given)
  for (const { path, allowed } of settingRows()) {
    const pattern = otherKindPattern(allowed)
    const keys = path.split('.')
    const last = keys.pop()!
    const holder = keys.reduce<unknown>((value, key) => (isMapping(value) ? value[key] : undefined), sections)
    if (!isMapping(holder)) continue
    const text = holder[last]
    if (typeof text === 'string' && pattern?.test(text)) holder[last] = jsonOrText(text)
  }
  return sections
}

/** Returns the texts that stand for another kind of value, by the allowed values; undefined where text is allowed. */
function otherKindPattern(allowed: string): RegExp | undefined {
  if (allowed === 'a list') return /./s
  if (allowed === 'true or false') return /^(true|false)$/
  return /^a (whole )?number from/.test(allowed) ? /^-?(0|[1-9]\d*)(\.\d+)?$/ : undefined
}

/** Returns what a text holds as JSON, or the text itself, which the schema then refuses. */
function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
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

function checkCluster({ mode, context }: Settings['cluster']): void {
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
