import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectDir } from '../../shared/paths.ts'

/** What was measured of one shipper and one Loki, of an event, and of a node. */
export interface Figures {
  /** The machine and the date of the load test, as in "2 processors, 24 GiB of memory, Linux 6.18.44; 2026-11-26". */
  measuredOn: string
  /** Events per second of the long run, which lost none. */
  rate: number
  shipper: Cost
  loki: Cost
  recording: {
    bytesPerEvent: number
    /** How many times smaller gzip makes events. */
    compression: number
    streams: number
    namespaces: number
    agentSeries: { all: number; namespaceAndWorkload: number }
  }
  /** Series of a running lab; absent until they are measured. */
  cluster?: {
    seriesPerNode: number
    seriesPerPod: number
    seriesOfTheRest: number
    prometheus: { series: number; memoryMiB: number }
  }
}

/** What a part used during the long run: cores per event per second, and the peak of memory. */
interface Cost {
  coresPerEvent: number
  memoryMiB: number
}

interface Measured<T> {
  machine: string
  date: string
  result: T
}

/** Reads the figures from bench/load.json and bench/footprint.json. */
export function readFigures(folder = join(projectDir, 'bench')): Figures {
  const read = <T>(file: string): T => JSON.parse(readFileSync(join(folder, file), 'utf8')) as T
  const { load } = read<{
    load: Measured<{ rate: number; arriving: number; cost: Record<string, { cpu: number; memory: number }> }>
  }>('load.json')
  const { recording, cluster } = read<{
    recording: Measured<Figures['recording']>
    cluster?: Measured<NonNullable<Figures['cluster']>>
  }>('footprint.json')
  const { rate, arriving, cost } = load.result
  const costOf = (part: string): Cost => ({ coresPerEvent: cost[part]!.cpu / arriving, memoryMiB: cost[part]!.memory })
  return {
    measuredOn: `${load.machine}; ${load.date}`,
    rate,
    shipper: costOf('shipper'),
    loki: costOf('Loki'),
    recording: recording.result,
    ...(cluster && { cluster: cluster.result }),
  }
}
