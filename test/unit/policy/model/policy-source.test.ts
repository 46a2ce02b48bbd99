import { expect, test } from 'vitest'
import { isOtherObject, readPolicyDocuments } from '../../../../scripts/policy/model/policy-source.ts'

test('the items of a list are read one by one, with their lines in the file', () => {
  const text =
    'apiVersion: v1\nkind: List\nitems:\n- kind: TracingPolicy\n  spec: {}\n- kind: Pod\n---\nkind: TracingPolicyNamespaced\n'
  const documents = readPolicyDocuments(text)
  expect(documents.map(({ value }) => (value as { kind: string }).kind)).toEqual([
    'TracingPolicy',
    'Pod',
    'TracingPolicyNamespaced',
  ])
  expect(documents.map(({ line }) => line(['kind']))).toEqual([4, 6, 8])
  expect(documents[0]!.line(['spec'])).toBe(5)
})

test('a list without items, or with something else, stays as it is', () => {
  for (const items of ['', ' 7']) {
    const [list] = readPolicyDocuments(`kind: TracingPolicyList\nitems:${items}\n`)
    expect(list!.value).toMatchObject({ kind: 'TracingPolicyList' })
  }
})

test.each<[kind: string, apiVersion: string | undefined, other: boolean]>([
  ['Pod', 'v1', true],
  ['CiliumNetworkPolicy', 'cilium.io/v2', true],
  ['PodInfo', 'cilium.io/v1alpha1', true],
  ['TracingPolicy', 'v1', false],
  // Probably misspelt.
  ['TracingPolcy', 'cilium.io/v1alpha1', false],
  ['TracingPolcy', undefined, false],
])('kind %s of %s is another object: %j', (kind, apiVersion, other) => {
  expect(isOtherObject({ kind, apiVersion })).toBe(other)
})
