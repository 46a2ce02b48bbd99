import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import { projectDir } from '../../../shared/paths.ts'

/** The TracingPolicy schemas as the pinned Tetragon chart has them; see policies/schema/README.md. */
export const schemaFile = join(projectDir, 'policies', 'schema', 'tracingpolicies.json')

/** The two kinds of policy: for the whole cluster, and for one namespace. */
export const policyKinds = ['TracingPolicy', 'TracingPolicyNamespaced'] as const
export type PolicyKind = (typeof policyKinds)[number]

export const policyApiVersion = 'cilium.io/v1alpha1'

interface VendoredSchemas {
  source: string
  version: string
  kinds: Record<PolicyKind, OpenApi>
}

interface OpenApi {
  type?: string
  properties?: Record<string, OpenApi>
  additionalProperties?: boolean | OpenApi
  items?: OpenApi
  [key: string]: unknown
}

let vendored: VendoredSchemas | undefined
const validators = new Map<PolicyKind, ValidateFunction>()

/** Version of the Tetragon chart that the schemas were taken from. */
export const schemaVersion = (): string => load().version

function load(): VendoredSchemas {
  vendored ??= JSON.parse(readFileSync(schemaFile, 'utf8')) as VendoredSchemas
  return vendored
}

/**
 * What the API server, or a strict kubectl in its place, would say against a policy: wrong types and words, and unknown fields, which
 * a structural schema drops without a word.
 */
export function schemaErrors(kind: PolicyKind, value: unknown): ErrorObject[] {
  let validate = validators.get(kind)
  if (!validate) {
    // The formats (int32, int64) say what a type already says; the x-kubernetes- words are for the API server.
    validate = new Ajv({
      allErrors: true,
      verbose: true,
      useDefaults: true,
      strict: false,
      validateFormats: false,
    }).compile(whole(kind))
    validators.set(kind, validate)
  }
  return validate(withoutNulls(value, load().kinds[kind])) ? [] : (validate.errors ?? [])
}

/** Fields of any object's metadata, which a custom resource's own schema leaves to Kubernetes. */
const metadata: OpenApi = {
  type: 'object',
  additionalProperties: false,
  properties: {
    ...Object.fromEntries(
      'annotations labels creationTimestamp deletionGracePeriodSeconds deletionTimestamp finalizers generateName generation managedFields ownerReferences resourceVersion selfLink uid'
        .split(' ')
        .map(name => [name, {}]),
    ),
    name: { type: 'string' },
    namespace: { type: 'string' },
  },
}

/** The schema of a whole object. */
function whole(kind: PolicyKind): OpenApi {
  const schema = closed(load().kinds[kind])
  return { ...schema, properties: { ...schema.properties, metadata } }
}

/** The schema with every object closed: a structural schema names all fields there are. */
function closed(schema: OpenApi): OpenApi {
  const { properties, items, additionalProperties } = schema
  const copy = { ...schema }
  if (properties)
    copy.properties = Object.fromEntries(Object.entries(properties).map(([name, child]) => [name, closed(child)]))
  if (items) copy.items = closed(items)
  if (typeof additionalProperties === 'object') copy.additionalProperties = closed(additionalProperties)
  else if (properties) copy.additionalProperties = false
  return copy
}

/** Without the known fields that are written and left empty, which the API server passes over. */
function withoutNulls(value: unknown, schema?: OpenApi): unknown {
  if (Array.isArray(value)) return value.map(child => withoutNulls(child, schema?.items))
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, child]) => child !== null || !schema?.properties?.[key])
      .map(([key, child]) => [key, withoutNulls(child, schema?.properties?.[key])]),
  )
}
