import { readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, it } from 'vitest'
import type { ExportFile } from '../../stacks/monitoring/replay/export-file.ts'
import { describeArrival, exactly, waitForArrival } from './support/arrival.ts'
import { linesOfOneProcess, recordedLines } from './support/feed.ts'
import { Pipeline, shippers } from './support/pipeline.ts'

// A full export file is renamed, and only the last 5 renamed files are kept.

let pipeline: Pipeline | undefined

afterEach(async () => {
  await pipeline?.remove()
  pipeline = undefined
})

/** Appends 100 lines per second. */
async function appendSlowly(file: ExportFile, lines: readonly string[]): Promise<void> {
  for (let from = 0; from < lines.length; from += 10) {
    file.append(lines.slice(from, from + 10))
    await sleep(100)
  }
}

const rotatedFiles = ({ events }: Pipeline): number => readdirSync(events).length - 1

it.each(shippers)('%s loses nothing when the file rotates', async shipper => {
  pipeline = await new Pipeline(shipper).start()
  const lines = recordedLines(1500)
  // 1.5 MiB per file: more files than are kept.
  await appendSlowly(pipeline.exportFile(1.5 * 1024 ** 2), lines)
  expect(rotatedFiles(pipeline)).toBe(5)
  const arrival = await waitForArrival(pipeline, lines)
  console.log(describeArrival(`${shipper}, 7 rotations`, lines, arrival))
  expect(arrival).toMatchObject(exactly(lines))
})

it.each(shippers)('%s tells apart files that start with the same bytes', async shipper => {
  pipeline = await new Pipeline(shipper).start()
  const lines = linesOfOneProcess()
  expect(new Set(lines.map(line => line.slice(0, 2000))).size).toBeLessThan(5)
  await appendSlowly(pipeline.exportFile(512 * 1024), lines)
  expect(rotatedFiles(pipeline)).toBeGreaterThan(1)
  const arrival = await waitForArrival(pipeline, lines)
  console.log(describeArrival(`${shipper}, ${rotatedFiles(pipeline)} files with the same start`, lines, arrival))
  expect(arrival).toMatchObject(exactly(lines))
})

it.each(shippers)('%s reads files that rotated while it was down', async shipper => {
  pipeline = await new Pipeline(shipper).start()
  const lines = recordedLines(900)
  const file = pipeline.exportFile(2 * 1024 ** 2)
  await appendSlowly(file, lines.slice(0, 200))
  await pipeline.killShipper()
  file.append(lines.slice(200, 600))
  expect(rotatedFiles(pipeline)).toBeGreaterThan(1)
  await pipeline.startShipper()
  await appendSlowly(file, lines.slice(600))
  const arrival = await waitForArrival(pipeline, lines)
  console.log(describeArrival(`${shipper}, rotated while down`, lines, arrival))
  expect(arrival).toMatchObject(exactly(lines))
})
