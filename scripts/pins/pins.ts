import { LabError } from '../../shared/lab-error.ts'
import {
  type ChartName,
  chartNames,
  type ImageName,
  imageNames,
  type Lock,
  type ToolName,
  toolNames,
} from '../../shared/lock.ts'
import { nearest } from '../../shared/validation/schema-errors.ts'

/** A version in the lock file. */
export type Pin = {
  /** Its place in the lock file, as in `charts.loki`. */
  id: string
  version: string
  /** The pin with which it moves, because the publisher tests them together. */
  follows?: string
  /** Why it stays as it is. */
  held?: string
} & (
  | { kind: 'chart'; name: ChartName }
  | { kind: 'image'; name: ImageName }
  | { kind: 'tool'; name: ToolName }
  | { kind: 'node image'; name: 'nodeImage' }
)

/** The images that each chart names in its values. They move with the chart, and can also move alone. */
export const imagesOfCharts: Partial<Record<ChartName, ImageName[]>> = {
  tetragon: ['tetragon', 'tetragon-operator', 'tetragon-export-stdout', 'tetragon-rthooks'],
  'kube-prometheus-stack': [
    'prometheus',
    'prometheus-operator',
    'prometheus-config-reloader',
    'kube-state-metrics',
    'node-exporter',
  ],
  loki: ['loki', 'memcached'],
  grafana: ['grafana'],
  'fluent-bit': ['fluent-bit'],
}

/** Pins that another one decides. */
const followers: Record<string, string> = {
  nodeImage: 'tools.kind',
  'tools.kubectl': 'tools.kind',
  'tools.tetra': 'charts.tetragon',
}

/** Pins that stay. renovate.json leaves out the same ones. */
const held: Record<string, string> = Object.fromEntries(
  ['guestbook-frontend', 'guestbook-redis-leader', 'guestbook-redis-follower'].map(name => [
    `images.${name}`,
    'the original Guestbook, as the source documents use it',
  ]),
)

/** The npm packages whose versions must be those of Pulumi's programs. */
export const npmPackages: Partial<Record<ToolName, string>> = {
  pulumi: '@pulumi/pulumi',
  'pulumi-resource-command': '@pulumi/command',
  'pulumi-resource-kubernetes': '@pulumi/kubernetes',
}

/** Every pin's place in a lock file. */
export const pinIds: readonly string[] = [
  'nodeImage',
  ...chartNames.map(name => `charts.${name}`),
  ...imageNames.map(name => `images.${name}`),
  ...toolNames.map(name => `tools.${name}`),
]

/** Returns every pin of a lock file, in its order. */
export function listPins(lock: Lock): Pin[] {
  const charts = Object.entries(lock.charts).map(
    ([name, { version }]): Pin => ({ kind: 'chart', id: `charts.${name}`, name: name as ChartName, version }),
  )
  const images = Object.entries(lock.images).map(
    ([name, { tag }]): Pin => ({ kind: 'image', id: `images.${name}`, name: name as ImageName, version: tag }),
  )
  const tools = Object.entries(lock.tools).map(
    ([name, { version }]): Pin => ({ kind: 'tool', id: `tools.${name}`, name: name as ToolName, version }),
  )
  const node: Pin = { kind: 'node image', id: 'nodeImage', name: 'nodeImage', version: lock.nodeImage.tag }
  return [node, ...charts, ...images, ...tools].map(pin => ({
    ...pin,
    ...(followers[pin.id] && { follows: followers[pin.id]! }),
    ...(held[pin.id] && { held: held[pin.id]! }),
  }))
}

/**
 * Finds a pin by its place in the lock file, or by its name if no other pin has it.
 * @throws LabError (wrong usage) when there is none, or several.
 */
export function findPin(pins: readonly Pin[], given: string): Pin {
  const found = pins.filter(({ id, name }) => id === given || name === given)
  const exact = found.find(({ id }) => id === given)
  if (exact) return exact
  if (found.length === 1) return found[0]!
  const ids = pins.map(({ id }) => id)
  if (found.length > 1)
    throw new LabError({
      found: `${found.length} pins are called ${given}`,
      expected: found.map(({ id }) => id).join(' or '),
      next: `repeat the command with ${found[0]!.id}`,
      exitCode: 2,
    })
  const near = nearest(given, [...ids, ...pins.map(({ name }) => name)])
  throw new LabError({
    found: `There is no pin ${given}`,
    expected: near ? `${near} (the nearest name)` : 'a pin of the lock file, as in charts.loki',
    next: near ? `repeat the command with ${near}` : './lab pins outdated',
    exitCode: 2,
  })
}
