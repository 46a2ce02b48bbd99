import { expect, it } from 'vitest'
import { sizeText } from '../../../scripts/terminal/size-text.ts'

it.each([
  [0, '0 kB'],
  [1, '1 kB'],
  [999_000, '999 kB'],
  [1_000_000, '1 MB'],
  [64_400_000, '64 MB'],
  [1_340_000_000, '1.3 GB'],
  [12_340_000_000, '12 GB'],
])('formats %d bytes as %s', (bytes, text) => {
  expect(sizeText(bytes)).toBe(text)
})
