import { sizeText } from '../terminal/size-text.ts'
import type { Size } from './model.ts'

/** Formats a number with its unit, as in `6.9 TB/day`. */
export function formatSize({ value, unit }: Size): string {
  if (typeof value === 'string') return value
  switch (unit) {
    case 'bytes':
    case 'bytes/day':
      return unit.replace('bytes', sizeText(value))
    case 'cores':
      return `${value < 0.1 ? value.toFixed(3) : value.toFixed(1)} cores`
    default:
      return `${Math.round(value).toLocaleString('en')} ${unit}`
  }
}

/** Formats sizes of several clusters side by side as a Markdown table. The rows must have the same names. */
export function sizesAsMarkdown(clusters: { title: string; sizes: Size[] }[]): string {
  const [first] = clusters
  const bases = (index: number): string =>
    [...new Set(clusters.map(({ sizes }) => sizes[index]!.basis))].toSorted().join(' or ')
  return [
    `| part | | ${clusters.map(({ title }) => title).join(' | ')} | | from |`,
    `| --- | --- |${' ---: |'.repeat(clusters.length)} --- | --- |`,
    ...first!.sizes.map(({ part, what, from }, index) => {
      const values = clusters.map(({ sizes }) => formatSize(sizes[index]!))
      return `| ${[part, what, ...values, bases(index), from].join(' | ')} |`
    }),
  ].join('\n')
}
