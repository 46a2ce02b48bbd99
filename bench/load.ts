import { parseArgs } from 'node:util'
import { execa } from 'execa'
import { readStatus } from '../scripts/lab/status.ts'
import { note, print, printJson, report } from '../scripts/terminal/output.ts'
import { LabError } from '../shared/lab-error.ts'
import { projectDir } from '../shared/paths.ts'
import { drawCurve } from './load/curve.ts'
import { costs, measured, readFigures, stages, writeFigures } from './load/report.ts'
import { Load, type Run } from './load/run.ts'

// Many events a second through replay, from the file to Loki, counted at every stage; and at rising rates, to find where it ends.

const help = `Usage: node bench/load.ts [options]

Plays the recording fast on a lab that is up (one is stood up, and taken down again, where there is none), and counts at each stage what got through.
Figures go to bench/load.json and bench/load.md, and with --knee to bench/load.svg.

Options:
  --rate N       events a second (2000)
  --minutes N    for how long (10)
  --knee [RATES] at rising rates instead, until events are lost (250,500,1000,2000,3000,4000,6000)
  --seconds N    for how long each of them (90)
  --busy         say in the figures that the machine was busy with other work
  --json         print the result as JSON

Example:
  node bench/load.ts --knee 1000,2000,4000 --seconds 60`

const number = (name: string, text: string): number => {
  const value = Number(text)
  if (value > 0) return value
  throw new LabError({
    found: `--${name} ${text}`,
    expected: 'a number',
    next: 'node bench/load.ts --help',
    exitCode: 2,
  })
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: {
      rate: { type: 'string', default: '2000' },
      minutes: { type: 'string', default: '10' },
      knee: { type: 'boolean' },
      seconds: { type: 'string', default: '90' },
      busy: { type: 'boolean', default: false },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
    allowPositionals: true,
  })
  if (values.help) return print(help)
  const rates = (positionals[0] ?? '250,500,1000,2000,3000,4000,6000').split(',').map(rate => number('knee', rate))
  const rate = number('rate', values.rate)
  const minutes = number('minutes', values.minutes)
  const seconds = number('seconds', values.seconds)

  await withLab(async () => {
    const load = await Load.take(line => note(`${new Date().toISOString().slice(11, 19)}  ${line}`))
    // The lab's replay is not left silent, or a hundred times too fast.
    process.once('SIGINT', () => void load.restore().finally(() => process.exit(130)))
    try {
      if (values.knee) await knee(load, rates, seconds, values)
      else await once(load, rate, minutes * 60, values.json)
    } finally {
      await load.restore()
    }
  })
}

async function once(load: Load, rate: number, seconds: number, json = false): Promise<void> {
  const run = await load.run(rate, seconds)
  writeFigures({ ...readFigures(), load: measured(run) })
  if (json) printJson(run)
  else print(`${stages(run)}\n\n${costs(run.cost)}`)
  if (run.lost > 0 || run.twice > 0) process.exitCode = 1
}

async function knee(
  load: Load,
  rates: number[],
  seconds: number,
  { busy, json = false }: { busy: boolean; json?: boolean },
): Promise<void> {
  const runs: Run[] = []
  for (const rate of rates) {
    const run = await load.run(rate, seconds)
    runs.push(run)
    const figures = { ...readFigures(), [busy ? 'busy' : 'knee']: measured(runs) }
    writeFigures(figures)
    drawCurve(figures)
    if (!json) print(`${rate} events a second\n\n${stages(run)}\n\n${costs(run.cost)}\n`)
    if (run.lost > 0) break
  }
  if (json) printJson(runs)
}

/** Does something with the lab that is up; where there is none, stands one up and takes it down afterwards. */
async function withLab(work: () => Promise<void>): Promise<void> {
  const lab = (...args: string[]) =>
    execa('./lab', args, { cwd: projectDir, stdin: 'ignore', stdout: 'ignore', stderr: 'inherit' })
  const { state, source } = await readStatus()
  if (state !== 'down' && source?.runs !== 'replay')
    throw new LabError({
      found: 'a lab whose events are live',
      expected: 'one that replays: the load is a recording played fast',
      next: './lab pulumi config set --path tetragon-lab:tetragon.source replay && ./lab up',
    })
  if (state !== 'down') return work()
  note('there is no lab: standing one up')
  await lab('up', '--json')
  try {
    await work()
  } finally {
    await lab('down', '--yes')
  }
}

try {
  await main()
} catch (error) {
  process.exitCode = report(error)
}
