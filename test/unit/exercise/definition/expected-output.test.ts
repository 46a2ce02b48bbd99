import { expect, it } from 'vitest'
import { outputMismatch } from '../../../../scripts/exercise/definition/expected-output.ts'

it.each([
  ['a\nb', 'a\nb', undefined],
  ['a b', '  a   b  ', undefined],
  [
    'type value\nexec …',
    '┌──────┬───────┐\n│ type │ value │\n├──────┼───────┤\n│ exec │    12 │\n└──────┴───────┘',
    undefined,
  ],
  ['a\nb', 'a\nx\nb', 'b'],
  ['a\n…\nb', 'a\nx\ny\nb', undefined],
  ['a\n…', 'a\nx', undefined],
  ['a', 'a\nx', '(no further line, but: x)'],
  ['pod/… created', 'pod/visitor-1 created', undefined],
  ['pod/… created', 'pod/visitor-1 changed', 'pod/… created'],
])('compares the shown text %j with the output %j', (shown, printed, missing) => {
  expect(outputMismatch(shown, printed)).toBe(missing)
})
