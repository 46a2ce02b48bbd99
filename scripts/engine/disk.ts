import { statfs } from 'node:fs/promises'

/** Returns the free bytes on the disk that holds a folder, or undefined where this process cannot see it. */
export async function freeBytes(folder: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(folder)
    return bavail * bsize
  } catch {
    return undefined
  }
}
