import type { Panel } from '@grafana/grafana-foundation-sdk/dashboard'
import { describe, expect, test } from 'vitest'
import * as colorMaps from '../../../dashboards/builders/colors.ts'
import { mostSeries } from '../../../dashboards/builders/queries.ts'
import { allDashboards } from '../../../dashboards/index.ts'
import { panelQueries, panelsOf } from '../../../dashboards/panel-queries.ts'
import { classicPalette, closestPair, contrast, type Theme } from './support/color-vision.ts'

const { colors } = colorMaps
const themes: Theme[] = ['light', 'dark']

/** Distance at which a color-blind reader still tells two lines apart at a glance, also on a projector. */
const plainDistance = 10
/** The palette of series whose names nobody knows in advance is Grafana's own. */
const paletteDistance = 8

describe('the colors of series that are known by name', () => {
  test('differ plainly for color-blind readers', () => {
    const { pair, vision, distance } = closestPair(Object.values(colors))
    expect(distance, `${pair.join(' and ')}, ${vision}`).toBeGreaterThan(plainDistance)
  })

  test.each(Object.entries(colors))('%s stands out from both themes', (_name, color) => {
    for (const theme of themes) expect(contrast(color, theme), theme).toBeGreaterThan(3)
  })
})

describe('Grafana’s palette', () => {
  test.each(themes)('keeps the series that a panel may take from it apart in the %s theme', theme => {
    const used = classicPalette[theme].slice(0, mostSeries)
    const { pair, vision, distance } = closestPair(used)
    expect(distance, `${pair.join(' and ')}, ${vision}`).toBeGreaterThan(paletteDistance)
  })

  test('would not keep one more apart', () => {
    const distances = themes.map(theme => closestPair(classicPalette[theme].slice(0, mostSeries + 1)).distance)
    expect(Math.min(...distances)).toBeLessThan(paletteDistance)
  })
})

test('the check finds the colors that were confused: three reds, and two greens', () => {
  for (const confused of [
    ['#ad0317', '#e02f44', '#bf1b00'],
    ['#508642', '#56a64b'],
  ])
    expect(closestPair(confused).distance).toBeLessThan(plainDistance)
})

// --- Panels

const graphs = allDashboards().flatMap(({ dashboard }) =>
  panelsOf(dashboard)
    .filter(({ type }) => type === 'timeseries')
    .map(panel => ({
      title: `${dashboard.title} / ${panel.title}`,
      panel,
      queries: panelQueries(dashboard).filter(query => query.panel.id === panel.id),
    })),
)

/** Returns the fixed colors of a panel by the name of the series. */
const fixedColors = (panel: Panel): Record<string, string> =>
  Object.fromEntries(
    panel.fieldConfig!.overrides.flatMap(({ matcher, properties }) =>
      properties.filter(({ id }) => id === 'color').map(({ value }) => [matcher.options, value.fixedColor]),
    ),
  )

const legends = (panel: Panel): string[] =>
  panel.targets!.map(target => (target as { legendFormat?: string }).legendFormat ?? '')

describe.each(graphs)('$title', ({ panel, queries }) => {
  const fixed = fixedColors(panel)

  test('has no two series of the same color', () => {
    const byColor = Map.groupBy(Object.keys(fixed), name => fixed[name])
    for (const names of byColor.values()) {
      // A label has either these values or those: operations on the cache, or on the policy filter.
      const together = names.filter(name => !['update', 'add'].includes(name))
      expect(together.length, names.join(' and ')).toBeLessThanOrEqual(1)
    }
  })

  test('gives each series a color of its own or one of the first of the palette', () => {
    const named = legends(panel).filter(legend => !legend.includes('{{'))
    expect(named.filter(legend => !(legend in fixed)).length, 'series without a fixed color').toBeLessThanOrEqual(1)
    expect(panel.fieldConfig!.defaults.color, 'a hash of the name gives two series one color').toEqual({
      mode: 'palette-classic',
    })
    legends(panel).forEach((legend, index) => {
      if (!legend.includes('{{') || Object.keys(fixed).length > 0) return
      expect(queries[index]!.expr, `${legend} can have any number of values`).toContain(`topk(${mostSeries}, `)
    })
  })
})

test('a name has the same color on every dashboard', () => {
  const entries = graphs.flatMap(({ panel }) => Object.entries(fixedColors(panel)))
  for (const [name, uses] of Map.groupBy(entries, ([name]) => name))
    expect(new Set(uses.map(([, color]) => color)).size, name).toBe(1)
})

test('the fixed names are those that exist', async () => {
  const names = (map: colorMaps.SeriesColors) => Object.keys(map)
  const { eventTypes, severities } = await import('../../../stacks/monitoring/fields.ts')
  const { stages } = await import('../../../dashboards/stages.ts')
  expect(names(colorMaps.eventTypeColors).filter(name => !(eventTypes as readonly string[]).includes(name))).toEqual([])
  expect(new Set(names(colorMaps.severityColors))).toEqual(new Set(severities.map(({ text }) => text)))
  expect(names(colorMaps.stageColors)).toEqual(expect.arrayContaining(Object.values(stages).map(({ name }) => name)))
})

test('stat panels and bar gauges color values with the same colors', () => {
  const panels = allDashboards().flatMap(({ dashboard }) => panelsOf(dashboard))
  const used = panels
    .filter(({ type }) => type === 'stat' || type === 'bargauge')
    .flatMap(panel => panel.fieldConfig!.defaults.thresholds!.steps.map(({ color }) => color))
  expect(used.length).toBeGreaterThan(10)
  for (const color of used) expect(Object.values(colors)).toContain(color)
})
