import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { buildSite } from '../../scripts/docs/site/build.ts'
import { readSite, titleOf } from '../../scripts/docs/site/pages.ts'
import { startBrowser } from '../dashboards/browser.ts'
import { deadLinks, origin, serveSite } from './rendered-site.ts'

// Builds the documentation site, and reads it in a browser that reaches nothing but its files.

const { pages } = readSite()
const read = [...pages].filter(([page]) => !page.startsWith('source/') || page.endsWith('deny-shadow.yaml'))

let browser: Browser
let context: BrowserContext
let outside: string[]
beforeAll(async () => {
  browser = await startBrowser()
  await buildSite()
  context = await browser.newContext()
  context.setDefaultTimeout(60_000)
  outside = await serveSite(context)
})
// The recording on the first page moves: several open tabs would keep the processor busy.
afterEach(() => Promise.all(context.pages().map(tab => tab.close())))
afterAll(() => browser?.close())

it('has no dead link', () => {
  expect(deadLinks()).toEqual([])
})

describe('in a browser', () => {
  it.each(read)('%s opens without an error', async (page, markdown) => {
    const { tab, errors } = await open(`/${page}.html`)
    expect((await tab.locator('h1').first().innerText()).replace('\u200b', '').trim()).toBe(
      titleOf(markdown).replaceAll(/[`*\\]/g, ''),
    )
    const diagrams = markdown.match(/^```mermaid$/gm)?.length ?? 0
    await expect.poll(() => tab.locator('.diagram svg').count(), { timeout: 30_000 }).toBe(diagrams)
    expect(errors).toEqual([])
  })

  it.each([
    ['traffic.rate', '/reference/settings'],
    ['policy kustomize', '/reference/commands'],
    ['hot-hook', '/reference/lint'],
    ['Process Cache Misses', '/reference/dashboards'],
    ['grandparent', '/exercises/02-who-started-it'],
  ])('the search for %s leads to %s', async (words, path) => {
    const { tab, errors } = await open('/reference/glossary.html')
    await tab.keyboard.press('Control+k')
    await tab.locator('.search-input').fill(words)
    const result = tab.locator(`.results a[href^="${path}"]`).first()
    await result.click()
    await tab.waitForURL(url => url.pathname.startsWith(path))
    expect(errors).toEqual([])
  })

  it('asks no other server for anything', () => {
    expect(outside).toEqual([])
  })
})

/** Opens a page, and waits until Vue has taken it over. */
async function open(path: string): Promise<{ tab: Page; errors: string[] }> {
  const tab = await context.newPage()
  const errors: string[] = []
  tab.on('console', message => message.type() === 'error' && errors.push(message.text()))
  tab.on('pageerror', error => errors.push(String(error)))
  tab.on('response', response => response.status() >= 400 && errors.push(`${response.status()} ${response.url()}`))
  await tab.goto(origin + path)
  await tab.waitForFunction("'__vue_app__' in document.querySelector('#app')")
  return { tab, errors }
}
