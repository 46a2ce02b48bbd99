import { z } from 'zod'
import { LabError } from '../lab-error.ts'
import { at, brief, dotted, nearest } from '../validation/schema-errors.ts'
import type { Path } from '../validation/yaml-source.ts'

// The one truth about what can be set: validation, defaults, types, and the table in docs/settings.md come from here.

const port = (what: string, standard: number) =>
  z.int().min(1).max(65535).default(standard).describe(`Port on 127.0.0.1 for ${what}.`)

/** A text of a form that a pattern tells and a person does not read: `allowed` says it in words. */
const formed = (pattern: RegExp, allowed: string) => z.string().regex(pattern).meta({ allowed })

const replay = z.strictObject({
  eventsPerSecond: z
    .number()
    .min(0.1)
    .max(10_000)
    .default(12)
    .describe('How fast the recording is played, in events a second on average; its own rhythm is kept.')
    .meta({ examples: [100] }),
})

const exportFile = z.strictObject({
  maxSizeMB: z
    .int()
    .min(1)
    .max(1000)
    .default(10)
    .describe('When the file of events is full, in MB: the time goes into its name, and a new one is begun.')
    .meta({ examples: [50] }),
  maxBackups: z
    .int()
    .min(1)
    .max(100)
    .default(5)
    .describe('How many full files are kept for a shipper that is behind; then the oldest goes, read or not.')
    .meta({ examples: [10] }),
})

const cluster = z.strictObject({
  mode: z
    .enum(['create', 'existing'])
    .default('create')
    .describe(
      '`create` makes a KinD cluster; `existing` uses `cluster.context` of your kubeconfig and leaves the machine alone.',
    ),
  name: formed(/^[a-z0-9][a-z0-9-]{0,30}$/, 'lower-case letters, digits and dashes, at most 31, as in lab-2')
    .default('lab')
    .describe('Name of the KinD cluster; its node is called `<name>-control-plane`.'),
  context: z.string().default('').describe('Context of your kubeconfig, with `cluster.mode: existing`.'),
  networkPolicies: z
    .boolean()
    .default(true)
    .describe(
      'Let pods connect only where the lab needs it (NetworkPolicies). Switched off, any pod reaches any other, and the internet.',
    )
    .meta({ examples: [false] }),
})

const ports = z.strictObject({
  guestbook: port('the Guestbook', 8080),
  grafana: port('Grafana', 3000),
  prometheus: port('Prometheus', 9090),
  loki: port('Loki', 3100),
  tetragon: port("Tetragon's metrics", 2112),
})

const tetragon = z.strictObject({
  source: z
    .enum(['auto', 'live', 'replay'])
    .default('auto')
    .describe(
      'Where events come from: `live` runs Tetragon, `replay` plays a recording of it, `auto` asks the kernel which of the two can work.',
    ),
  replay: replay.prefault({}),
  exportFile: exportFile.prefault({}),
  enableProcessCred: z
    .boolean()
    .default(true)
    .describe('Put user and group ids and capabilities into every event.')
    .meta({ examples: [false] }),
  enableProcessNs: z
    .boolean()
    .default(true)
    .describe('Put the Linux namespaces into every event.')
    .meta({ examples: [false] }),
  exportRateLimit: z
    .int()
    .min(-1)
    .default(-1)
    .describe('Most events a minute that Tetragon writes to its file; -1 sets no limit.')
    .meta({ examples: [6000] }),
  exportAllowList: z
    .array(z.record(z.string(), z.unknown()))
    .default([
      {
        event_set: [
          'PROCESS_EXEC',
          'PROCESS_EXIT',
          'PROCESS_KPROBE',
          'PROCESS_UPROBE',
          'PROCESS_TRACEPOINT',
          'PROCESS_LSM',
          'PROCESS_USDT',
          'PROCESS_LOADER',
        ],
      },
    ])
    .describe('Events that are written to the file: any of these filters matches.')
    .meta({
      examples: [[{ event_set: ['PROCESS_EXEC', 'PROCESS_EXIT', 'PROCESS_KPROBE'], namespace: ['application'] }]],
    }),
  exportDenyList: z
    .array(z.record(z.string(), z.unknown()))
    .default([{ health_check: true }, { namespace: ['', 'cilium', 'kube-system'] }])
    .describe('Events that are kept out of the file; wins over the allow list. The empty namespace is the host.')
    .meta({
      examples: [[{ health_check: true }, { namespace: ['', 'cilium', 'kube-system', 'monitoring'] }]],
    }),
  redactionFilters: z
    .array(z.record(z.string(), z.unknown()))
    .default([{ redact: ['--password(?:\\s+|=)(\\S*)', '--token(?:\\s+|=)(\\S*)'] }])
    .describe(
      'What is replaced by `*****` in arguments before an event leaves the agent: the groups of each expression.',
    )
    .meta({
      examples: [
        [
          { redact: ['--password(?:\\s+|=)(\\S*)', '--token(?:\\s+|=)(\\S*)'] },
          { binary_regex: ['(?:^|/)redis-cli$'], redact: ['-a\\s+(\\S+)'] },
        ],
      ],
    }),
  keepSensorsOnExit: z
    .boolean()
    .default(false)
    .describe('Keep enforcing while the agent is away (persistent enforcement); what it leaves goes with the cluster.')
    .meta({ examples: [true] }),
  runtimeHooks: z
    .boolean()
    .default(false)
    .describe("Apply policies from a container's first instruction, by a hook in the container runtime.")
    .meta({ examples: [true] }),
})

const policies = z.strictObject({
  apply: z
    .array(z.string())
    .default(['sensitive-file-access', 'unexpected-process-exec', 'tcp-connect', 'sys-openat'])
    .describe(
      'Files of `policies/` (without `.yaml`) that are loaded with the lab. Enforcing ones are not, by default.',
    ),
})

const guestbook = z.strictObject({
  images: z
    .enum(['lab', 'upstream'])
    .default('lab')
    .describe(
      '`lab`: small images for amd64 and arm64 with a page that works offline; `upstream`: the original ones, amd64 only.',
    ),
  frontends: z.int().min(1).max(10).default(3).describe('Pods of the frontend.'),
  followers: z.int().min(1).max(5).default(2).describe('Redis pods that follow the leader.'),
})

const traffic = z.strictObject({
  enabled: z.boolean().default(true).describe('Run the traffic generator.'),
  rate: z.number().min(0.1).max(500).default(5).describe('Visits to the Guestbook a second, on average.'),
  noise: z.number().min(0).max(1).default(0.2).describe('How far the rate strays from its average: 0.2 is a fifth.'),
})

const pipeline = z.strictObject({
  shipper: z
    .enum(['otel', 'fluent-bit'])
    .default('otel')
    .describe('What carries the events from the file to Loki; labels, severities and queries are the same with either.')
    .meta({ examples: ['fluent-bit'] }),
  siem: z
    .strictObject({
      protocol: z
        .enum(['none', 'otlp', 'syslog'])
        .default('none')
        .describe(
          'How a second copy of the stream is sent: `otlp` with either shipper, `syslog` with `fluent-bit`. Events that are on their way when the shipper is killed arrive there twice; Loki knows those that it has.',
        )
        .meta({ examples: ['otlp'] }),
      endpoint: z
        .string()
        .default('')
        .describe('Where to: `http://host:4318` for otlp, `host:514` for syslog (RFC 5424 over TCP).')
        .meta({ examples: ['http://192.168.1.20:4318'] }),
    })
    .prefault({}),
})

const prometheus = z.strictObject({
  retention: formed(/^[1-9]\d*[smhd]$/, 'a number with s, m, h or d, as in 6h')
    .default('6h')
    .describe('How long metrics are kept.'),
  scrapeInterval: formed(/^[1-9]\d*s$/, 'whole seconds, as in 15s')
    .default('15s')
    .describe('How often metrics are read.'),
})

const loki = z.strictObject({
  // Less than a day Loki refuses, and does not start.
  retention: formed(/^(2[4-9]|[3-9]\d|[1-9]\d{2,})h$/, 'whole hours, at least 24h')
    .default('24h')
    .describe('How long events are kept, in whole hours (at least 24).'),
  storage: formed(/^[1-9]\d*Gi$/, 'whole gibibytes, as in 2Gi')
    .default('2Gi')
    .describe("Size of Loki's volume."),
})

const grafana = z.strictObject({
  user: z.string().min(1).meta({ allowed: 'text that is not empty' }).default('admin').describe('Who signs in.'),
  password: z
    .string()
    .default('')
    .describe('Password of that user. Left empty, one is made at the first `up` and kept in `.lab/grafana-password`.'),
  anonymous: z.boolean().default(false).describe('Let everyone on this machine look at dashboards without signing in.'),
})

const classroom = z.strictObject({
  pushTo: formed(/^(https?:\/\/\S+)?$/, 'an address that begins with http:// or https://')
    .default('')
    .describe(
      'Where the progress of exercises is sent: the address that the teacher’s `lab class open` shows. Left empty, nothing is sent to anyone.',
    ),
  student: z
    .string()
    .default('')
    .describe('Name under which progress is sent; left empty, those of your account and machine.'),
})

/** The schema of all settings, by section. */
export const settingsSchema = z.strictObject({
  cluster: cluster.prefault({}),
  ports: ports.prefault({}),
  tetragon: tetragon.prefault({}),
  policies: policies.prefault({}),
  guestbook: guestbook.prefault({}),
  traffic: traffic.prefault({}),
  pipeline: pipeline.prefault({}),
  prometheus: prometheus.prefault({}),
  loki: loki.prefault({}),
  grafana: grafana.prefault({}),
  class: classroom.prefault({}),
})

/** All settings of a lab, complete. */
export type Settings = z.infer<typeof settingsSchema>

/** Namespace of the lab's keys in a Pulumi stack's configuration: the name of the project. */
export const configNamespace = 'tetragon-lab'

/** The command that sets one setting. */
export const setCommand = (path: string, value: unknown): string =>
  `./lab pulumi config set --path ${configNamespace}:${path} ${typeof value === 'object' ? `'${JSON.stringify(value)}'` : value}`

/** The command that takes a setting away, so that its default counts. */
export const removeCommand = (path: Path): string => {
  // As Pulumi writes a path: a key that is no plain word stands in brackets.
  const text = path.map((key, index) => (/^[\w-]+$/.test(String(key)) ? `${index > 0 ? '.' : ''}${key}` : `["${key}"]`))
  return `./lab pulumi config rm --path ${quoted(`${configNamespace}:${text.join('')}`)}`
}

/** A word for a shell. */
const quoted = (word: string): string => (/^[\w.:/-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)

/**
 * Checks what a user has set and fills in the rest.
 * @throws LabError for the first wrong value or unknown key: what was found, what is allowed, the command that mends it.
 */
export function parseSettings(given: unknown): Settings {
  const whole = withLists(given ?? {})
  const parsed = settingsSchema.safeParse(whole)
  if (!parsed.success) throw explain(parsed.error.issues[0]!, whole)
  const settings = parsed.data
  checkPorts(settings.ports)
  const twice = settings.policies.apply.find((name, index, all) => all.indexOf(name) !== index)
  if (twice !== undefined)
    throw new LabError({
      found: `policies.apply names ${twice} twice`,
      expected: 'each policy once',
      next: setCommand('policies.apply', [...new Set(settings.policies.apply)]),
    })
  if (settings.cluster.mode === 'existing' && settings.cluster.context === '')
    throw new LabError({
      found: 'cluster.mode is existing, but cluster.context is empty',
      expected: 'the name of a context of your kubeconfig',
      next: setCommand('cluster.context', '$(kubectl config current-context)'),
    })
  checkSiem(settings.pipeline)
  return settings
}

function checkPorts(ports: Settings['ports']): void {
  const taken = new Map<number, string>()
  for (const [name, number] of Object.entries(ports)) {
    const other = taken.get(number)
    if (other) {
      const free = Array.from({ length: 65535 }, (_, after) => ((number + after) % 65535) + 1)
      throw new LabError({
        found: `ports.${name} and ports.${other} are both ${number}`,
        expected: 'a port of its own for each',
        next: setCommand(
          `ports.${name}`,
          free.find(port => port > 1023 && !Object.values(ports).includes(port)),
        ),
      })
    }
    taken.set(number, name)
  }
}

/** `pulumi config set --path` knows no lists and keeps the text of one: here it becomes a list again. */
function withLists(given: unknown): unknown {
  const whole = structuredClone(given)
  for (const { path } of settingRows().filter(row => row.allowed === 'a list')) {
    const keys = path.split('.')
    const last = keys.pop()!
    const holder = keys.reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], whole)
    if (typeof holder !== 'object' || holder === null) continue
    const section = holder as Record<string, unknown>
    if (typeof section[last] !== 'string') continue
    try {
      section[last] = JSON.parse(section[last])
    } catch {
      // As it is, it will be refused in the words for all other settings.
    }
  }
  return whole
}

function checkSiem({ shipper, siem: { protocol, endpoint } }: Settings['pipeline']): void {
  if (protocol === 'none') return
  const example = protocol === 'otlp' ? 'http://host:4318' : 'host:514'
  const next = setCommand('pipeline.siem.endpoint', example)
  if (endpoint === '')
    throw new LabError({
      found: `pipeline.siem.protocol is ${protocol}, but pipeline.siem.endpoint is empty`,
      expected: 'where the stream is sent',
      next,
    })
  if (!(protocol === 'otlp' ? /^https?:\/\/[^/\s]+(\/\S*)?$/ : /^[^\s:/]+:\d{1,5}$/).test(endpoint))
    throw new LabError({
      found: `pipeline.siem.endpoint is ${endpoint}`,
      expected: `an address like ${example}, because pipeline.siem.protocol is ${protocol}`,
      next,
    })
  if (protocol === 'syslog' && shipper !== 'fluent-bit')
    throw new LabError({
      found: `pipeline.siem.protocol is syslog, but pipeline.shipper is ${shipper}`,
      expected: 'fluent-bit, which speaks syslog; the collector for Kubernetes does not',
      next: setCommand('pipeline.shipper', 'fluent-bit'),
    })
}

/**
 * Settings from a Pulumi stack's configuration: a flat record of `namespace:section` to text, where a section is JSON.
 * Keys of other namespaces (those of providers) are left alone.
 * @throws LabError as `parseSettings`, and for a section that is not an object.
 */
export function settingsFromConfig(config: Record<string, string>): Settings {
  const given: Record<string, unknown> = {}
  for (const [key, text] of Object.entries(config)) {
    const [namespace, name] = splitOnce(key, ':')
    if (namespace !== configNamespace || name === undefined) continue
    try {
      given[name] = JSON.parse(text)
    } catch {
      given[name] = text
    }
  }
  return parseSettings(given)
}

const splitOnce = (text: string, by: string): [string, string | undefined] => {
  const at = text.indexOf(by)
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)]
}

function explain(issue: z.core.$ZodIssue, given: unknown): LabError {
  const path = issue.path as Path
  if (issue.code === 'unrecognized_keys') return unknownSetting([...path, issue.keys[0]!], given)
  const name = dotted(path)
  const value = at(given, path)
  const found = `${name || 'all of the settings'} is ${shown(name, value)}`
  // What is wrong inside of a list is a matter of the whole list.
  const row = settingRows().find(({ path: known }) => `${name}[`.startsWith(`${known}[`))
  if (!row)
    return new LabError({
      found,
      expected: `settings below it: ${namesBelow(path).join(', ')}`,
      next: path.length > 0 ? removeCommand(path) : 'mend Pulumi.dev.yaml (docs/settings.md)',
    })
  if (row.path !== name)
    return new LabError({ found, expected: row.entries!, next: removeCommand(row.path.split('.')) })
  // Unquoted, YAML and Pulumi take a password of digits for a number.
  const expected = row.allowed === 'text' && typeof value === 'number' ? 'text, in quotes' : row.allowed
  return new LabError({ found, expected, next: mendingCommand(row, value) })
}

/** A value as it is shown: a password is not, and what `config set --secret` keeps cannot be. */
function shown(name: string, value: unknown): string {
  if (typeof value === 'object' && value !== null && 'secure' in value) return 'encrypted (config set --secret)'
  if (name === 'grafana.password')
    return Array.isArray(value) ? 'a list' : value === null ? 'null' : `a ${typeof value}`
  return brief(value)
}

/** The command that sets what was probably meant, else the default. */
function mendingCommand({ path, allowed, values, default: standard }: SettingRow, given: unknown): string {
  if (typeof given === 'string') {
    const word = values && nearest(given, values)
    if (word) return setCommand(path, word)
    // In quotes, YAML takes a number for text.
    if (/^a (whole )?number/.test(allowed) && /^[1-9]\d{0,4}$/.test(given)) return setCommand(path, given)
    if (allowed === 'a list' && /^[\w-]+$/.test(given)) return setCommand(path, [given])
  }
  if (allowed === 'text' && typeof given === 'number')
    return `${setCommand(path, path === 'grafana.password' ? '…' : given)} --type string`
  // Nothing at all, or a minus sign, a shell or Pulumi would take for something else.
  const plain = typeof standard === 'object' || /^\w[\w.:/-]*$/.test(String(standard))
  return plain ? setCommand(path, standard) : removeCommand(path.split('.'))
}

function unknownSetting(path: Path, given: unknown): LabError {
  const near = nearestSetting(path)
  const remove = removeCommand(path)
  const value = at(given, path)
  const moves = near !== undefined && settingPaths().includes(near) && typeof value !== 'object' && value !== ''
  return new LabError({
    found: `unknown setting ${dotted(path)}`,
    expected: near ? `a known setting; the nearest is ${near}` : 'a known setting (see docs/settings.md)',
    next: moves ? `${remove} && ${setCommand(near, quoted(String(value)))}` : remove,
  })
}

/** Of all settings the one that was probably meant: one beside it, else one of the same name in another section. */
function nearestSetting(path: Path): string | undefined {
  const last = String(path.at(-1))
  const section = path.slice(0, -1)
  const beside = nearest(last, namesBelow(section))
  return beside ? [...section, beside].join('.') : settingPaths().find(known => known.split('.').at(-1) === last)
}

/** Names of the settings and sections below a path. */
const namesBelow = (path: Path): string[] => [
  ...new Set(
    settingPaths()
      .map(known => known.split('.'))
      .filter(known => known.length > path.length && path.every((key, index) => known[index] === key))
      .map(known => known[path.length]!),
  ),
]

/** One row of the settings table. */
export interface SettingRow {
  /** Full name, as in `tetragon.replay.eventsPerSecond`. */
  path: string
  description: string
  /** What is allowed, in words. */
  allowed: string
  default: unknown
  /** All that is allowed, where that is a few words. */
  values?: string[]
  /** Of a list: what it is a list of. */
  entries?: string
  /** Another value that makes sense, where one is worth showing. */
  example?: unknown
}

interface JsonSchema {
  type?: string
  properties?: Record<string, JsonSchema>
  description?: string
  default?: unknown
  examples?: unknown[]
  enum?: string[]
  minimum?: number
  maximum?: number
  /** From `meta`: what `pattern` says, in words. */
  allowed?: string
  items?: JsonSchema
}

/** Every setting with its meaning, what is allowed and its default: what docs/settings.md shows. */
export function settingRows(): SettingRow[] {
  if (rows) return rows
  const all: SettingRow[] = []
  const walk = (schema: JsonSchema, path: string): void => {
    if (schema.properties) {
      for (const [key, child] of Object.entries(schema.properties)) walk(child, path ? `${path}.${key}` : key)
    } else {
      all.push({
        path,
        description: schema.description ?? '',
        allowed: allowed(schema),
        default: schema.default,
        ...(schema.enum && { values: schema.enum }),
        ...(schema.items && {
          entries:
            schema.items.type === 'string'
              ? 'a list of names'
              : 'a list of filters, as in [{"namespace":["application"]}]',
        }),
        ...(schema.examples && { example: schema.examples[0] }),
      })
    }
  }
  walk(z.toJSONSchema(settingsSchema, { io: 'input' }) as JsonSchema, '')
  rows = all
  return all
}
let rows: SettingRow[] | undefined

const settingPaths = (): string[] => settingRows().map(row => row.path)

function allowed(schema: JsonSchema): string {
  if (schema.enum) return `one of ${schema.enum.join(', ')}`
  if (schema.type === 'boolean') return 'true or false'
  if (schema.type === 'integer' || schema.type === 'number') {
    const kind = schema.type === 'integer' ? 'a whole number' : 'a number'
    const { minimum, maximum } = schema
    // zod writes the limits of a safe integer where none is set
    const upper = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER ? maximum : undefined
    return upper === undefined ? `${kind} from ${minimum}` : `${kind} from ${minimum} to ${upper}`
  }
  if (schema.type === 'array') return 'a list'
  return schema.allowed ?? 'text'
}
