import type { Panel, RegexMap } from '@grafana/grafana-foundation-sdk/dashboard'
import { describe, expect, test } from 'vitest'
import { allDashboards } from '../../../dashboards/index.ts'
import { panelsOf } from '../../../dashboards/panel-queries.ts'

// Computes the width of each column from the JSON, as Grafana does.

/** Widths of the window: a large screen, a laptop, half of a screen. */
const windows = [1600, 1100, 800]

/** The page's padding and navigation, the gap between panels, and what a panel's border and padding take. */
const page = { margins: 89, gap: 8, panelPadding: 18 }

/** Returns the width of a panel's content, in pixels. */
function contentWidth(window: number, columns: number): number {
  const cell = (window - page.margins - 23 * page.gap) / 24
  return columns * cell + (columns - 1) * page.gap - page.panelPadding
}

const cellPadding = 12
const pixelsPerCharacter = 8
const filterIcon = 20

/** Values from the recording, and longer ones that a lab can have. Columns that are not listed have a width. */
const examples: Record<string, string[]> = {
  Namespace: ['application', 'monitoring', 'kube-system'],
  Pod: ['visitor-59b79bb849-pfq7d', 'redis-follower-78f7864bbf-nc85q', 'loki-0'],
  Type: ['process_kprobe', 'process_tracepoint'],
  Destination: ['10.103.94.104:6379', '::ffff:10.96.0.1:443', '192.168.100.200:65535'],
}

const tables = allDashboards().flatMap(({ dashboard }) =>
  panelsOf(dashboard)
    .filter(({ type }) => type === 'table')
    .map(panel => ({ title: `${dashboard.title} / ${panel.title}`, panel })),
)

/** Returns a property of a column. A later override counts. */
const property = (panel: Panel, heading: string, id: string): unknown =>
  panel
    .fieldConfig!.overrides.filter(({ matcher }) => matcher.options === heading)
    .flatMap(({ properties }) => properties)
    .findLast(each => each.id === id)?.value

/** Returns the headings in the order of the columns, those of numbers last. */
function columnsOf(panel: Panel): { labels: string[]; numbers: string[] } {
  const { options } = panel.transformations!.find(({ id }) => id === 'organize')!
  const renamed = options.renameByName as Record<string, string>
  const entries = Object.entries(renamed).sort(([a], [b]) => options.indexByName[a] - options.indexByName[b])
  const headings = (isNumber: boolean) => [
    ...new Set(entries.filter(([name]) => name.startsWith('Value') === isNumber).map(([, heading]) => heading)),
  ]
  return { labels: headings(false), numbers: headings(true) }
}

/** Returns a value as the column shows it. */
function shown(panel: Panel, heading: string, value: string): string {
  for (const { options } of (property(panel, heading, 'mappings') ?? []) as RegexMap[]) {
    const pattern = new RegExp(options.pattern.slice(1, -1))
    if (pattern.test(value)) return value.replace(pattern, options.result.text!)
  }
  return value
}

/** Returns the width of each column, as Grafana divides the panel. */
function columnWidths(panel: Panel, window: number): Map<string, number> {
  const { labels, numbers } = columnsOf(panel)
  const least = (panel.fieldConfig!.defaults.custom as { minWidth?: number }).minWidth ?? 150
  const all = [...labels, ...numbers]
  const fixed = all.map(heading => property(panel, heading, 'custom.width') as number | undefined)
  const left = contentWidth(window, panel.gridPos!.w) - fixed.reduce((sum: number, width) => sum + (width ?? 0), 0)
  const share = Math.max(least, left / fixed.filter(width => width === undefined).length)
  return new Map(all.map((heading, index) => [heading, fixed[index] ?? share]))
}

test('there are tables to check', () => {
  expect(tables.length).toBeGreaterThan(6)
})

describe.each(tables)('$title', ({ panel }) => {
  const { labels, numbers } = columnsOf(panel)

  test.each(windows)('fits into its panel in a window of %i pixels', window => {
    const widths = columnWidths(panel, window)
    const total = [...widths.values()].reduce((sum, width) => sum + width, 0)
    expect(Math.floor(total)).toBeLessThanOrEqual(Math.ceil(contentWidth(window, panel.gridPos!.w)))
  })

  test('shows each number and each heading completely', () => {
    const widths = columnWidths(panel, Math.min(...windows))
    expect(numbers.length).toBeGreaterThan(0)
    for (const heading of numbers) {
      expect(property(panel, heading, 'custom.width'), heading).toBeGreaterThan(0)
      expect(widths.get(heading), heading).toBeGreaterThanOrEqual('123,456'.length * pixelsPerCharacter + cellPadding)
    }
    for (const [heading, width] of widths)
      expect(width, heading).toBeGreaterThanOrEqual(
        heading.length * pixelsPerCharacter + cellPadding + (labels.includes(heading) ? filterIcon : 0),
      )
  })

  test('shortens what is long, and shows names that must be complete', () => {
    const widths = columnWidths(panel, Math.min(...windows))
    for (const heading of labels)
      for (const value of examples[heading] ?? []) {
        const text = shown(panel, heading, value)
        expect(text.length * pixelsPerCharacter + cellPadding, `${heading}: ${text}`).toBeLessThanOrEqual(
          widths.get(heading)!,
        )
      }
  })

  test('shows complete numbers, not thousands', () => {
    for (const heading of numbers) expect(property(panel, heading, 'unit'), heading).toMatch(/^(locale|suffix:.+)$/)
  })

  test('is sorted by its first number', () => {
    expect((panel.options as { sortBy: unknown }).sortBy).toEqual([{ displayName: numbers[0], desc: true }])
  })

  test('prints a dash where a row has no value, not the text of an empty panel', () => {
    expect(property(panel, '.*', 'noValue')).toBe('–')
  })
})

test.each([
  ['Pod', 'visitor-59b79bb849-pfq7d', 'visitor…pfq7d'],
  ['Pod', 'loki-0', 'loki-0'],
  ['Pod', 'grafana-admin', 'grafana-admin'],
  ['Binary', '/usr/bin/redis-check-rdb', '…/redis-check-rdb'],
  ['Binary', '/usr/bin/cat', '/usr/bin/cat'],
  [
    'File',
    '/run/secrets/kubernetes.io/serviceaccount/..2026_11_21_09_27_25.3627401750/token',
    '…/serviceaccount/token',
  ],
  ['File', '/etc/shadow', '/etc/shadow'],
])('%s %s is shown as %s', (heading, value, expected) => {
  const { panel } = tables.find(({ title }) => title === 'Security / Sensitive files')!
  expect(shown(panel, heading, value)).toBe(expected)
})

test('the class has one table with a row per student', () => {
  const { panel } = tables.find(({ title }) => title === 'Class / Where each student is')!
  expect(columnsOf(panel)).toEqual({
    labels: ['Student', 'Exercise', 'Task'],
    numbers: ['Minutes', 'Failed tries', 'Last seen'],
  })
  expect(panel.transformations![0]).toEqual({ id: 'merge', options: {} })
})
