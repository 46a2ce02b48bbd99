import { z } from 'zod'
import { resources } from './values.ts'

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

/** The event source, and what the agent writes. */
export const tetragon = z.strictObject({
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
  runtimeHooksAllow: z
    .array(z.string())
    .default(['kube-system', 'local-path-storage', 'monitoring'])
    .describe(
      'Namespaces in which pods can start even if the agent on their node is down, with `tetragon.runtimeHooks`. Name those that the cluster cannot do without.',
    )
    .meta({ examples: [['kube-system', 'cilium', 'rook-ceph', 'monitoring']] }),
  metricsLabelFilter: z
    .array(z.enum(['namespace', 'workload', 'pod', 'binary', 'node_name']))
    .default(['namespace', 'workload', 'pod', 'binary', 'node_name'])
    .describe(
      "Labels of Tetragon's metrics per event: `namespace`, `workload`, `pod`, `binary`, `node_name`. Each combination is a series: without `pod` and `binary` there are far fewer.",
    )
    .meta({ examples: [['namespace', 'workload']] }),
  updatePercent: z
    .int()
    .min(0)
    .max(100)
    .default(0)
    .describe(
      'On how many nodes an update replaces the agent, the shipper and the node exporter at once, in percent; 0 means one node at a time.',
    )
    .meta({ examples: [10] }),
  // The request decides the agent's share of a busy machine. It is the largest of the lab, because an agent that waits
  // for a processor reads too late, and the kernel then drops events.
  resources: resources('the agent', { cpu: '250m', memory: '128Mi', memoryLimit: '512Mi' }),
})

/** TracingPolicies to load. */
export const policies = z.strictObject({
  apply: z
    .array(z.string())
    .default(['sensitive-file-access', 'unexpected-process-exec', 'tcp-connect', 'sys-openat'])
    .describe(
      'Policies that are loaded with the lab: file names in `policies/` without `.yaml`. The default ones only observe.',
    ),
})
