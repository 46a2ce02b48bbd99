import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Figures } from './report.ts'
import type { Run } from './run.ts'

// The knee as a picture: how many events a second arrive in Loki, of how many that are written. Legible on light and on dark.

const width = 760
const height = 380
const left = 70
const right = 30
const top = 30
const bottom = 60

/** Writes bench/load.svg. */
export const drawCurve = ({ knee, busy }: Figures): void =>
  writeFileSync(
    join(import.meta.dirname, '..', 'load.svg'),
    curve({
      ...(knee && { 'a machine with little else to do': knee.result }),
      ...(busy && { 'one that is busy with other work': busy.result }),
    }),
  )

/** The picture, as SVG: a line for each series of runs, by its name. */
export function curve(series: Record<string, Run[]>): string {
  const lines = Object.entries(series).map(([name, runs]) => ({ name, runs: runs.toSorted((a, b) => a.rate - b.rate) }))
  const runs = lines.flatMap(line => line.runs)
  const most = Math.ceil(Math.max(...runs.map(run => run.rate)) / 1000) * 1000
  const step = most > 4000 ? 1000 : 500
  const x = (rate: number): string => (left + (rate / most) * (width - left - right)).toFixed(1)
  const y = (rate: number): string => (height - bottom - (rate / most) * (height - top - bottom)).toFixed(1)
  const ticks = Array.from({ length: most / step + 1 }, (_, index) => index * step)
  const text = (tick: number): string => tick.toLocaleString('en')
  const points = (runs: Run[]) => runs.map(run => `${x(run.rate)},${y(run.arriving)}`).join(' ')
  // Under the last stretch of its line, out of the way of its last point.
  const caption = (name: string, runs: Run[]) =>
    `<text x="${Number(x(runs.at(-1)!.rate))}" y="${Number(y(runs.at(-1)!.arriving)) + 92}" text-anchor="end">${name}</text>`
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="Events that arrive in Loki a second, of those that are written">
<style>
  text { font: 13px system-ui, sans-serif; fill: #424a53 }
  .grid { stroke: #d0d7de; stroke-width: 1 }
  .all { stroke: #8c959f; stroke-width: 1.5; stroke-dasharray: 5 5 }
  .arriving { stroke: #0969da; stroke-width: 2.5; fill: none }
  .whole { fill: #0969da }
  .late { fill: #bf8700 }
  .lost { fill: #cf222e }
  @media (prefers-color-scheme: dark) {
    text { fill: #c9d1d9 }
    .grid { stroke: #30363d }
    .all { stroke: #8b949e }
    .arriving { stroke: #58a6ff }
    .whole { fill: #58a6ff }
    .late { fill: #d29922 }
    .lost { fill: #f85149 }
  }
</style>
${ticks.map(tick => `<line class="grid" x1="${left}" x2="${width - right}" y1="${y(tick)}" y2="${y(tick)}"/><text x="${left - 8}" y="${y(tick)}" text-anchor="end" dominant-baseline="middle">${text(tick)}</text><text x="${x(tick)}" y="${height - bottom + 20}" text-anchor="middle">${text(tick)}</text>`).join('\n')}
<line class="all" x1="${x(0)}" y1="${y(0)}" x2="${x(most)}" y2="${y(most)}"/>
${lines.map(({ name, runs }) => `<polyline class="arriving" points="${points(runs)}"/>${caption(name, runs)}`).join('\n')}
${runs.map(run => `<circle class="${kind(run)}" cx="${x(run.rate)}" cy="${y(run.arriving)}" r="5"><title>${text(run.rate)} a second: ${note(run)}</title></circle>${kind(run) === 'whole' ? '' : `<text x="${x(run.rate)}" y="${Number(y(run.arriving)) + 20}" text-anchor="middle">${note(run)}</text>`}`).join('\n')}
<text x="${(left + width - right) / 2}" y="${height - 12}" text-anchor="middle">events written a second</text>
<text x="${left}" y="16">events arriving in Loki a second</text>
<circle class="whole" cx="${left + 24}" cy="${top + 22}" r="5"/><text x="${left + 36}" y="${top + 26}">in time, none lost</text>
<circle class="late" cx="${left + 24}" cy="${top + 44}" r="5"/><text x="${left + 36}" y="${top + 48}">late, none lost</text>
<circle class="lost" cx="${left + 24}" cy="${top + 66}" r="5"/><text x="${left + 36}" y="${top + 70}">lost</text>
</svg>
`
}

/** Behind by more than this, in seconds, at the end of a run, it does not keep up. */
const late = 5

const kind = ({ lost, lag }: Run): 'whole' | 'late' | 'lost' => (lost > 0 ? 'lost' : lag > late ? 'late' : 'whole')

function note(run: Run): string {
  if (run.lost > 0) return `${((100 * run.lost) / run.written).toFixed(run.lost < run.written / 100 ? 2 : 0)} % lost`
  return `${run.lag.toFixed(0)} s behind`
}
