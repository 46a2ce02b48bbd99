import { z } from 'zod'
import { resources, volumeSize } from './values.ts'

/** The shipper, which sends events to Loki and beyond. */
export const pipeline = z.strictObject({
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
  gateway: z
    .strictObject({
      replicas: z
        .int()
        .min(0)
        .max(20)
        .default(0)
        .describe(
          'Collectors between the shippers on the nodes and Loki (only `otel`). They form larger batches and hold back an outage of Loki for many nodes. 0: the shippers send to Loki themselves.',
        ),
      storage: volumeSize().default('10Gi').describe('Size of the volume of each gateway, for its queue.'),
      resources: resources('a gateway', { cpu: '100m', memory: '256Mi', memoryLimit: '1Gi' }),
    })
    .prefault({}),
})
