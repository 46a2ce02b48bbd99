import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { parseSamples, type QueryResponse } from '../scripts/telemetry/query-response.ts'
import { note, report } from '../scripts/terminal/output.ts'
import { readSettings } from '../shared/settings/stack-file.ts'
import { streamLabels } from '../stacks/monitoring/fields.ts'
import { readRecording } from '../stacks/monitoring/replay/recording.ts'
import { recordingFolder } from '../stacks/monitoring/replay-files.ts'
import { withMachine } from './load/report.ts'

// Measures what an event and a node cost in bytes and series: in the recording, and in the running lab if there is one.
// Writes bench/footprint.json, from which `lab size` calculates.

const file = join(import.meta.dirname, 'footprint.json')

/** Loki compresses an event together with those before it in the block of its stream. */
const blockBytes = 16 * 1024 ** 2

function measureRecording() {
  const { events, samples } = readRecording(recordingFolder, 1)
  const lines = events.map(({ line }) => line)
  const bytes = lines.reduce((sum, line) => sum + line.length, 0)
  const block = Buffer.concat(lines).subarray(0, blockBytes)
  const streams = new Set(lines.map(streamOf))
  const agent = samples
    .at(-1)!
    .text.split('\n')
    .filter(line => line !== '' && !line.startsWith('#'))
  return {
    events: events.length,
    bytesPerEvent: Math.round(bytes / events.length),
    compression: round(block.length / gzipSync(block).length),
    streams: streams.size,
    namespaces: new Set([...streams].map(stream => stream.split('\t')[0])).size,
    /** Series of an agent, with all labels and with those of `tetragon.metricsLabelFilter: [namespace, workload]`. */
    agentSeries: { all: agent.length, namespaceAndWorkload: new Set(agent.map(withoutPodAndBinary)).size },
  }
}

/** Returns the labels in Loki of an event: those of `streamLabels`. */
function streamOf(line: Buffer): string {
  const event = JSON.parse(line.toString('utf8')) as Record<string, Record<string, unknown>>
  const [type = ''] = Object.keys(event)
  const { process, policy_name: policy } = event[type] as {
    process?: { pod?: { namespace: string } }
    policy_name?: string
  }
  return [process?.pod?.namespace ?? '', type, policy ?? ''].join('\t')
}

/** Returns the name and labels of a series without the labels that the filter drops. Without them, series coincide. */
const withoutPodAndBinary = (line: string): string =>
  line.replace(/ \S+$/, '').replace(/\b(pod|binary|node_name)="[^"]*",?/g, '')

/** Measures the series of the running lab's Prometheus. @returns undefined without a lab. */
async function measureCluster() {
  const address = `http://127.0.0.1:${readSettings().ports.prometheus}/api/v1/query?`
  const query = async (expression: string) => {
    const response = await fetch(address + new URLSearchParams({ query: expression }))
    return parseSamples((await response.json()) as QueryResponse)
  }
  const number = async (expression: string): Promise<number> => (await query(expression))[0]?.value ?? 0
  try {
    await fetch(address)
  } catch {
    return undefined
  }
  const [pods, kubelet, perPod, nodeExporter, shipper, states, head, memory] = await Promise.all(
    [
      'count(kube_pod_info)',
      'count({job="kubelet", pod=""})',
      'count({job="kubelet", pod!=""})',
      'count({job="node-exporter"})',
      'count({job=~"opentelemetry-collector|fluent-bit"})',
      'count({job="kube-state-metrics"})',
      'max(prometheus_tsdb_head_series)',
      'max(process_resident_memory_bytes{job=~".*prometheus", container="prometheus"})',
    ].map(number),
  )
  return {
    seriesPerNode: kubelet! + nodeExporter! + shipper!,
    seriesPerPod: Math.ceil((perPod! + states!) / pods!),
    seriesOfTheRest: head! - (kubelet! + nodeExporter! + shipper! + perPod! + states!),
    prometheus: { series: head!, memoryMiB: Math.round(memory! / 1024 ** 2) },
  }
}

const round = (value: number): number => Math.round(value * 10) / 10

try {
  if (streamLabels.length !== 4) throw new Error('streamOf does not know all stream labels')
  const earlier = (() => {
    try {
      return JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
    } catch {
      return {}
    }
  })()
  const cluster = await measureCluster()
  if (!cluster) note('No lab is running: only the recording is measured')
  const figures = {
    ...earlier,
    recording: withMachine(measureRecording()),
    ...(cluster && { cluster: withMachine(cluster) }),
  }
  writeFileSync(file, `${JSON.stringify(figures, null, 2)}\n`)
  console.log(JSON.stringify(figures, null, 2))
} catch (error) {
  process.exitCode = report(error)
}
