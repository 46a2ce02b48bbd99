import { expect, test } from 'vitest'
import { placeholderSyntax, placeholdersIn, templateLine } from '../../../../scripts/policy/model/placeholder.ts'

test.each<[value: string, syntax: string | undefined]>([
  ['${PODCIDR}', 'shell'],
  ['/home/${USER}/.ssh', 'shell'],
  ['$NAMESPACE', 'shell'],
  ['{{ .Values.namespace }}', 'template'],
  ['<NAMESPACE>', 'angle'],
  ['<your namespace>', 'angle'],
  ['<stdin>', undefined],
  ['/var/lib/$special', undefined],
  ['^ksys_[a-z]{2}$', undefined],
  ['$5', undefined],
])('%s has the placeholder syntax %j', (value, syntax) => {
  expect(placeholderSyntax(value)).toBe(syntax)
})

test('a message, a label and an annotation can have anything that looks like a placeholder', () => {
  const value = {
    metadata: { name: '$NAME', labels: { a: '${B}' }, annotations: { c: '<DATE>' } },
    spec: { kprobes: [{ message: 'cost in ${CURRENCY}', call: '${CALL}' }] },
  }
  expect(placeholdersIn(value).map(({ path }) => path.join('.'))).toEqual(['metadata.name', 'spec.kprobes.0.call'])
})

test.each<[text: string, isYaml: boolean, line: number | undefined]>([
  ['a: 1\n{{- if .Values.x }}\n', false, 2],
  ['a: {{ .Values.x }}\n', true, 1],
  ['a: "{{ .Values.x }}"\n', true, undefined],
  ['a: "{{ include "x" . }}"\n', false, 1],
  ['# {{ not an instruction }}\na: [\n', false, undefined],
  ['a: { b: { c: 1 }}\n', true, undefined],
])('the first template instruction of %j (YAML: %j) is on line %j', (text, isYaml, line) => {
  expect(templateLine(text, isYaml)).toBe(line)
})
