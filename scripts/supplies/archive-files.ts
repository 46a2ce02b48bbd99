import { createReadStream } from 'node:fs'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { Parser, type ReadEntry } from 'tar'

/** Returns the texts of the files in an archive whose path matches, by path. */
export async function readArchiveFiles(archive: string, matches: RegExp): Promise<Map<string, string>> {
  const files = new Map<string, Promise<string>>()
  const parser = new Parser({
    onReadEntry: (entry: ReadEntry) => {
      if (matches.test(entry.path)) files.set(entry.path, text(entry))
      else entry.resume()
    },
  })
  await pipeline(createReadStream(archive), parser)
  return new Map(await Promise.all([...files].map(async ([path, content]) => [path, await content] as const)))
}
