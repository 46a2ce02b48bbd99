import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, BrowserContext } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { allDashboards } from '../../dashboards/index.ts'
import { mustHaveData, panelQueries, panelsOf } from '../../dashboards/panel-queries.ts'
import { loadRunningLab } from '../../scripts/context/context.ts'
import { grafanaAccess, missingFrontEnd } from '../../scripts/telemetry/grafana-client.ts'
import { runningSource } from '../../scripts/tetragon/running-source.ts'
import { unmetNeed } from '../../scripts/verify/panel-data.ts'
import { projectDir } from '../../shared/paths.ts'
import { startBrowser } from './browser.ts'
import { DashboardPage, panelSelector, signIn, themes, widths } from './dashboard-page.ts'
import { faultsOf, titleSource } from './faults.ts'
import { inspectPanels, linkRows, watchCanvases } from './page/inspection.mjs'

// Looks at every dashboard of the running lab as a person would, and saves pictures of them for the documentation.

const pictures = join(projectDir, 'docs', 'pictures')
/** Below this width, links may take a second row, and the documentation needs no picture. */
const narrow = 1000

const lab = await loadRunningLab()
const source = await runningSource(lab)
const { settings } = lab
const access = grafanaAccess(settings)
const skipReason = await missingFrontEnd(access)
if (skipReason) console.log(`Skipped: ${skipReason}.`)

let browser: Browser | undefined
let context: BrowserContext

beforeAll(async () => {
  if (skipReason) return
  browser = await startBrowser()
  context = await signIn(browser, access)
  await context.addInitScript(watchCanvases)
  mkdirSync(pictures, { recursive: true })
})
afterAll(() => browser?.close())

describe.each(allDashboards())('$dashboard.title', ({ dashboard }) => {
  const logPanels = panelsOf(dashboard)
    .filter(({ type }) => type === 'logs')
    .map(({ title }) => titleSource(title!))
  const queries = Map.groupBy(panelQueries(dashboard), ({ panel }) => panel.title)
  const mustBeFull = (title: string): boolean =>
    mustHaveData(title, source) && !unmetNeed(queries.get(title) ?? [], settings)

  it.for(themes)('can be read in the %s theme', async (theme, { skip }) => {
    if (skipReason) skip(skipReason)
    const page = await DashboardPage.open(context, dashboard, theme)
    try {
      const faults: string[] = []
      for (const width of widths) {
        await page.resize(width)
        const views = await page.page.evaluate(inspectPanels, { panels: panelSelector, logPanels })
        const rows = await page.page.evaluate(linkRows)
        const found = faultsOf(views, dashboard, mustBeFull)
        if (rows.length > 1 && width > narrow) found.push(`the links take ${rows.length} rows`)
        faults.push(...found.map(fault => `${width} px: ${fault}`))
        if (width > narrow)
          writeFileSync(join(pictures, `${dashboard.uid}-${theme}-${width}.png`), await page.picture())
      }
      expect([...faults, ...page.failedRequests]).toEqual([])
    } finally {
      await page.page.close()
    }
  })
})
