import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import { projectDir } from '../../../shared/paths.ts'

/** The TracingPolicy schemas of the pinned Tetragon chart; see policies/schema/README.md. */
export const schemaFile = join(projectDir, 'policies', 'schema', 'tracingpolicies.json')

/** The two kinds of policy: for the whole cluster and for one namespace. */
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
/** By kind, and by the text of their schema: that of both kinds is the same, and compiling it takes 0.2 s. */
const validators = new Map<string, ValidateFunction>()

/** Returns the version of the Tetragon chart that the schemas come from. */
export const schemaVersion = (): string => vendoredSchemas().version

function vendoredSchemas(): VendoredSchemas {
  vendored ??= JSON.parse(readFileSync(schemaFile, 'utf8')) as VendoredSchemas
  return vendored
}

/**
 * Returns the schema errors of a policy: wrong types, unknown values and unknown fields. The API server refuses the
 * first two and silently drops unknown fields, unless kubectl validates them.
 */
export function schemaErrors(kind: PolicyKind, value: unknown): ErrorObject[] {
  const validate = validators.get(kind) ?? compileValidator(objectSchema(kind))
  validators.set(kind, validate)
  return validate(withoutNulls(value, vendoredSchemas().kinds[kind])) ? [] : (validate.errors ?? [])
}

function compileValidator(schema: OpenApi): ValidateFunction {
  const text = JSON.stringify(schema, withoutKubernetesKeywords)
  // Formats (int32, int64) add nothing to the types.
  const validate =
    validators.get(text) ??
    new Ajv({
      allErrors: true,
      verbose: true,
      useDefaults: true,
      strict: false,
      validateFormats: false,
      // The code is used for a few policies only, and compiling it takes longer than running it.
      code: { optimize: false },
      meta: false,
      validateSchema: false,
    }).compile(JSON.parse(text))
  validators.set(text, validate)
  return validate
}

/** Drops the x-kubernetes- keywords, which are for the API server. */
const withoutKubernetesKeywords = (key: string, value: unknown): unknown =>
  key.startsWith('x-kubernetes-') ? undefined : value

/** The metadata of any object, which the schema of a custom resource leaves to Kubernetes. */
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

/** Returns the schema of a whole object, with its metadata. */
function objectSchema(kind: PolicyKind): OpenApi {
  const schema = closed(vendoredSchemas().kinds[kind])
  return { ...schema, properties: { ...schema.properties, metadata } }
}

/** Closes every object of a schema, because a structural schema names all allowed fields. */
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

/** Removes known fields without a value, which the API server ignores. */
function withoutNulls(value: unknown, schema?: OpenApi): unknown {
  if (Array.isArray(value)) return value.map(child => withoutNulls(child, schema?.items))
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, child]) => child !== null || !schema?.properties?.[key])
      .map(([key, child]) => [key, withoutNulls(child, schema?.properties?.[key])]),
  )
}
