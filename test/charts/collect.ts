import { createReadStream, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { Parser } from 'tar'
import { parse } from 'yaml'
import { ensureCharts } from '../../scripts/supplies/charts.ts'
import { chartFile, chartNames, readLock } from '../../shared/lock.ts'

// Saves the keys in the values of each pinned chart, so that the test needs no archive. Run after changing the version
// of a chart: `node test/charts/collect.ts`.

/** Returns the keys of a values file as paths. A list or an empty map ends a path, because it can contain anything. */
export function keyPaths(value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || Object.keys(value).length === 0)
    return [path]
  return [
    path,
    ...Object.entries(value).flatMap(([key, child]) => keyPaths(child, path ? `${path}/${key}` : key)),
  ].filter(Boolean)
}

async function valuesIn(archive: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  const parser = new Parser({
    onReadEntry: entry => {
      if (!/^[^/]+(\/charts\/[^/]+)?\/values\.yaml$/.test(entry.path)) return entry.resume()
      const chunks: Buffer[] = []
      entry.on('data', chunk => chunks.push(chunk))
      entry.on('end', () => {
        found[entry.path] = Buffer.concat(chunks).toString('utf8')
      })
    },
  })
  await pipeline(createReadStream(archive), parser)
  return found
}

if (import.meta.main) {
  const lock = readLock()
  await ensureCharts(lock, chartNames)
  for (const name of chartNames) {
    const files = await valuesIn(chartFile(lock, name))
    const keys = new Set<string>()
    for (const [path, text] of Object.entries(files)) {
      const sub = /\/charts\/([^/]+)\//.exec(path)?.[1]
      for (const key of keyPaths(parse(text) ?? {})) keys.add(sub ? `${sub}/${key}` : key)
    }
    writeFileSync(
      join(import.meta.dirname, `${name}-${lock.charts[name].version}.keys`),
      `${[...keys].sort().join('\n')}\n`,
    )
  }
  console.log(readdirSync(import.meta.dirname).join('\n'))
}
