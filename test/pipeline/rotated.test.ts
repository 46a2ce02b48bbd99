import { readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, it } from 'vitest'
import type { ExportFile } from '../../stacks/monitoring/replay/export-file.ts'
import { allOf, arrived, told } from './support/arrived.ts'
import { linesOfOneProcess, recordedLines } from './support/feed.ts'
import { Pipeline, shippers } from './support/pipeline.ts'

// Tetragon's file is renamed when it is full, and a new one begun; after five the oldest goes.

let pipeline: Pipeline | undefined

afterEach(async () => {
  await pipeline?.remove()
  pipeline = undefined
})

/** Appends the lines a few at a time, at a hundred a second. */
async function trickle(file: ExportFile, lines: readonly string[]): Promise<void> {
  for (let from = 0; from < lines.length; from += 10) {
    file.append(lines.slice(from, from + 10))
    await sleep(100)
  }
}

const rotated = ({ events }: Pipeline): number => readdirSync(events).length - 1

it.each(shippers)('%s: a file that fills up within the stream loses nothing', async shipper => {
  pipeline = await new Pipeline(shipper).start()
  const lines = recordedLines(1500)
  // A megabyte and a half: more files than are kept.
  await trickle(pipeline.exportFile(1.5 * 1024 ** 2), lines)
  expect(rotated(pipeline)).toBe(5)
  const arrival = await arrived(pipeline, lines)
  console.log(told(`${shipper}, seven rotations`, lines, arrival))
  expect(arrival).toMatchObject(allOf(lines))
})

it.each(shippers)('%s: files that begin alike are told apart', async shipper => {
  pipeline = await new Pipeline(shipper).start()
  const lines = linesOfOneProcess()
  expect(new Set(lines.map(line => line.slice(0, 2000))).size).toBeLessThan(5)
  await trickle(pipeline.exportFile(512 * 1024), lines)
  expect(rotated(pipeline)).toBeGreaterThan(1)
  const arrival = await arrived(pipeline, lines)
  console.log(told(`${shipper}, ${rotated(pipeline)} files that begin alike`, lines, arrival))
  expect(arrival).toMatchObject(allOf(lines))
})

it.each(shippers)('%s: what was rotated away while nobody was reading is read as well', async shipper => {
  pipeline = await new Pipeline(shipper).start()
  const lines = recordedLines(900)
  const file = pipeline.exportFile(2 * 1024 ** 2)
  await trickle(file, lines.slice(0, 200))
  await pipeline.killShipper()
  file.append(lines.slice(200, 600))
  expect(rotated(pipeline)).toBeGreaterThan(1)
  await pipeline.startShipper()
  await trickle(file, lines.slice(600))
  const arrival = await arrived(pipeline, lines)
  console.log(told(`${shipper}, rotated while away`, lines, arrival))
  expect(arrival).toMatchObject(allOf(lines))
})
