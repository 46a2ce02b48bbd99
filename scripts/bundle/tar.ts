import { type FileHandle, open } from 'node:fs/promises'
import { Header } from 'tar'

// An uncompressed tar, because its members are already compressed. It is written in one pass, and a member is found by
// jumping from header to header instead of reading gigabytes.

/** Size of a tar block in bytes. A header takes one block, and contents are padded to full blocks. */
const blockSize = 512
const padded = (size: number): number => Math.ceil(size / blockSize) * blockSize

/** A file to write into an archive. */
export interface TarEntry {
  path: string
  /** Bytes; `content` must yield exactly as many. */
  size: number
  content: Iterable<Uint8Array> | AsyncIterable<Uint8Array>
}

/** Yields the bytes of an archive with these files. The same files give the same bytes. */
export async function* tarChunks(entries: Iterable<TarEntry>): AsyncGenerator<Uint8Array> {
  for (const { path, size, content } of entries) {
    const header = new Header({ path, size, type: 'File', mode: 0o644, uid: 0, gid: 0, mtime: new Date(0) })
    // encode() returns true where the path or size needs a second header, which is not supported here
    if (header.encode()) throw new Error(`${path} (${size} bytes) does not fit into a tar header`)
    yield header.block!
    yield* content
    if (size % blockSize > 0) yield Buffer.alloc(padded(size) - size)
  }
  yield Buffer.alloc(2 * blockSize)
}

/** Position of a member's content in an archive, in bytes. */
export interface TarRange {
  offset: number
  size: number
}

/** The members of an archive by path. */
export interface TarIndex {
  members: Map<string, TarRange>
  /** Whether the archive ends too early; `members` then lists the complete ones. */
  cutOff: boolean
}

/** Returns the index of an archive, or undefined where the file is not a tar archive. */
export async function readTarIndex(file: string): Promise<TarIndex | undefined> {
  const handle = await open(file)
  try {
    const { size: fileSize } = await handle.stat()
    const members = new Map<string, TarRange>()
    for (let position = 0; ; ) {
      const header = await readHeader(handle, position)
      if (!header) return { members, cutOff: true }
      if (header.nullBlock) return { members, cutOff: false }
      if (!header.cksumValid) return position === 0 ? undefined : { members, cutOff: true }
      const size = header.size ?? 0
      const offset = position + blockSize
      if (offset + size > fileSize) return { members, cutOff: true }
      members.set(header.path!.replace(/^\.\//, ''), { offset, size })
      position = offset + padded(size)
    }
  } finally {
    await handle.close()
  }
}

async function readHeader(handle: FileHandle, position: number): Promise<Header | undefined> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(blockSize), 0, blockSize, position)
  return bytesRead === blockSize ? new Header(buffer, 0) : undefined
}
