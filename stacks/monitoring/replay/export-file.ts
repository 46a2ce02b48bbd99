import {
  closeSync,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, extname, join } from 'node:path'

const maxBatchBytes = 256 * 1024

/** What an export file is and when it rotates. The defaults are Tetragon's. */
export interface ExportFileOptions {
  path: string
  /** Permissions; 0600 by default. */
  mode?: number
  /** Size at which the file rotates; 10 MiB by default. */
  maxBytes?: number
  /** Number of rotated files to keep; 5 by default. */
  maxBackups?: number
}

/**
 * A log file that rotates as Tetragon's does: before it exceeds its size limit it is renamed to `tetragon-<time>.log`,
 * and the oldest rotated files are deleted.
 */
export class ExportFile {
  readonly path: string
  readonly mode: number
  readonly maxBytes: number
  readonly maxBackups: number
  /** Number of lines written so far. */
  written = 0
  #fd = -1
  #size = 0

  constructor({ path, mode = 0o600, maxBytes = 10 * 1024 * 1024, maxBackups = 5 }: ExportFileOptions) {
    this.path = path
    this.mode = mode
    this.maxBytes = maxBytes
    this.maxBackups = maxBackups
    mkdirSync(dirname(path), { recursive: true })
    this.#open()
  }

  #open(): void {
    this.#fd = openSync(this.path, 'a', this.mode)
    // The umask may have removed permissions, and an existing file may have different ones.
    fchmodSync(this.#fd, this.mode)
    this.#size = fstatSync(this.#fd).size
  }

  /**
   * Appends lines in batches of whole lines, so that a partial line never stays in the file.
   * @param lines without line breaks
   * @throws if the disk is full, for example; the file then ends with the last complete batch
   */
  append(lines: Iterable<string>): void {
    let batch: string[] = []
    let batchBytes = 0
    for (const line of lines) {
      const lineBytes = Buffer.byteLength(line) + 1
      const limit = Math.min(maxBatchBytes, this.maxBytes - this.#size)
      if (batch.length > 0 && batchBytes + lineBytes > limit) {
        this.#write(batch)
        batch = []
        batchBytes = 0
      }
      batch.push(line)
      batchBytes += lineBytes
    }
    if (batch.length > 0) this.#write(batch)
  }

  #write(batch: string[]): void {
    const bytes = Buffer.from(`${batch.join('\n')}\n`)
    if (this.#size > 0 && this.#size + bytes.length > this.maxBytes) this.#rotate()
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(this.#fd, bytes, done)
      this.#size += bytes.length
      this.written += batch.length
    } catch (error) {
      ftruncateSync(this.#fd, this.#size)
      throw error
    }
  }

  #rotate(): void {
    const extension = extname(this.path)
    const stem = basename(this.path, extension)
    const directory = dirname(this.path)
    const stamp = new Date().toISOString().slice(0, -1).replaceAll(':', '-')
    const fullFile = this.#fd
    renameSync(this.path, join(directory, `${stem}-${stamp}${extension}`))
    this.#open()
    closeSync(fullFile)
    const rotated = readdirSync(directory)
      .filter(name => name.startsWith(`${stem}-`) && name.endsWith(extension))
      .sort()
    for (const name of rotated.slice(0, Math.max(0, rotated.length - this.maxBackups))) rmSync(join(directory, name))
  }

  close(): void {
    closeSync(this.#fd)
  }
}
