import { z } from 'zod'
import { optionalUrl, patternText, resources, secretName, volumeSize } from './values.ts'

const cacheSize = (of: string) =>
  z.int().min(0).max(100_000).default(0).describe(`Memory of the cache for ${of} (memcached), in MB; 0 means no cache.`)

const objectStorage = z.strictObject({
  endpoint: optionalUrl()
    .describe('Address of the S3 server. If it is empty, that of AWS in `loki.objectStorage.region`.')
    .meta({ examples: ['https://s3.example.org'] }),
  bucket: patternText(/^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?$/, 'the name of a bucket')
    .default('')
    .describe('Bucket for chunks and index. It must exist.')
    .meta({ examples: ['tetragon-events'] }),
  region: patternText(/^[a-z0-9-]+$/, 'the name of a region, as in eu-central-1')
    .default('us-east-1')
    .describe('Region of the bucket. Most servers other than AWS accept any.'),
  pathStyle: z
    .boolean()
    .default(false)
    .describe(
      'Put the bucket into the path of the address, not into its host name. Most servers other than AWS need it.',
    )
    .meta({ examples: [true] }),
  credentialsSecret: secretName(
    'loki-object-storage',
    'the credentials',
    '`AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`',
  ),
})

/** Events and logs. */
export const loki = z.strictObject({
  mode: z
    .enum(['single', 'ha'])
    .default('single')
    .describe(
      '`single`: one Loki that stores events on its volume; `ha`: several that store each event three times and then in a bucket, for `cluster.mode: existing`.',
    ),
  replicas: z
    .int()
    .min(3)
    .max(12)
    .default(3)
    .describe('Number of replicas with `loki.mode: ha`. Events are accepted and found while one of them is down.'),
  // Loki does not start with less than a day.
  retention: patternText(/^(2[4-9]|[3-9]\d|[1-9]\d{2,})h$/, 'whole hours, at least 24h')
    .default('24h')
    .describe('How long events are kept, in whole hours (at least 24).'),
  storage: volumeSize()
    .default('2Gi')
    .describe("Size of each Loki's volume. With `ha` it holds only what is not in the bucket yet."),
  objectStorage: objectStorage.prefault({}),
  caches: z
    .strictObject({
      chunksMB: cacheSize('chunks, from which queries read'),
      resultsMB: cacheSize('results of queries'),
    })
    .prefault({}),
  resources: resources('a Loki', { cpu: '50m', memory: '192Mi', memoryLimit: '768Mi' }),
})
