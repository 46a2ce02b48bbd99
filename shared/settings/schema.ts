import { z } from 'zod'

// Validation, defaults, types and the table in docs/reference/settings.md all come from this schema.

const port = (what: string, standard: number) =>
  z.int().min(1).max(65535).default(standard).describe(`Port on 127.0.0.1 for ${what}.`)

/** Text that must match a pattern; `allowed` describes the pattern in words. */
const patternText = (pattern: RegExp, allowed: string) => z.string().regex(pattern).meta({ allowed })

const replay = z.strictObject({
  eventsPerSecond: z
    .number()
    .min(0.1)
    .max(10_000)
    .default(12)
    .describe('Average speed of the replay, in events a second. The rhythm of the recording is kept.')
    .meta({ examples: [100] }),
})

const exportFile = z.strictObject({
  maxSizeMB: z
    .int()
    .min(1)
    .max(1000)
    .default(10)
    .describe('Size at which the event file is rotated, in MB.')
    .meta({ examples: [50] }),
  maxBackups: z
    .int()
    .min(1)
    .max(100)
    .default(5)
    .describe(
      'How many rotated files are kept for a shipper that is behind. Beyond that the oldest is deleted, read or not.',
    )
    .meta({ examples: [10] }),
})

const cluster = z.strictObject({
  mode: z
    .enum(['create', 'existing'])
    .default('create')
    .describe('`create` makes a KinD cluster; `existing` uses the context `cluster.context` of your kubeconfig.'),
  name: patternText(/^[a-z0-9][a-z0-9-]{0,30}$/, 'lower-case letters, digits and dashes, at most 31, as in lab-2')
    .default('lab')
    .describe('Name of the KinD cluster. Its node is called `<name>-control-plane`.'),
  context: z.string().default('').describe('Context of your kubeconfig, for `cluster.mode: existing`.'),
  networkPolicies: z
    .boolean()
    .default(true)
    .describe(
      'Allow only the connections that the lab needs (NetworkPolicies). With `false`, any pod can reach any other pod and the internet.',
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
      'Event source: `live` runs Tetragon, `replay` plays a recording of it, `auto` chooses `live` where the kernel supports it.',
    ),
  replay: replay.prefault({}),
  exportFile: exportFile.prefault({}),
  enableProcessCred: z
    .boolean()
    .default(true)
    .describe('Add user and group ids and capabilities to every event.')
    .meta({ examples: [false] }),
  enableProcessNs: z
    .boolean()
    .default(true)
    .describe('Add the Linux namespaces to every event.')
    .meta({ examples: [false] }),
  exportRateLimit: z
    .int()
    .min(-1)
    .default(-1)
    .describe('Maximum number of events a minute that Tetragon writes to its file; -1 means no limit.')
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
    .describe('Filters for the events that are written to the file: an event is written if it matches one of them.')
    .meta({
      examples: [[{ event_set: ['PROCESS_EXEC', 'PROCESS_EXIT', 'PROCESS_KPROBE'], namespace: ['application'] }]],
    }),
  exportDenyList: z
    .array(z.record(z.string(), z.unknown()))
    .default([{ health_check: true }, { namespace: ['', 'cilium', 'kube-system'] }])
    .describe(
      'Filters for the events that are left out of the file, even if the allow list matches. The empty namespace is the host.',
    )
    .meta({
      examples: [[{ health_check: true }, { namespace: ['', 'cilium', 'kube-system', 'monitoring'] }]],
    }),
  redactionFilters: z
    .array(z.record(z.string(), z.unknown()))
    .default([{ redact: ['--password(?:\\s+|=)(\\S*)', '--token(?:\\s+|=)(\\S*)'] }])
    .describe(
      'Regular expressions for process arguments. Tetragon replaces what their groups match by `*****` before it writes the event.',
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
    .describe('Keep enforcing policies while the agent is not running (persistent enforcement).')
    .meta({ examples: [true] }),
  runtimeHooks: z
    .boolean()
    .default(false)
    .describe("Apply policies from a container's first instruction, through a hook in the container runtime.")
    .meta({ examples: [true] }),
})

const policies = z.strictObject({
  apply: z
    .array(z.string())
    .default(['sensitive-file-access', 'unexpected-process-exec', 'tcp-connect', 'sys-openat'])
    .describe(
      'Policies that are loaded with the lab: file names in `policies/` without `.yaml`. The default ones only observe.',
    ),
})

const guestbook = z.strictObject({
  images: z
    .enum(['lab', 'upstream'])
    .default('lab')
    .describe(
      '`lab`: small images for amd64 and arm64, with a page that works offline; `upstream`: the original images, for amd64 only.',
    ),
  frontends: z.int().min(1).max(10).default(3).describe('Number of frontend pods.'),
  followers: z.int().min(1).max(5).default(2).describe('Number of Redis follower pods.'),
})

const traffic = z.strictObject({
  enabled: z.boolean().default(true).describe('Run the traffic generator.'),
  rate: z.number().min(0.1).max(500).default(5).describe('Average number of visits to the Guestbook a second.'),
  noise: z.number().min(0).max(1).default(0.2).describe('How much the rate varies around its average: 0.2 means 20%.'),
})

const pipeline = z.strictObject({
  shipper: z
    .enum(['otel', 'fluent-bit'])
    .default('otel')
    .describe(
      'The program that sends the events from the file to Loki. Labels, severities and queries are the same with both.',
    )
    .meta({ examples: ['fluent-bit'] }),
  siem: z
    .strictObject({
      protocol: z
        .enum(['none', 'otlp', 'syslog'])
        .default('none')
        .describe(
          'Protocol for a second copy of the events, for a SIEM: `otlp` with both shippers, `syslog` only with `fluent-bit`. If the shipper is killed, the SIEM may receive some events twice; Loki removes duplicates.',
        )
        .meta({ examples: ['otlp'] }),
      endpoint: z
        .string()
        .default('')
        .describe(
          'Address that receives the copy: `http://host:4318` for otlp, `host:514` for syslog (RFC 5424 over TCP).',
        )
        .meta({ examples: ['http://192.168.1.20:4318'] }),
    })
    .prefault({}),
})

const prometheus = z.strictObject({
  retention: patternText(/^[1-9]\d*[smhd]$/, 'a number with s, m, h or d, as in 6h')
    .default('6h')
    .describe('How long metrics are kept.'),
  scrapeInterval: patternText(/^[1-9]\d*s$/, 'whole seconds, as in 15s')
    .default('15s')
    .describe('How often Prometheus scrapes metrics.'),
})

const loki = z.strictObject({
  // Loki does not start with less than a day.
  retention: patternText(/^(2[4-9]|[3-9]\d|[1-9]\d{2,})h$/, 'whole hours, at least 24h')
    .default('24h')
    .describe('How long events are kept, in whole hours (at least 24).'),
  storage: patternText(/^[1-9]\d*Gi$/, 'whole gibibytes, as in 2Gi')
    .default('2Gi')
    .describe("Size of Loki's volume."),
})

const grafana = z.strictObject({
  user: z
    .string()
    .min(1)
    .meta({ allowed: 'text that is not empty' })
    .default('admin')
    .describe('Name of the user who signs in.'),
  password: z
    .string()
    .default('')
    .describe(
      'Password of that user. If it is empty, the first `up` creates one and stores it in `.lab/grafana-password`.',
    ),
  anonymous: z.boolean().default(false).describe('Allow anyone on this machine to view dashboards without signing in.'),
})

const classroom = z.strictObject({
  pushTo: patternText(/^(https?:\/\/\S+)?$/, 'an address that begins with http:// or https://')
    .default('')
    .describe(
      'Address that receives your exercise progress, as shown by the teacher’s `lab class open`. If it is empty, nothing is sent.',
    ),
  student: z
    .string()
    .default('')
    .describe('Name that the teacher sees. If it is empty, the names of your account and machine are used.'),
})

/** Schema of all settings, by section. */
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

/** All settings of a lab, with defaults filled in. */
export type Settings = z.infer<typeof settingsSchema>
