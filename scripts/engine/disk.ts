import { statfs } from 'node:fs/promises'

/** Bytes that may still be written where a folder is; undefined where that cannot be seen from here. */
export async function freeBytes(folder: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(folder)
    return bavail * bsize
  } catch {
    return undefined
  }
}
