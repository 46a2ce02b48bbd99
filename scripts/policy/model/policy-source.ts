import { isMapping, readSource, type SourceDocument } from '../../../shared/validation/yaml-source.ts'
import { type PolicyKind, policyApiVersion, policyKinds } from './crd-schema.ts'

// The objects in a file of policies, as kubectl reads them.

/** Returns whether a word is one of the two kinds of policy. */
export const isPolicyKind = (kind: unknown): kind is PolicyKind => policyKinds.includes(kind as PolicyKind)

/** Returns the objects in a text. A list, as `kubectl get -o yaml` prints it, is replaced by its items. */
export const readPolicyDocuments = (text: string): SourceDocument[] =>
  readSource(text, 'kubernetes').flatMap(document => {
    const { kind, items } = isMapping(document.value) ? document.value : {}
    if (!/^(|TracingPolicy|TracingPolicyNamespaced)List$/.test(String(kind)) || !Array.isArray(items)) return [document]
    return items.map((value, index) => ({
      value,
      errors: [],
      line: path => document.line(['items', index, ...path]),
    }))
  })

/** Returns whether a value is a Kubernetes object other than a policy, such as a Pod. */
export function isOtherObject(value: unknown): boolean {
  const { apiVersion, kind } = isMapping(value) ? value : {}
  if (typeof apiVersion !== 'string' || typeof kind !== 'string' || kind === '' || isPolicyKind(kind)) return false
  return apiVersion !== policyApiVersion || kind === 'PodInfo'
}
