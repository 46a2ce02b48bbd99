import type { Settings } from '../../shared/settings/schema.ts'
import type { Figures } from './figures.ts'

// How large a cluster's monitoring has to be. Every number is a measured figure of bench/, scaled.

/** The cluster to size. */
export interface Cluster {
  nodes: number
  /** Events per second of a node that reach its event file, after the deny list. */
  eventsPerNode: number
  podsPerNode: number
  /** Namespaces with events. Each has its own streams in Loki. */
  namespaces: number
  retentionDays: number
  /** How long Loki may be unavailable before the gateways stop accepting events. */
  outageMinutes: number
  /** Bytes of an event; by default those of the recording. Field filters make events smaller. */
  eventBytes?: number
  /** How many times smaller compression makes events; by default as much as the recording. */
  compression?: number
}

/** The settings of the production stack that the model reads. */
export type SizedSettings = Pick<Settings, 'tetragon' | 'pipeline' | 'prometheus'>

type Unit = 'events/s' | 'bytes' | 'bytes/day' | 'requests/day' | 'cores' | 'pods' | 'minutes' | 'series' | ''

/** One number of the result. */
export interface Size {
  part: string
  what: string
  value: number | string
  unit: Unit
  /**
   * `measured`: the load test ran at least at this rate. `setting`: follows from the settings alone. `extrapolated`:
   * scaled beyond what was measured, or from a published figure.
   */
  basis: 'measured' | 'extrapolated' | 'setting' | 'input'
  /** Where the number comes from. */
  from: string
}

// Published figures.

/** From here on Loki recommends microservices (docs: get-started/deployment-modes). Up to here, several replicas of the whole Loki are the lab's estimate. */
const microservicesBytesPerDay = 1e12
/** Loki closes a chunk after 2 h at the latest: ingester.max_chunk_age (docs: configure). */
const chunksPerStreamAndDay = 12
/** Each Loki uploads its index every 15 minutes and lists the bucket every 5; the compactor runs every 10 (docs: configure). */
const perDay = { indexUploads: 96, indexLists: 288, compactions: 144 }
/** The WAL holds what came since the checkpoint before the last, one every 5 minutes (docs: operations/storage/wal). */
const walSeconds = 600
/** A sample takes 1 to 2 bytes on disk (Prometheus's docs: storage). */
const bytesPerSample = 2

// Choices of the lab.

/** `loki.mode: ha` stores every event on three replicas. */
const copies = 3
/** stacks/monitoring/loki/ha.ts: the open block of a stream, and the compressed size at which its chunk is closed. */
export const [blockBytes, chunkBytes] = [4 * 1024 ** 2, 8 * 1024 ** 2]
/** stacks/monitoring/gateway.ts: share of a gateway's volume that its queue may fill. */
export const queueShare = 0.4
const MiB = 1024 ** 2
const daySeconds = 86_400

/** A number before it knows its part. */
type Row = [what: string, value: number | string, unit: Unit, basis: Size['basis'], from: string]

/** Returns the sizes of all parts. */
export function sizeCluster(cluster: Cluster, figures: Figures, settings: SizedSettings): Size[] {
  const flow = eventFlow(cluster, figures)
  const parts: Record<string, Row[]> = {
    events: events(cluster, flow),
    'each node': eachNode(cluster, figures, flow, settings),
    gateway: gateway(cluster, figures, flow, settings),
    Loki: loki(figures, flow),
    bucket: bucket(cluster, flow),
    Prometheus: prometheus(cluster, figures, settings),
  }
  return Object.entries(parts).flatMap(([part, rows]) =>
    rows.map(([what, value, unit, basis, from]) => ({ part, what, value, unit, basis, from })),
  )
}

/** The events of the cluster, and how Loki stores them. */
function eventFlow(cluster: Cluster, { recording, rate: tested }: Figures) {
  const rate = cluster.nodes * cluster.eventsPerNode
  const eventBytes = cluster.eventBytes ?? recording.bytesPerEvent
  const compression = cluster.compression ?? recording.compression
  const bytesPerDay = rate * eventBytes * daySeconds
  return {
    rate,
    eventBytes,
    compression,
    bytesPerDay,
    // Replicas close their chunks at different times, so that no two are equal.
    storedPerDay: (bytesPerDay / compression) * copies,
    streams: Math.ceil((recording.streams / recording.namespaces) * cluster.namespaces),
    // No replica gets more events than the Loki of the load test.
    replicas: Math.max(copies, Math.ceil((rate * copies) / tested)),
    /** Marks a figure of the load test, at a rate of one shipper. */
    within: (eventsPerSecond: number) => (eventsPerSecond <= tested ? 'measured' : 'extrapolated') as Size['basis'],
    loadTest: `load test (${count(tested)} events/s)`,
    perEvent: `${count(eventBytes)} bytes an event${cluster.eventBytes ? '' : ' (recording)'}`,
  }
}
type Flow = ReturnType<typeof eventFlow>

const events = ({ eventBytes }: Cluster, { rate, bytesPerDay, perEvent, within }: Flow): Row[] => [
  ['rate', rate, 'events/s', 'input', 'nodes × events per node'],
  ['written to the event files', bytesPerDay, 'bytes/day', eventBytes ? 'input' : within(rate), perEvent],
]

function eachNode(
  { eventsPerNode, eventBytes }: Cluster,
  { shipper }: Figures,
  flow: Flow,
  { tetragon }: SizedSettings,
): Row[] {
  const { maxSizeMB, maxBackups } = tetragon.exportFile
  const fileBytes = maxSizeMB * 1e6 * (maxBackups + 1)
  const covered = fileBytes / (eventsPerNode * flow.eventBytes) / 60
  const basis = flow.within(eventsPerNode)
  return [
    ['shipper, processor', eventsPerNode * shipper.coresPerEvent, 'cores', basis, flow.loadTest],
    ['shipper, memory', shipper.memoryMiB * MiB, 'bytes', basis, flow.loadTest],
    ['event files, disk', fileBytes, 'bytes', 'setting', '`tetragon.exportFile`'],
    ['outage that the event files cover', covered, 'minutes', eventBytes ? 'setting' : 'extrapolated', flow.perEvent],
  ]
}

function gateway(
  { outageMinutes }: Cluster,
  { shipper, rate: tested }: Figures,
  { rate, eventBytes, perEvent }: Flow,
  { pipeline }: SizedSettings,
): Row[] {
  // One can fail, and the others carry its load.
  const replicas = Math.max(2, Math.ceil(rate / tested) + 1)
  const cores = (rate / replicas) * shipper.coresPerEvent
  const volume = (rate * eventBytes * 60 * outageMinutes) / replicas / queueShare
  const memory = toBytes(pipeline.gateway.resources.memory)
  return [
    ['replicas', replicas, 'pods', 'extrapolated', 'as many as shippers in the load test, and a spare'],
    ['processor, each', cores, 'cores', 'extrapolated', 'a shipper in the load test'],
    ['memory, each', memory, 'bytes', 'setting', '`pipeline.gateway.resources.memory`'],
    [`volume, each, for ${outageMinutes} minutes without Loki`, volume, 'bytes', 'extrapolated', perEvent],
  ]
}

function loki({ loki, recording }: Figures, flow: Flow): Row[] {
  const { rate, bytesPerDay, eventBytes, replicas, streams, loadTest } = flow
  const perReplica = (rate * copies) / replicas
  // The load test had the streams of the recording. Each further one has an open chunk, as full as it gets.
  const furtherStreams = Math.max(0, (streams * copies) / replicas - recording.streams)
  const openBytes = Math.min(blockBytes + chunkBytes, bytesPerDay / chunksPerStreamAndDay / streams)
  const memory = loki.memoryMiB * MiB + furtherStreams * openBytes
  const mode = bytesPerDay > microservicesBytesPerDay ? 'microservices (not part of the lab)' : 'ha'
  return [
    ['mode', mode, '', 'extrapolated', 'an estimate; Loki advises microservices above 1 TB a day'],
    ['replicas', replicas, 'pods', 'extrapolated', `${copies} copies of each event, ${loadTest}`],
    ['processor, each', perReplica * loki.coresPerEvent, 'cores', 'extrapolated', loadTest],
    ['memory, each', memory, 'bytes', 'extrapolated', `load test, for ${count(streams)} streams`],
    ['volume, each', perReplica * eventBytes * walSeconds, 'bytes', 'extrapolated', 'write-ahead log of 10 minutes'],
  ]
}

function bucket({ retentionDays }: Cluster, { storedPerDay, compression, streams, replicas }: Flow): Row[] {
  const chunks = Math.max(storedPerDay / chunkBytes, streams * copies * chunksPerStreamAndDay)
  const puts = chunks + replicas * perDay.indexUploads + perDay.compactions
  const reads = replicas * perDay.indexLists + perDay.compactions * 2
  return [
    ['new objects', storedPerDay, 'bytes/day', 'extrapolated', `${copies} copies, compressed ${compression} times`],
    [`objects of ${retentionDays} days`, storedPerDay * retentionDays, 'bytes', 'extrapolated', '`loki.retention`'],
    ['PUT', puts, 'requests/day', 'extrapolated', 'chunks of 2 hours or 8 MiB, and the index'],
    ['LIST and GET, without queries', reads, 'requests/day', 'extrapolated', 'index and compactor'],
  ]
}

function prometheus(cluster: Cluster, { recording, cluster: measured }: Figures, settings: SizedSettings): Row[] {
  const { all, namespaceAndWorkload } = recording.agentSeries
  const filtered = !settings.tetragon.metricsLabelFilter.some(label => label === 'pod' || label === 'binary')
  const perAgent = filtered ? namespaceAndWorkload : all
  const ofTetragon = cluster.nodes * perAgent
  const rows: Row[] = [
    ['series of Tetragon', ofTetragon, 'series', 'extrapolated', `${perAgent} of an agent (recording)`],
  ]
  if (!measured) return rows
  const perNode = measured.seriesPerNode + cluster.podsPerNode * measured.seriesPerPod
  const series = ofTetragon + cluster.nodes * perNode + measured.seriesOfTheRest
  const { retention, scrapeInterval } = settings.prometheus
  const bytesPerSeries = (measured.prometheus.memoryMiB * MiB) / measured.prometheus.series
  const disk = (series / seconds(scrapeInterval)) * seconds(retention) * bytesPerSample
  return [
    ...rows,
    ['series in all', series, 'series', 'extrapolated', 'the lab, by its nodes and pods'],
    [
      'memory, each',
      series * bytesPerSeries,
      'bytes',
      'extrapolated',
      `${(bytesPerSeries / 1000).toFixed(1)} kB a series (the lab at rest; queries need more)`,
    ],
    [`volume, each, for ${retention}`, disk, 'bytes', 'extrapolated', '2 bytes a sample (Prometheus)'],
  ]
}

/** Returns the bytes of a Kubernetes quantity, as in 512Mi. */
const toBytes = (quantity: string): number => Number.parseInt(quantity, 10) * (quantity.endsWith('Gi') ? 1024 : 1) * MiB

const count = (value: number): string => Math.round(value).toLocaleString('en')

const seconds = (duration: string): number =>
  Number.parseInt(duration, 10) * { s: 1, m: 60, h: 3600, d: daySeconds }[duration.at(-1) as 's' | 'm' | 'h' | 'd']
