import { type FileHandle, open } from 'node:fs/promises'
import { Header } from 'tar'

// A tar that is written in one go and read at any place: what is in it is compressed already, so the archive itself is not, and a member is
// found by hopping from header to header instead of reading gigabytes.

/** Size of tar's blocks, in bytes: headers take one, contents are filled up to whole ones. */
const block = 512
const filledUp = (size: number): number => Math.ceil(size / block) * block

/** A file to be put into an archive. */
export interface Entry {
  path: string
  /** In bytes; `content` must give exactly as many. */
  size: number
  content: Iterable<Uint8Array> | AsyncIterable<Uint8Array>
}

/** The bytes of an archive of these files. The same files give the same bytes. */
export async function* tarOf(entries: Iterable<Entry> | AsyncIterable<Entry>): AsyncGenerator<Uint8Array> {
  for await (const { path, size, content } of entries) {
    const header = new Header({ path, size, type: 'File', mode: 0o644, uid: 0, gid: 0, mtime: new Date(0) })
    // Longer names and greater sizes would need a second header
    if (header.encode()) throw new Error(`${path} (${size} bytes) does not fit into a tar header`)
    yield header.block!
    yield* content
    if (size % block > 0) yield Buffer.alloc(filledUp(size) - size)
  }
  yield Buffer.alloc(2 * block)
}

/** Where in an archive the contents of a file lie, in bytes. */
export interface Place {
  offset: number
  size: number
}

/** What is in an archive. `cutOff`: it ends before its end; `places` is then what is whole. `undefined`: it is no such archive. */
export async function placesIn(file: string): Promise<{ places: Map<string, Place>; cutOff: boolean } | undefined> {
  const handle = await open(file)
  try {
    const { size: whole } = await handle.stat()
    const places = new Map<string, Place>()
    for (let at = 0; ; ) {
      const header = await headerAt(handle, at)
      if (!header) return { places, cutOff: true }
      if (header.nullBlock) return { places, cutOff: false }
      if (!header.cksumValid) return at === 0 ? undefined : { places, cutOff: true }
      const size = header.size ?? 0
      if (at + block + size > whole) return { places, cutOff: true }
      places.set(header.path!.replace(/^\.\//, ''), { offset: at + block, size })
      at += block + filledUp(size)
    }
  } finally {
    await handle.close()
  }
}

async function headerAt(handle: FileHandle, at: number): Promise<Header | undefined> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(block), 0, block, at)
  return bytesRead === block ? new Header(buffer, 0) : undefined
}
