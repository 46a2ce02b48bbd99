import type { AnnotationQuery, Dashboard, Panel } from '@grafana/grafana-foundation-sdk/dashboard'
import { describe, expect, test } from 'vitest'
import { pages } from '../../../dashboards/builders/pages.ts'
import { allDashboards } from '../../../dashboards/index.ts'
import { mayBeQuiet, panelQueries, panelsOf } from '../../../dashboards/panel-queries.ts'
import { readRows } from '../../documents/table.ts'

// What a person needs in order to read a dashboard, as far as the JSON shows it. `lab test dashboards` looks at the rest.

const dashboards = allDashboards().map(({ dashboard }) => dashboard)
const each = dashboards.map(dashboard => ({ title: dashboard.title!, dashboard }))
const panels = dashboards.flatMap(dashboard =>
  panelsOf(dashboard).map(panel => ({ title: `${dashboard.title} / ${panel.title}`, panel, dashboard })),
)

/** More marks would hide the graphs. */
const mostMarks = 40

describe('annotations', () => {
  const annotations = dashboards.flatMap(dashboard =>
    (dashboard.annotations.list ?? []).map(annotation => ({
      title: `${dashboard.title} / ${annotation.name}`,
      annotation: annotation as AnnotationQuery & { maxLines?: number },
    })),
  )

  test.each(annotations)('$title has a limit that the data source for Loki reads', ({ annotation }) => {
    expect(annotation.maxLines).toBeGreaterThan(0)
    expect(annotation.maxLines).toBeLessThanOrEqual(mostMarks)
  })

  test.each(annotations)(
    '$title takes its text from the query, because a template prints the names of missing labels',
    ({ annotation }) => {
      expect(annotation.titleFormat).not.toContain('{{')
      expect(annotation.textFormat).toBeUndefined()
      expect(annotation.expr).toContain('| line_format')
    },
  )

  test('only what was blocked is marked until somebody turns on more', () => {
    const on = annotations.filter(({ annotation }) => annotation.enable)
    expect(on.length).toBeGreaterThan(1)
    for (const { annotation } of on) expect(annotation.expr).toContain('tetragon_blocked="true"')
  })
})

describe('titles', () => {
  /** The page's margins, the gap between panels, and what a panel's border, padding and icons take beside the title. */
  const titleWidth = (window: number, columns: number): number =>
    columns * ((window - 89 - 23 * 8) / 24) + (columns - 1) * 8 - 50
  const pixelsPerCharacter = 7

  test.each(panels)('$title is complete, and the same whatever is selected', ({ panel }) => {
    for (const window of [1600, 1100, 800])
      expect(panel.title!.length * pixelsPerCharacter).toBeLessThanOrEqual(titleWidth(window, panel.gridPos!.w))
    // `$pod` would become "All", or a list of all names.
    expect(panel.title).not.toContain('$')
  })
})

describe('axes', () => {
  test.each(panels.filter(({ panel }) => panel.type === 'timeseries'))(
    '$title has a largest value that it shows at least',
    ({ panel }) => {
      const { custom, max, unit } = panel.fieldConfig!.defaults
      const atLeast = max ?? (custom as { axisSoftMax?: number }).axisSoftMax
      expect(atLeast, 'a line at zero needs one').toBeGreaterThan(0)
      // At most 1%, 10 events, or one request a second: more would flatten what the lab shows.
      const limits: Record<string, number> = { short: 10, bytes: 1024 ** 2, percentunit: max ? 1 : 0.01 }
      expect(atLeast).toBeLessThanOrEqual(limits[unit!] ?? 1)
    },
  )
})

describe('an empty panel', () => {
  /** In panels of the other types Grafana always writes "No data". */
  const withText = ['timeseries', 'stat', 'bargauge', 'table']

  test.each(panels.filter(({ panel }) => withText.includes(panel.type)))(
    '$title says in words what that means',
    ({ panel }) => {
      const text = panel.fieldConfig!.defaults.noValue!
      expect(text).toMatch(/^[A-Z].*[a-zA-Z).]$/)
      expect(text).not.toMatch(/no data/i)
      const meaning =
        /That is (good|normal)|kubectl|\.\/lab|Is |see |See |filters|does not|metrics|these pods|selected pods/
      expect(text, 'says that it is good, or what to do').toMatch(meaning)
    },
  )

  test('is of a type that can say so, wherever it may be quiet', () => {
    for (const { title, panel } of panels) if (panel.title! in mayBeQuiet) expect(withText, title).toContain(panel.type)
  })

  test('of something that went wrong says that this is good', () => {
    const wrong = panels.filter(({ panel }) => /^(Errors|Redis errors|Agent errors|Violations by)/.test(panel.title!))
    expect(wrong.length).toBeGreaterThan(4)
    for (const { title, panel } of wrong) expect(panel.fieldConfig!.defaults.noValue, title).toMatch(/That is good\.$/)
  })

  test('has no series of its own in the legend', () => {
    for (const dashboard of dashboards)
      for (const { expr, panel } of panelQueries(dashboard))
        expect(expr, panel.title).not.toMatch(/label_replace\(vector\(0\)/)
  })

  test('is expected only where it may be quiet', () => {
    for (const { panel, dashboard } of panels) {
      const queries = panelQueries(dashboard).filter(query => query.panel.id === panel.id)
      const isGood = /That is (good|normal)/.test(panel.fieldConfig?.defaults.noValue ?? '')
      if (isGood && queries.length > 0) expect(Object.keys(mayBeQuiet), panel.title).toContain(panel.title)
    }
  })
})

describe('log lines', () => {
  test.each(panels.filter(({ panel }) => panel.type === 'logs'))('$title is formatted for people', ({ panel }) => {
    const [{ expr }] = panel.targets as unknown as [{ expr: string }]
    expect(expr).toMatch(/\| line_format `/)
    expect(panel.options).toMatchObject({ wrapLogMessage: true, enableLogDetails: true, showTime: true })
    expect(panel.gridPos!.w, 'a third of a window shows 30 characters').toBeGreaterThanOrEqual(12)
  })

  test('keep the event as JSON in their details', () => {
    const withJson = panels.filter(({ panel }) => JSON.stringify(panel.targets ?? []).includes('label_format event='))
    expect(withJson.map(({ panel }) => panel.title)).toEqual(
      expect.arrayContaining(['kprobe', 'exec', 'exit', 'Events, one per line', 'Events of the selected pods']),
    )
  })
})

describe('the heat map', () => {
  const { panel } = panels.find(each => each.panel.type === 'heatmap')!

  test('names a row after the program without its folder, so that the name fits', () => {
    const { options } = panel.transformations!.find(({ id }) => id === 'renameByRegex')!
    const shown = 'application /usr/local/bin/docker-entrypoint.sh'.replace(
      new RegExp(options.regex),
      options.renamePattern,
    )
    expect(shown).toBe('application docker-entrypoint.sh')
  })

  test('is described in a way that holds in both themes', () => {
    expect(panel.description).not.toMatch(/dark|light/i)
  })
})

describe('the series of a graph', () => {
  const graphs = panels.filter(({ panel }) => panel.type === 'timeseries')

  test.each(graphs)('$title are workloads rather than pods, which are too many for a legend', ({ panel }) => {
    expect(JSON.stringify(panel.targets)).not.toContain('{{pod}}')
  })

  test.each(graphs)('$title are measured, not recorded: a replay plays the agent’s own use faster', ({ panel }) => {
    expect(JSON.stringify(panel.targets)).not.toMatch(/process_(cpu_seconds_total|resident_memory_bytes)/)
  })

  test('include what the filters keep back, which would look like a loss', () => {
    const { panel } = graphs.find(each => each.panel.title === 'Events at each stage')!
    const filtered = panel.targets!.find(target => JSON.stringify(target).includes('kept back by filters'))
    expect(JSON.stringify(filtered)).toMatch(/ringbuf_events_received_total.*events_exported_total/)
  })
})

/** What the texts say about a live agent. A replay shows less. */
test.each([
  ['exec', /leaves out health checks/],
  ['2. Tetragon Process Cache Misses Total', /flat or keeps rising says nothing about `\/proc`/],
  ['6. Tetragon PolicyFilter Operations Total', /`update` is a change to a pod, usually the most frequent/],
])('the text of %s holds on a live agent', (title, expected) => {
  expect(panels.find(({ panel }) => panel.title === title)!.panel.description).toMatch(expected)
})

test.each([
  ['case-panel-2', /may settle or keep rising; neither says anything about `\/proc`/],
  ['case-panel-6', /`add`, `update` and `delete`, and not events/],
])('%s in the list of the documents’ statements holds on a live agent', (row, expected) => {
  expect(readRows().find(({ id }) => id === row)!.here).toMatch(expected)
})

/** Returns whether a panel or an annotation uses a variable. A link does not. */
function isUsed(name: string, { panels, annotations }: Dashboard): boolean {
  const text = JSON.stringify([panels, annotations.list], (key, value) => (key === 'links' ? undefined : value))
  return new RegExp(`\\$${name}\\b`).test(text)
}

describe.each(each)('the controls of $title', ({ dashboard }) => {
  const variables = dashboard.templating.list ?? []
  const isShown = ({ hide }: (typeof variables)[number]) => hide !== 2

  test('are the variables that filter something, and no others', () => {
    for (const variable of variables) expect(isShown(variable), variable.name).toBe(isUsed(variable.name, dashboard))
  })

  test('leave room for the links in one row', () => {
    const shown = variables.filter(isShown)
    if (dashboard.uid === pages.overview.uid) expect(shown).toEqual([])
    else
      expect(dashboard.links).toMatchObject([
        { title: 'Dashboards', type: 'dashboards', asDropdown: true, tags: dashboard.tags },
      ])
  })

  test('go with every drill-down', () => {
    for (const [link, set] of JSON.stringify(dashboard.panels).matchAll(
      /\/d\/[\w-]+\?[^"]*&var-(\w+)=\$\{__value\.raw\}/g,
    ))
      for (const { name } of variables.filter(variable => variable.name !== set))
        expect(link, name).toContain(`\${${name}:queryparam}`)
  })
})

describe('the overview', () => {
  const overview = dashboards[0]!
  const linksOf = (panel: Panel): string[] => (panel.links ?? []).map(({ url }) => /\/d\/([\w-]+)/.exec(url!)![1]!)
  const others = dashboards.slice(1).map(({ uid }) => uid!)

  test('comes first', () => {
    expect(overview.uid).toBe(pages.overview.uid)
  })

  test.each(panelsOf(overview).filter(({ type }) => type !== 'text'))(
    '$title links to the dashboard that explains it',
    panel => {
      const links = linksOf(panel)
      expect(links).toHaveLength(1)
      expect(panel.links![0]!.url).toContain('${__all_variables}')
      expect(others).toContain(links[0])
    },
  )

  test('names every other dashboard, in its links and in its text', () => {
    const text = panelsOf(overview).find(({ type }) => type === 'text')!
    const named = [...JSON.stringify(text.options).matchAll(/\/d\/([\w-]+)/g)].map(([, uid]) => uid)
    expect(named.toSorted()).toEqual(others.toSorted())
    expect(overview.links!.map(({ url }) => url)).toEqual(others.map(uid => `/d/${uid}`))
  })

  test('leads only to dashboards that a lab without the Guestbook has', () => {
    const [home, ...rest] = allDashboards({ application: false }).map(({ dashboard }) => dashboard)
    expect(rest.length).toBeLessThan(others.length)
    const named = [...JSON.stringify(home).matchAll(/\/d\/([\w-]+)/g)].map(([, uid]) => uid)
    expect([...new Set(named)].toSorted()).toEqual(rest.map(({ uid }) => uid).toSorted())
  })

  test('counts the alerts that the lab has', async () => {
    const { alertGroups } = await import('../../../dashboards/alerts.ts')
    const { expr } = panelQueries(overview).find(({ panel }) => panel.title === 'Alerts')!
    for (const { alert } of alertGroups.flatMap(({ rules }) => rules))
      expect(expr).toMatch(new RegExp(`["|]${alert}["|]`))
  })
})
