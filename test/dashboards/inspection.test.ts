import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startBrowser } from './browser.ts'
import { panelSelector } from './dashboard-page.ts'
import { panelFaults } from './faults.ts'
import { inspectPanels, watchCanvases } from './page/inspection.mjs'

// Pages with the elements that Grafana 9.4 and Grafana 13 put around a panel, with one fault each.

let browser: Browser
let page: Page
beforeAll(async () => {
  browser = await startBrowser()
  page = await browser.newPage()
  await page.addInitScript(watchCanvases)
  // The script runs when a page opens, not when its content changes.
  await page.goto('data:text/html,')
})
afterAll(() => browser?.close())

type Generation = keyof typeof generations

const generations = {
  'Grafana 9.4': {
    panel: (title: string, content: string, error: boolean) => `
      <section class="panel-container" aria-label="${title} panel">
        ${error ? '<button class="panel-info-corner panel-info-corner--error" aria-label="Panel header error"></button>' : ''}
        <div class="panel-header">
          <div data-testid="data-testid Panel header ${title}"><h2 class="clip">${title}</h2></div>
        </div>
        <div class="panel-content">${content}</div>
      </section>`,
    legendItem: (name: string) => `aria-label="VizLegend series ${name}"`,
    table: 'role="table"',
    cell: 'role="cell"',
  },
  'Grafana 13': {
    panel: (title: string, content: string, error: boolean) => `
      <section data-testid="data-testid Panel header ${title}">
        <div data-testid="data-testid header-container">
          ${error ? '<button data-testid="data-testid Panel status error"></button>' : ''}
          <h2 class="clip">${title}</h2>
        </div>
        <div data-testid="data-testid panel content" class="panel-content">${content}</div>
      </section>`,
    legendItem: (name: string) => `data-testid="data-testid VizLegend series ${name}"`,
    table: 'role="grid"',
    cell: 'role="gridcell"',
  },
}

const styles = `
  section { width: 400px; height: 200px; display: block; font: 14px sans-serif; }
  h2 { font-size: 14px; margin: 0; }
  .panel-content { height: 170px; contain: strict; }
  .clip { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
  .scroll { overflow: auto; width: 400px; height: 150px; }
  .row { display: flex; }
  .row > * { flex: none; }
  .icon { display: inline-block; width: 14px; height: 4px; }`

interface Panel {
  title?: string
  content: string
  error?: boolean
  script?: string
}

async function faultsIn(generation: Generation, { title = 'Events', content, error = false, script = '' }: Panel) {
  await page.setContent(`<style>${styles}</style>${generations[generation].panel(title, content, error)}`)
  if (script) await page.evaluate(script)
  const views = await page.evaluate(inspectPanels, { panels: panelSelector, logPanels: ['Log.*'] })
  expect(views.map(view => view.title)).toEqual([title])
  return panelFaults(views[0]!, 'All is well', false)
}

const legend = (generation: Generation, colors: Record<string, string>) =>
  Object.entries(colors)
    .map(
      ([name, color]) => `<span ${generations[generation].legendItem(name)}>
        <span class="icon" data-testid="series-icon" style="background: ${color}"></span><button>${name}</button>
      </span>`,
    )
    .join('')

const table = (generation: Generation, widths: number[], cells: string[], heading = 'Events') => {
  const { table: tableRole, cell } = generations[generation]
  const each = (role: string, texts: string[]) =>
    texts.map((text, index) => `<div ${role} style="width: ${widths[index]}px"><div class="clip">${text}</div></div>`)
  return `<div ${tableRole}><div class="scroll">
    <div class="row">${each('role="columnheader"', [...cells.slice(1).map(() => 'Path'), heading]).join('')}</div>
    <div class="row">${each(cell, cells).join('')}</div>
  </div></div>`
}

/** Draws text and dashed vertical lines, as a chart does. */
const drawing = (labelX: number, lines: number) => `{
  const canvas = document.querySelector('canvas')
  const context = canvas.getContext('2d')
  for (let draw = 0; draw < 2; draw++) {
    context.clearRect(0, 0, canvas.width, canvas.height)
    context.font = '12px sans-serif'
    context.fillText('a long label', ${labelX}, 50)
    for (let line = 0; line < ${lines}; line++) {
      context.beginPath()
      context.setLineDash([5, 5])
      context.moveTo(line * 3, 0)
      context.lineTo(line * 3, 100)
      context.stroke()
    }
  }
}`
const canvas = '<canvas width="300" height="100"></canvas>'

describe.each(Object.keys(generations) as Generation[])('a panel of %s', generation => {
  const faults = (panel: Panel) => faultsIn(generation, panel)

  it('has no fault when everything can be read', async () => {
    const content =
      legend(generation, { exec: '#73bf69', exit: '#5794f2' }) + table(generation, [200, 100], ['/etc/passwd', '80'])
    expect(await faults({ content })).toEqual([])
    expect(await faults({ content: canvas, script: drawing(10, 12) })).toEqual([])
  })

  it('fails with an error', async () => {
    expect(await faults({ content: 'x', error: true })).toEqual(['has an error'])
  })

  it('fails when it is blank', async () => {
    expect(await faults({ content: '<div></div>' })).toEqual(['is blank'])
  })

  it('fails without data, also when it says so in its own words', async () => {
    expect(await faults({ content: '<p>No data</p>' })).toEqual(['has no data: No data'])
    expect(await faults({ content: '<p>All is well</p>' })).toEqual(['has no data: All is well'])
  })

  it('fails when two series have the same color', async () => {
    const content = legend(generation, { exec: '#73bf69', exit: '#5794f2', kprobe: 'rgb(115, 191, 105)' })
    expect(await faults({ content })).toEqual(['draws exec and kprobe in the same color, rgb(115, 191, 105)'])
  })

  it('fails when a title is cut off', async () => {
    const title = 'Files that no program of this application should ever have opened'
    expect(await faults({ title, content: 'x' })).toEqual([
      expect.stringMatching(/^"Files that .+" shows \d\d of 65 characters$/),
    ])
  })

  it('fails when an item of the legend is below the edge', async () => {
    const content = `<div style="height: 20px; overflow: auto">${'<p>frontend</p>'.repeat(2)}</div>`
    expect(await faults({ content })).toEqual(['"frontend" is below the edge'])
  })

  it('fails when a number in a table is cut off', async () => {
    const content = table(generation, [200, 10], ['/etc/passwd', '1234567'], 'N')
    expect(await faults({ content })).toEqual([
      expect.stringMatching(/^"1234567" in a table shows \d of 7 characters$/),
    ])
  })

  it('fails when a column heading is cut off', async () => {
    const content = table(generation, [200, 30], ['/etc/passwd', '80'])
    expect(await faults({ content })).toEqual([expect.stringMatching(/^the column heading "Events" shows \d of 6/)])
  })

  it('fails when less than 10 characters of a name in a table are visible', async () => {
    const name = '/var/run/secrets/kubernetes.io/token'
    expect(await faults({ content: table(generation, [120, 60], [name, '80']) })).toEqual([])
    expect(await faults({ content: table(generation, [40, 60], [name, '80']) })).toEqual([
      expect.stringMatching(/^".+token" in a table shows \d of 36 characters$/),
    ])
  })

  it('fails when a table is wider than its panel', async () => {
    const content = table(generation, [390, 100], ['/etc/passwd', '80'])
    expect(await faults({ content })).toContain('the table is 90 pixels wider than its panel')
  })

  it('fails when less than 40 characters of a log line are visible', async () => {
    const line = '12:00:01 visitor /usr/bin/cat /etc/shadow was killed by the policy'
    const log = (width: number) => ({
      title: 'Log of all pods',
      content: `<p class="clip" style="width: ${width}px">${line}</p>`,
    })
    expect(await faults(log(390))).toEqual([])
    expect(await faults(log(150))).toEqual([expect.stringMatching(/^a log line shows \d\d of 66 characters/)])
  })

  it('fails when log lines are JSON', async () => {
    const content = '<p>{"process_kprobe":{"process":{}}}</p>'
    expect(await faults({ title: 'Log', content })).toEqual(['shows events as JSON'])
  })

  it('fails when a label of an axis is cut off', async () => {
    expect(await faults({ content: canvas, script: drawing(-20, 0) })).toEqual(['"a long label" on an axis'])
  })

  it('fails with more than 40 annotations', async () => {
    expect(await faults({ content: canvas, script: drawing(10, 41) })).toEqual(['has 41 annotations, more than 40'])
    const content = `x${'<i data-testid="data-testid annotation-marker"></i>'.repeat(41)}`
    expect(await faults({ content })).toEqual(['has 41 annotations, more than 40'])
  })
})
