import { createReadStream } from 'node:fs'
import { basename } from 'node:path'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { Parser, type ReadEntry } from 'tar'
import { LabError } from '../../shared/lab-error.ts'

/**
 * Returns the CRDs of these names in a chart, or in a chart inside it, as one YAML stream.
 * @throws LabError when the chart lacks one of them.
 */
export async function readCrds(chart: string, names: readonly string[]): Promise<string> {
  const found = new Map<string, Promise<string>>()
  const parser = new Parser({
    onReadEntry: (entry: ReadEntry) => {
      const name = /\/crds\/crd-([a-z]+)\.yaml$/.exec(entry.path)?.[1]
      if (name !== undefined && names.includes(name)) found.set(name, text(entry))
      else entry.resume()
    },
  })
  await pipeline(createReadStream(chart), parser)
  const missing = names.filter(name => !found.has(name))
  if (missing.length > 0)
    throw new LabError({
      found: `The chart ${basename(chart)} has no CRD ${missing.join(', ')}`,
      next: 'set another version of the chart in lab.lock.yaml',
    })
  return (await Promise.all(found.values())).join('\n---\n')
}
