import { readFileSync, writeFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { join } from 'node:path'
import type { Cost } from './observed.ts'
import type { Run } from './run.ts'

/** All that bench/load.json holds, with where and when it was measured. */
export interface Figures {
  /** The long run. */
  load?: Measured<Run>
  /** Runs at rising rates. */
  knee?: Measured<Run[]>
  /** The same on a machine that was busy with other work. */
  busy?: Measured<Run[]>
}

interface Measured<T> {
  machine: string
  /** As in 2026-11-26. */
  date: string
  result: T
}

const folder = join(import.meta.dirname, '..')
const file = join(folder, 'load.json')

/** Figures that were measured before. */
export function readFigures(): Figures {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Figures
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw error
  }
}

/** Writes bench/load.json, and the tables of it into bench/load.md. */
export function writeFigures(figures: Figures): void {
  writeFileSync(file, `${JSON.stringify(figures, null, 2)}\n`)
  writeFileSync(join(folder, 'load.md'), page(figures))
}

/** What figures are worth nothing without: this machine. */
export const thisMachine = (): string =>
  `${cpus().length} processors, ${Math.round(totalmem() / 1024 ** 3)} GiB of memory, Linux ${release().split('-')[0]}`

/** As in 2026-11-26. */
export const today = (): string => new Date().toISOString().slice(0, 10)

/** A result, with this machine and today. */
export const measured = <T>(result: T): Measured<T> => ({ machine: thisMachine(), date: today(), result })

function page({ load, knee, busy }: Figures): string {
  const parts = ['# Load', '', 'Made by `bench/load.ts`; how is said in [README.md](README.md). Do not edit.']
  if (load)
    parts.push('', `## ${heading(load.result)}`, '', where(load), '', stages(load.result), '', costs(load.result.cost))
  if (knee) parts.push('', '## At rising rates', '', where(knee), '', kneeTable(knee.result), '', '![](load.svg)')
  if (busy) parts.push('', '## On a machine that is busy with other work', '', where(busy), '', kneeTable(busy.result))
  return `${parts.join('\n')}\n`
}

const where = ({ machine, date }: Measured<unknown>): string => `${machine}; ${date}.`
const heading = ({ rate, seconds }: Run): string => `${count(rate)} events a second for ${seconds} s`
const count = (value: number): string => Math.round(value).toLocaleString('en')

/** What was counted at each stage, as a Markdown table. */
export function stages(run: Run): string {
  const rows: [string, number | string][] = [
    ['written to the file by the replay', run.written],
    ['read from it by the shipper', run.read],
    ['sent by the shipper', run.sent],
    ['received by Loki', run.received],
    ['held by Loki, counted by a query', run.counted],
    ['held by Loki, each looked for by its time', run.found],
    ['**lost**', run.lost],
    ['**there twice**', run.twice],
    ['read back whole, and byte by byte what was written', `${run.identical[0]} of ${run.identical[1]}`],
  ]
  const late = `Loki was ${run.lag.toFixed(1)} s behind at the end, ${run.worstLag.toFixed(1)} s at worst; the last event was there ${run.drained.toFixed(0)} s after it was written.`
  return [
    '| stage | events |',
    '| --- | ---: |',
    ...rows.map(([stage, value]) => `| ${stage} | ${typeof value === 'number' ? count(value) : value} |`),
    '',
    late,
  ].join('\n')
}

/** What each part took, the costliest first. */
export function costs(cost: Record<string, Cost>): string {
  const { machine, ...parts } = cost
  return [
    '| part | processors | memory, at most |',
    '| --- | ---: | ---: |',
    ...Object.entries(parts)
      .sort(([, a], [, b]) => b.cpu - a.cpu)
      .map(([part, { cpu, memory }]) => `| ${part} | ${cpu.toFixed(2)} | ${Math.round(memory)} MiB |`),
    `| the whole machine | ${machine!.cpu.toFixed(2)} | |`,
  ].join('\n')
}

function kneeTable(runs: Run[]): string {
  const cells = (run: Run): (string | number)[] => [
    count(run.rate),
    run.seconds,
    count(run.written),
    count(run.found),
    count(run.lost),
    count(run.twice),
    count(run.arriving),
    run.lag.toFixed(1),
    run.cost.shipper?.cpu.toFixed(2) ?? '',
    run.cost.Loki?.cpu.toFixed(2) ?? '',
    run.cost.machine?.cpu.toFixed(2) ?? '',
  ]
  return [
    '| events a second | for, s | written | in Loki | lost | twice | arriving a second | behind at the end, s | shipper, processors | Loki, processors | machine, processors |',
    `|${' ---: |'.repeat(11)}`,
    ...runs.map(run => `| ${cells(run).join(' | ')} |`),
  ].join('\n')
}
