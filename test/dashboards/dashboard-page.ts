import { setTimeout as sleep } from 'node:timers/promises'
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import type { Browser, BrowserContext, Locator, Page, Response } from 'playwright-core'
import sharp from 'sharp'
import type { GrafanaAccess } from '../../scripts/telemetry/grafana-client.ts'
import { LabError } from '../../shared/lab-error.ts'

/** The widths at which every dashboard must be readable, in pixels: a large screen, a laptop, half of a screen. */
export const widths = [1600, 1100, 800] as const

export const themes = ['light', 'dark'] as const

type Theme = (typeof themes)[number]

/** The height of one row of a dashboard's grid and the gap below it. */
const gridRowPixels = 38
/** Space for the navigation bar, the variables and the links above the panels. */
const headPixels = 280

/** A panel, in Grafana 9.4 and in Grafana 13. */
export const panelSelector = [
  'section[data-testid^="data-testid Panel header "]',
  'section:has([data-testid^="data-testid Panel header "])',
].join()

const settleMs = 1000
const pollMs = 100
/** How long a panel may stay blank when no request is under way. */
const blankMs = 30_000
const timeoutMs = 180_000

/** Signs in to Grafana. Every page of the returned context is signed in. */
export async function signIn(browser: Browser, { url, user, password }: GrafanaAccess): Promise<BrowserContext> {
  const context = await browser.newContext({ locale: 'en-US', timezoneId: 'UTC', baseURL: url })
  // Otherwise newer versions open the navigation beside the dashboard where there is room for it.
  await context.addInitScript("localStorage.setItem('grafana.navigation.docked', 'false')")
  const response = await context.request.post('/login', { data: { user, password } })
  if (response.ok()) {
    await answerEmptyQueries(context)
    return context
  }
  await context.close()
  throw new LabError({ found: `Grafana refused to sign in ${user} (${response.status()})`, next: './lab status' })
}

/**
 * Grafana 9.4 calls it an error when Prometheus finds nothing, and marks the panel red. This gives the page an empty
 * answer, as later versions do. A panel that must have data still has none.
 */
async function answerEmptyQueries(context: BrowserContext): Promise<void> {
  const health = await context.request.get('/api/health')
  const { version } = (await health.json()) as { version: string }
  if (!version.startsWith('9.')) return
  await context.route('**/api/ds/query*', async route => {
    const response = await route.fetch()
    const text = await response.text()
    if (!text.includes('plugin.downstreamError')) return route.fulfill({ response, body: text })
    const { queries } = route.request().postDataJSON() as { queries: { refId: string }[] }
    return route.fulfill({ json: { results: Object.fromEntries(queries.map(({ refId }) => [refId, { frames: [] }])) } })
  })
}

/** A dashboard in the browser, in one theme, with all panels drawn. */
export class DashboardPage {
  readonly page: Page
  /** What Grafana answered to requests that failed: the method, the path and the message. */
  readonly failedRequests: string[] = []
  readonly #panels: Locator
  readonly #dashboard: Dashboard
  #requests = 0
  #lastRequest = Date.now()

  private constructor(page: Page, dashboard: Dashboard) {
    this.page = page
    this.#dashboard = dashboard
    this.#panels = page.locator(panelSelector)
    page.on('request', request => this.#countRequest(request.url(), 1))
    page.on('requestfinished', request => this.#countRequest(request.url(), -1))
    page.on('requestfailed', request => this.#countRequest(request.url(), -1))
    page.on('response', response => void this.#noteFailure(response))
  }

  /** Opens a dashboard. `resize` waits until it is drawn. */
  static async open(context: BrowserContext, dashboard: Dashboard, theme: Theme): Promise<DashboardPage> {
    const page = await context.newPage()
    const opened = new DashboardPage(page, dashboard)
    await page.setViewportSize({ width: widths[0], height: opened.#fullHeight() })
    await page.goto(`/d/${dashboard.uid}?theme=${theme}&refresh=1d`, { timeout: timeoutMs })
    return opened
  }

  /** Makes the window this wide, and waits until every panel has been drawn. */
  async resize(width: number): Promise<void> {
    await this.page.setViewportSize({ width, height: this.#fullHeight() })
    await this.#settled()
  }

  /** Takes a picture of the whole dashboard, as a PNG of at most 256 colors. */
  async picture(): Promise<Buffer> {
    // A mouse over a panel would show its menu.
    await this.page.mouse.move(0, 0)
    const { width, height } = this.page.viewportSize()!
    const boxes = await Promise.all((await this.#panels.all()).map(panel => panel.boundingBox()))
    const bottom = Math.max(...boxes.map(box => (box ? box.y + box.height : 0)))
    const clip = { x: 0, y: 0, width, height: Math.min(height, Math.ceil(bottom) + 8) }
    const shot = await this.page.screenshot({ clip, animations: 'disabled', caret: 'hide' })
    return sharp(shot).png({ palette: true, effort: 10, compressionLevel: 9 }).toBuffer()
  }

  /** Returns the height at which all panels are in the window: Grafana draws only those that are. */
  #fullHeight(): number {
    const rows = Math.max(...this.#dashboard.panels!.map(({ gridPos }) => gridPos!.y + gridPos!.h))
    return rows * gridRowPixels + headPixels
  }

  /** Waits until every panel is there and full, and no request has been under way for a second. */
  async #settled(): Promise<void> {
    const { page } = this
    const expected = this.#dashboard.panels!.filter(({ type }) => type !== 'row').length
    const loading = page.locator('.panel-loading, [aria-label="Panel loading bar"]')
    const full = page.locator(`:is(${panelSelector}):has(.panel-content > *, [data-testid$="panel content"] > *)`)
    this.#lastRequest = Date.now()
    for (const start = Date.now(); ; await sleep(pollMs)) {
      const isQuiet = this.#requests <= 0 && Date.now() - this.#lastRequest > settleMs && (await loading.count()) === 0
      if (isQuiet && (await full.count()) >= expected) return
      // A panel that stays blank is a fault that the test finds.
      if (isQuiet && Date.now() - this.#lastRequest > blankMs) return
      if (Date.now() - start > timeoutMs)
        throw new Error(
          `${this.#dashboard.title}: ${await full.count()} of ${expected} panels are full, ` +
            `${await loading.count()} are loading, ${this.#requests} requests are under way`,
        )
    }
  }

  #countRequest(url: string, difference: 1 | -1): void {
    if (!isQuery(url)) return
    this.#requests += difference
    this.#lastRequest = Date.now()
  }

  async #noteFailure(response: Response): Promise<void> {
    if (response.status() < 400 || !isQuery(response.url())) return
    const { pathname } = new URL(response.url())
    const text = await response.text().catch(() => '')
    this.failedRequests.push(`${response.request().method()} ${pathname}: ${text.slice(0, 300)}`)
  }
}

/** Returns whether a request is for data. Others, such as the stream of live messages, may never end. */
const isQuery = (url: string): boolean => /\/api\/(ds|datasources|dashboards|annotations)\b/.test(url)
