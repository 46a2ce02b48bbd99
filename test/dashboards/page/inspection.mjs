// These functions run in the browser. Playwright sends their text, so they must not use anything outside themselves.

/**
 * @typedef {object} PanelView What a person sees of one panel.
 * @property {string} title
 * @property {string} text All text below the title.
 * @property {boolean} hasError
 * @property {boolean} isBlank Neither text nor a drawing is below the title.
 * @property {{ name: string, color: string }[]} legend Series in the legend, and their colors.
 * @property {string[]} cutTexts Text of which only a part can be seen, with what is wrong.
 * @property {number} marks Number of annotations drawn across the panel.
 */

/**
 * @typedef {object} Drawing
 * @property {string[]} cutTexts
 * @property {number} marks
 * @property {number} verticals Long vertical lines of the current path.
 * @property {number} lastX
 * @property {number} lastY
 */

/** @typedef {Window & { drawingOf(canvas: HTMLCanvasElement): Drawing }} Watched */

/** Makes every canvas remember what is drawn on it: text that its edge cuts off, and annotations. */
export function watchCanvases() {
  /** @type {WeakMap<HTMLCanvasElement, Drawing>} */
  const drawings = new WeakMap()
  const watched = /** @type {Watched} */ (/** @type {unknown} */ (window))
  watched.drawingOf = canvas => {
    const known = drawings.get(canvas)
    if (known) return known
    const drawing = { cutTexts: [], marks: 0, verticals: 0, lastX: 0, lastY: 0 }
    drawings.set(canvas, drawing)
    return drawing
  }
  const context = CanvasRenderingContext2D.prototype
  const { beginPath, clearRect, fillText, lineTo, moveTo, stroke } = context

  context.clearRect = function (x, y, width, height) {
    // Charts clear the whole canvas before they draw it again.
    if (width >= this.canvas.width && height >= this.canvas.height) drawings.delete(this.canvas)
    clearRect.call(this, x, y, width, height)
  }

  context.fillText = function (text, x, y, ...maxWidth) {
    const size = this.measureText(text)
    const transform = this.getTransform()
    const corners = [x - size.actualBoundingBoxLeft, x + size.actualBoundingBoxRight].flatMap(left =>
      [y - size.actualBoundingBoxAscent, y + size.actualBoundingBoxDescent].map(top =>
        new DOMPoint(left, top).matrixTransform(transform),
      ),
    )
    /** @param {number} value @param {number} end */
    const isInside = (value, end) => value >= -2 && value <= end + 2
    const isCutOff = !corners.every(({ x, y }) => isInside(x, this.canvas.width) && isInside(y, this.canvas.height))
    // Grafana itself draws the last time of an axis across the edge.
    if (isCutOff && !/^\d\d:\d\d(:\d\d)?$/.test(text)) watched.drawingOf(this.canvas).cutTexts.push(text)
    fillText.call(this, text, x, y, ...maxWidth)
  }

  context.beginPath = function () {
    watched.drawingOf(this.canvas).verticals = 0
    beginPath.call(this)
  }
  context.moveTo = function (x, y) {
    Object.assign(watched.drawingOf(this.canvas), { lastX: x, lastY: y })
    moveTo.call(this, x, y)
  }
  context.lineTo = function (x, y) {
    const drawing = watched.drawingOf(this.canvas)
    if (x === drawing.lastX && Math.abs(y - drawing.lastY) > this.canvas.height / 4) drawing.verticals++
    Object.assign(drawing, { lastX: x, lastY: y })
    lineTo.call(this, x, y)
  }
  // Annotations are dashed vertical lines. Series are drawn as paths, and grid lines are not dashed.
  /** @param {[path: Path2D] | []} path */
  context.stroke = function (...path) {
    const drawing = watched.drawingOf(this.canvas)
    if (path.length === 0 && this.getLineDash().length > 0) drawing.marks += drawing.verticals
    stroke.apply(this, /** @type {[Path2D]} */ (path))
  }
}

/**
 * Returns what a person sees of each panel in the window.
 * @param {object} options
 * @param {string} options.panels CSS selector of a panel
 * @param {string[]} options.logPanels regular expressions for the titles of panels of log lines, of which the start is
 * enough
 * @returns {PanelView[]}
 */
export function inspectPanels({ panels, logPanels }) {
  const slackPixels = 1.5
  /** How much of a long text must be visible, where a part is enough. */
  const enoughCharacters = 10
  const enoughOfALine = 40
  const legendItem = '[aria-label^="VizLegend series "], [data-testid^="data-testid VizLegend series "]'
  const watched = /** @type {Watched} */ (/** @type {unknown} */ (window))

  return [.../** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(panels))].map(section => {
    const content = /** @type {HTMLElement | null} */ (
      section.querySelector('.panel-content, [data-testid="data-testid panel content"]')
    )
    const drawings = [...section.querySelectorAll('canvas')].map(watched.drawingOf)
    const title = section.querySelector('h2')?.textContent ?? ''
    const hasLogs = logPanels.some(pattern => new RegExp(`^${pattern}$`).test(title))
    return {
      title,
      text: content?.innerText ?? '',
      hasError:
        section.querySelector('.panel-info-corner--error, [data-testid="data-testid Panel status error"]') !== null,
      isBlank: !content || (content.innerText.trim() === '' && !content.querySelector('canvas, svg')),
      legend: legendOf(section),
      cutTexts: [
        ...cutTexts(section, hasLogs),
        ...wideTables(section),
        ...drawings.flatMap(drawing => drawing.cutTexts).map(text => `"${text}" on an axis`),
      ],
      marks: Math.max(
        section.querySelectorAll('[data-testid="data-testid annotation-marker"]').length,
        ...drawings.map(drawing => drawing.marks),
      ),
    }
  })

  /** @param {Element} section */
  function legendOf(section) {
    return [...section.querySelectorAll('[data-testid="series-icon"]')].map(icon => {
      const item = icon.closest(`${legendItem}, tr`)
      const { backgroundColor, backgroundImage } = getComputedStyle(icon)
      return {
        name: item?.querySelector('button')?.innerText.trim() ?? '',
        color: backgroundImage === 'none' ? backgroundColor : backgroundImage,
      }
    })
  }

  /** @param {Element} section @param {boolean} hasLogs */
  function cutTexts(section, hasLogs) {
    const cut = []
    const texts = document.createTreeWalker(section, NodeFilter.SHOW_TEXT)
    while (texts.nextNode()) {
      const fault = faultOf(/** @type {Text} */ (texts.currentNode), section, hasLogs)
      if (fault) cut.push(fault)
    }
    return cut
  }

  /** @param {Text} node @param {Element} section @param {boolean} hasLogs */
  function faultOf(node, section, hasLogs) {
    const text = node.data.trim()
    const parent = node.parentElement
    if (text === '' || !parent?.checkVisibility({ opacityProperty: true, visibilityProperty: true })) return undefined
    // The name in a legend and its numbers are one text.
    if (parent.closest(legendItem) && !parent.closest('button')) return undefined
    const { box, shown } = visiblePart(node, parent, section)
    // Text for screen readers alone takes one pixel.
    if (box.width <= 1 || parent.clientWidth === 1) return undefined
    const share = Math.max(0, shown.right - shown.left) / box.width
    const isCutOff = shown.left - box.left > slackPixels || box.right - shown.right > slackPixels
    const visible = Math.floor(share * text.length)
    const shows = `shows ${visible} of ${text.length} characters`
    if (parent.closest('[role="cell"], [role="gridcell"]')) {
      // A long name may end in dots, but a number must be complete.
      const isEnough = !/^[-+]?\d/.test(text) && visible >= enoughCharacters
      return isCutOff && !isEnough ? `"${text}" in a table ${shows}` : undefined
    }
    if (parent.closest('[role="columnheader"]')) return isCutOff ? `the column heading "${text}" ${shows}` : undefined
    if (hasLogs && !parent.closest('h2'))
      return isCutOff && visible < enoughOfALine ? `a log line ${shows}: ${text.slice(0, 80)}` : undefined
    if (isCutOff) return `"${text}" ${shows}`
    const isBelow = box.bottom - shown.bottom > box.height / 2 || shown.top - box.top > box.height / 2
    return isBelow ? `"${text}" is below the edge` : undefined
  }

  /**
   * Returns the box of a text, and the part of it that no element around it hides.
   * @param {Text} node @param {Element} parent @param {Element} section
   */
  function visiblePart(node, parent, section) {
    const range = document.createRange()
    range.selectNodeContents(node)
    const box = range.getBoundingClientRect()
    const shown = { left: box.left, right: box.right, top: box.top, bottom: box.bottom }
    for (let around = /** @type {Element | null} */ (parent); around; around = around.parentElement) {
      const { overflowX, contain } = getComputedStyle(around)
      if (overflowX !== 'visible' || /strict|content|paint/.test(contain) || around === section) {
        const edge = around.getBoundingClientRect()
        shown.left = Math.max(shown.left, edge.left)
        shown.right = Math.min(shown.right, edge.right)
        shown.top = Math.max(shown.top, edge.top)
        shown.bottom = Math.min(shown.bottom, edge.bottom)
      }
      if (around === section) break
    }
    return { box, shown }
  }

  /**
   * Returns how much wider tables are than their panel. Newer tables leave out the cells of columns that are beyond the
   * edge, so these have no text.
   * @param {Element} section
   */
  function wideTables(section) {
    return [...section.querySelectorAll('[role="table"], [role="grid"]')]
      .flatMap(table => [table, ...table.querySelectorAll('*')])
      .filter(element => /auto|scroll/.test(getComputedStyle(element).overflowX))
      .filter(element => element.scrollWidth > element.clientWidth + slackPixels)
      .map(element => `the table is ${element.scrollWidth - element.clientWidth} pixels wider than its panel`)
  }
}

/** Returns the rows that the links to other dashboards take, as their distances from the top. */
export function linkRows() {
  const links = document.querySelectorAll(
    '[data-testid="data-testid Dashboard link"], [data-testid="data-testid Dashboard link dropdown"]',
  )
  // The links in a closed menu are there, but not visible.
  const visible = [...links].filter(link => link.checkVisibility())
  return [...new Set(visible.map(link => Math.round(link.getBoundingClientRect().top)))]
}
