import { z } from 'zod'
import { optionalUrl, patternText, resources, secretName, texts } from './values.ts'

const remoteWrite = z.strictObject({
  url: optionalUrl()
    .describe(
      'Address that receives a copy of all metrics, for long-term storage: Mimir, Thanos Receive or a vendor. If it is empty, nothing is sent.',
    )
    .meta({ examples: ['https://mimir.example.org/api/v1/push'] }),
  credentialsSecret: secretName(
    'remote-write',
    'the credentials for it (basic authentication)',
    '`username` and `password`',
  ),
  headers: texts('texts by name, as in {"X-Scope-OrgID":"security"}')
    .describe('HTTP headers of each request, as the tenant of Mimir. They are no place for a secret.')
    .meta({ examples: [{ 'X-Scope-OrgID': 'security' }] }),
})

/** Metrics. */
export const prometheus = z.strictObject({
  replicas: z
    .int()
    .min(1)
    .max(5)
    .default(1)
    .describe('Number of Prometheus servers. Each scrapes everything, so metrics survive the loss of one.'),
  retention: patternText(/^[1-9]\d*[smhd]$/, 'a number with s, m, h or d, as in 6h')
    .default('6h')
    .describe('How long metrics are kept.'),
  retentionSize: patternText(/^[1-9]\d*(MB|GB)$/, 'megabytes or gigabytes, as in 1GB')
    .default('1GB')
    .describe('Size at which the oldest metrics are deleted. Keep it below 80% of the volume.')
    .meta({ examples: ['80GB'] }),
  storage: patternText(/^([1-9]\d*Gi)?$/, 'whole gibibytes, as in 100Gi, or nothing')
    .default('')
    .describe('Size of the volume of each Prometheus. If it is empty, metrics go with the pod.')
    .meta({ examples: ['100Gi'] }),
  scrapeInterval: patternText(/^[1-9]\d*s$/, 'whole seconds, as in 15s')
    .default('15s')
    .describe(
      'How often Prometheus scrapes metrics. With `cluster.mode: create`, it scrapes Tetragon at least every 5 s.',
    ),
  externalLabels: texts('texts by name, as in {"cluster":"berlin"}')
    .describe('Labels on everything that leaves this Prometheus, as the name of the cluster.')
    .meta({ examples: [{ cluster: 'berlin' }] }),
  replicaLabel: patternText(/^[a-zA-Z_]\w*$/, 'a label name, as in __replica__')
    .default('prometheus_replica')
    .describe(
      'External label with the name of the replica, by which long-term storage recognizes duplicates. Mimir expects `__replica__`.',
    )
    .meta({ examples: ['__replica__'] }),
  remoteWrite: remoteWrite.prefault({}),
  resources: resources('Prometheus', { cpu: '100m', memory: '400Mi', memoryLimit: '1Gi' }),
})
