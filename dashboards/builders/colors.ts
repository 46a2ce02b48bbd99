import type { DynamicConfigValue, Panel } from '@grafana/grafana-foundation-sdk/dashboard'
import { FieldColorBuilder, FieldColorModeId } from '@grafana/grafana-foundation-sdk/dashboard'

/** Eight colors that color-blind readers can tell apart, and that stand out from the light and the dark theme. */
export const colors = {
  blue: '#2356ff',
  green: '#698c5c',
  brown: '#995500',
  red: '#ef0032',
  purple: '#a682e1',
  gray: '#696969',
  amber: '#ab9100',
  teal: '#009a99',
} as const

/** The colors of series by name. */
export type SeriesColors = Record<string, keyof typeof colors>

// A name has the same color on every dashboard.

export const eventTypeColors: SeriesColors = {
  process_exec: 'teal',
  process_exit: 'gray',
  process_kprobe: 'blue',
  process_tracepoint: 'green',
  process_uprobe: 'brown',
  process_lsm: 'purple',
}

export const severityColors: SeriesColors = { info: 'blue', warn: 'amber', error: 'brown', critical: 'red' }

export const outcomeColors: SeriesColors = { observed: 'blue', blocked: 'red' }

/** Classes of HTTP status, and requests that nothing answered. */
export const statusColors: SeriesColors = {
  '2xx': 'green',
  '3xx': 'gray',
  '4xx': 'amber',
  '5xx': 'red',
  'no answer': 'purple',
}

/** Stages of the pipeline in their order, and what the agent's filters keep back. */
export const stageColors: SeriesColors = {
  '1. kernel to agent': 'purple',
  'kept back by filters': 'gray',
  '2. agent to file': 'blue',
  '3. file to shipper': 'brown',
  '4. shipper to Loki': 'amber',
  '5. Loki': 'green',
}

/** What an event can lack. */
export const gapColors: SeriesColors = {
  'cache misses': 'gray',
  'without process': 'red',
  'without pod': 'amber',
  'without parent': 'blue',
}

export const queueColors: SeriesColors = { waiting: 'blue', 'waiting for a SIEM': 'purple', room: 'gray' }

export const percentileColors: SeriesColors = { p50: 'blue', p95: 'amber', p99: 'red' }

export const redisColors: SeriesColors = { leader: 'blue', follower: 'amber' }

/** The workloads of the application. */
export const workloadColors: SeriesColors = {
  frontend: 'blue',
  'redis-leader': 'brown',
  'redis-follower': 'amber',
  traffic: 'purple',
  visitor: 'teal',
}

/** The workloads of the pipeline. */
export const pipelineColors: SeriesColors = {
  tetragon: 'blue',
  'opentelemetry-collector': 'amber',
  'fluent-bit': 'teal',
  loki: 'purple',
}

export const namespaceColors: SeriesColors = { application: 'teal', monitoring: 'purple' }

/** Kinds of requests in stacks/application/traffic. */
export const requestColors: SeriesColors = { index: 'blue', get: 'amber', set: 'purple' }

/** Operations on the agent's process cache and on its policy filter. */
export const operationColors: SeriesColors = {
  get: 'amber',
  remove: 'blue',
  update: 'blue',
  add: 'amber',
  'add-container': 'teal',
  delete: 'gray',
}

/** The agent's BPF maps that have metrics. */
export const mapColors: SeriesColors = { execve_map: 'blue', tg_execve_joined_info_map: 'amber' }

/** Creates an override that gives a series a fixed color. */
const fixedColor = (color: keyof typeof colors): DynamicConfigValue[] => [
  { id: 'color', value: new FieldColorBuilder().mode(FieldColorModeId.Fixed).fixedColor(colors[color]).build() },
]

/** A builder of a panel whose series can have colors. */
interface Colorable {
  build(): Panel
  overrideByName(name: string, properties: DynamicConfigValue[]): this
}

/** Gives series their colors by name. Others keep the panel's palette. */
export function colorByName<P extends Colorable>(panel: P, names: SeriesColors): P {
  for (const [name, color] of Object.entries(names)) panel.overrideByName(name, fixedColor(color))
  return panel
}
