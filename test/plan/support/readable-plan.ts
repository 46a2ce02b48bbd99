import { basename } from 'node:path'
import { Document, visit } from 'yaml'
import type { PlannedResource, Recording } from '../../../scripts/plan/fake-engine.ts'

// A plan as a page to read: what a change of the program does to each stack shows in its diff.

/** Values with golden files or pages of their own, which change for other reasons. */
const shownElsewhere = [
  'additionalPrometheusRulesMap',
  'additionalScrapeConfigs',
  'alerting',
  'alternateConfig',
  'config',
  'dashboardProviders',
  'dashboardsConfigMaps',
  'datasources',
  'luaScripts',
]

/** Inputs that are the same for every resource of their type. */
const constant = ['apiVersion', 'kind', 'createNamespace', 'maxHistory', 'namespace', 'timeout', 'version', 'compat']

/** Returns the resources of a plan as YAML, by type and name, with files by their names alone. */
export function readablePlan({ resources }: Recording): string {
  const shown = resources.filter(({ custom, type }) => custom && !type.startsWith('pulumi:providers:'))
  const entries = shown.map(resource => [keyOf(resource), inputsOf(resource)] as const)
  const sorted = entries.toSorted(([one], [other]) => (one < other ? -1 : 1))
  const document = new Document(Object.fromEntries(sorted), { aliasDuplicateObjects: false })
  visit(document, {
    Collection(_, node) {
      node.flow = JSON.stringify(node).length <= 90
    },
  })
  return document.toString({ lineWidth: 0 })
}

const keyOf = ({ type, name }: PlannedResource): string => `${type.split(':').at(-1)} ${name}`

function inputsOf({ type, inputs }: PlannedResource): unknown {
  const own = Object.fromEntries(Object.entries(inputs).filter(([key]) => !constant.includes(key)))
  if (type.endsWith(':ConfigMap')) return Object.keys({ ...(inputs.data as object), ...(inputs.binaryData as object) })
  // test/plan/security.test.ts tries every connection.
  if (type.endsWith(':NetworkPolicy')) return '…'
  if (type === 'command:local:Command')
    return { create: own.create, stdin: simplified(JSON.parse(own.stdin as string), []) }
  return simplified(own)
}

/** The id of a lab, which depends on its folder. */
const labId = /(made-by: )[0-9a-f]{16}/

/** Shortens paths and digests, and leaves out what is shown elsewhere. */
function simplified(value: unknown, hidden = shownElsewhere): unknown {
  if (Array.isArray(value)) return value.map(each => simplified(each, hidden))
  if (typeof value === 'string') return value.endsWith('.tgz') ? basename(value) : value.replace(labId, '$1…')
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !hidden.includes(key))
      .map(([key, child]) => [key, key.startsWith('checksum/') ? '…' : simplified(child, hidden)]),
  )
}
