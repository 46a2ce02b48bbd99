import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { create } from 'tar'
import { afterAll } from 'vitest'
import { type Lock, readLock } from '../../../shared/lock.ts'

export const sha256 = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex')

const folders: string[] = []

/** A folder of its own, which goes when the tests of its file are over. */
export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lab-test-'))
  folders.push(folder)
  return folder
}

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** A publisher on loopback: serves what `files` holds, and notes what was asked for. */
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

/** A .tar.gz of these files, by path; texts that begin with #! are programs. */
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

/** The archive of a chart that holds nothing but its name. */
export const chartArchive = (name: string, version: string): Promise<Buffer> =>
  archive({ [`${name}/Chart.yaml`]: `apiVersion: v2\nname: ${name}\nversion: ${version}\n` })

/** The lab's own lock with some entries replaced. */
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
