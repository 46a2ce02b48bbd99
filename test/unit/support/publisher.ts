import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { create } from 'tar'
import { expect } from 'vitest'
import { LabError } from '../../../shared/lab-error.ts'
import { type Lock, readLock } from '../../../shared/lock.ts'
import { newFolder } from './folders.ts'

export const sha256 = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex')

/**
 * Starts a web server on loopback. It serves `files` (a number is an error status) and records the requested paths in
 * `asked`.
 */
export async function startPublisher() {
  const files = new Map<string, Buffer | string | number>()
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url!)
    const found = files.get(request.url!)
    if (typeof found === 'number') response.writeHead(found).end()
    else if (found === undefined) response.writeHead(404).end()
    else response.writeHead(200, { 'content-length': Buffer.byteLength(found) }).end(found)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    files,
    asked,
    host: `127.0.0.1:${port}`,
    url: (path: string): string => `http://127.0.0.1:${port}${path}`,
    stop: (): Promise<void> => new Promise(resolve => server.close(() => resolve())),
  }
}
export type Publisher = Awaited<ReturnType<typeof startPublisher>>

/** Returns a .tar.gz of these files by path. Files that start with #! are executable. */
export async function archive(contents: Record<string, string>): Promise<Buffer> {
  const folder = newFolder()
  for (const [path, text] of Object.entries(contents)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text, { mode: text.startsWith('#!') ? 0o755 : 0o644 })
  }
  const file = join(newFolder(), 'archive.tar.gz')
  await create({ gzip: true, cwd: folder, file, portable: true, mtime: new Date(0) }, Object.keys(contents))
  return readFileSync(file)
}

/** Returns a chart archive with only a name and version. */
export const chartArchive = (name: string, version: string): Promise<Buffer> =>
  archive({ [`${name}/Chart.yaml`]: `apiVersion: v2\nname: ${name}\nversion: ${version}\n` })

/** Returns the lab's own lock with some entries replaced. */
export function lockWith(entries: { [Section in 'charts' | 'images' | 'tools']?: Partial<Lock[Section]> }): Lock {
  const lock = readLock('')
  return {
    ...lock,
    file: join(newFolder(), 'test.lock.yaml'),
    charts: { ...lock.charts, ...entries.charts },
    images: { ...lock.images, ...entries.images },
    tools: { ...lock.tools, ...entries.tools },
  }
}

/** Returns the LabError with which a promise rejects. */
export const errorOf = (run: Promise<unknown>): Promise<LabError> =>
  run.then(
    () => expect.unreachable('it should have failed'),
    (error: unknown) => {
      expect(error).toBeInstanceOf(LabError)
      return error as LabError
    },
  )
