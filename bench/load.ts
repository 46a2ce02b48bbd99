import { parseArgs } from 'node:util'
import { execa } from 'execa'
import { readStatus } from '../scripts/lab/status.ts'
import { note, print, printJson, report } from '../scripts/terminal/output.ts'
import { LabError } from '../shared/lab-error.ts'
import { projectDir } from '../shared/paths.ts'
import { LoadTest, type Run } from './load/load-test.ts'
import { costs, readFigures, stages, withMachine, writeFigures } from './load/report.ts'

// Measures how many events per second get from the file to Loki, at one rate or at rising rates until events are lost.

const help = `Usage: node bench/load.ts [options]

Plays the recording fast on the running lab and counts the events at each stage.
Without a running lab, it starts one and removes it at the end.
Writes the figures to bench/load.json and bench/load.md.

Options:
  --rate N       events per second (2000)
  --minutes N    duration (10)
  --knee [RATES] run at rising rates until events are lost (250,500,1000,2000,3000,4000,6000)
  --seconds N    duration of each run with --knee (90)
  --busy         record that the machine was busy with other work
  --json         print the result as JSON

Example:
  node bench/load.ts --knee 1000,2000,4000 --seconds 60`

const parseNumber = (name: string, text: string): number => {
  const value = Number(text)
  if (value > 0) return value
  throw new LabError({
    found: `--${name} must be a number above 0, not ${JSON.stringify(text)}`,
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
  const rates = (positionals[0] ?? '250,500,1000,2000,3000,4000,6000').split(',').map(rate => parseNumber('knee', rate))
  const rate = parseNumber('rate', values.rate)
  const minutes = parseNumber('minutes', values.minutes)
  const seconds = parseNumber('seconds', values.seconds)

  await withLab(async () => {
    const load = await LoadTest.start(line => note(`${new Date().toISOString().slice(11, 19)}  ${line}`))
    // Do not leave the lab's replay silent or far too fast.
    process.once('SIGINT', () => void load.restore().finally(() => process.exit(130)))
    try {
      if (values.knee) await runAtRisingRates(load, rates, seconds, values)
      else await runOnce(load, rate, minutes * 60, values.json)
    } finally {
      await load.restore()
    }
  })
}

async function runOnce(load: LoadTest, rate: number, seconds: number, json = false): Promise<void> {
  const run = await load.run(rate, seconds)
  writeFigures({ ...readFigures(), load: withMachine(run) })
  if (json) printJson(run)
  else print(`${stages(run)}\n\n${costs(run.cost)}`)
  if (run.lost > 0 || run.twice > 0) process.exitCode = 1
}

async function runAtRisingRates(
  load: LoadTest,
  rates: number[],
  seconds: number,
  { busy, json = false }: { busy: boolean; json?: boolean },
): Promise<void> {
  const runs: Run[] = []
  for (const rate of rates) {
    const run = await load.run(rate, seconds)
    runs.push(run)
    writeFigures({ ...readFigures(), [busy ? 'busy' : 'knee']: withMachine(runs) })
    if (!json) print(`${rate} events per second\n\n${stages(run)}\n\n${costs(run.cost)}\n`)
    if (run.lost > 0) break
  }
  if (json) printJson(runs)
}

/** Runs an action with the running lab, or with one that is started for it and removed afterwards. */
async function withLab(action: () => Promise<void>): Promise<void> {
  const lab = (...args: string[]) =>
    execa('./lab', args, { cwd: projectDir, stdin: 'ignore', stdout: 'ignore', stderr: 'inherit' })
  const { state, source } = await readStatus()
  if (state !== 'down' && source?.runs !== 'replay')
    throw new LabError({
      found: 'The running lab has a live event source',
      expected: 'a lab with a replay, which the load test plays faster',
      next: './lab pulumi config set --path tetragon-lab:tetragon.source replay && ./lab up',
    })
  if (state !== 'down') return action()
  note('No lab is running. Starting one.')
  await lab('up', '--json')
  try {
    await action()
  } finally {
    await lab('down', '--yes')
  }
}

try {
  await main()
} catch (error) {
  process.exitCode = report(error)
}
