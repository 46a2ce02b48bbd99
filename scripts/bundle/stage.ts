import { mkdirSync } from 'node:fs'
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { readStateFile, writeStateFile } from '../../shared/state-file.ts'
import { fileDigest } from '../supplies/download.ts'
import type { Member } from './manifest.ts'

// The folder beside a bundle in which its files are collected. What is in there whole is written down, so that a bundle that was cut off goes
// on where it stopped.

const journalSchema = z.object({
  members: z.record(z.string(), z.object({ size: z.int(), sha256: z.string() })),
  images: z.record(z.string(), z.object({ is: z.string(), config: z.string(), layers: z.array(z.string()) })),
  unpacked: z.record(z.string(), z.int()),
})
type Journal = z.infer<typeof journalSchema>

/** An image that lies in the folder, by its configuration and layers. */
export interface StagedImage {
  /** What it was packed from: an id or a digest. Another one is another image. */
  is: string
  config: string
  layers: string[]
}

export class Stage {
  readonly folder: string
  readonly #journal: Journal
  #parts = 0

  private constructor(folder: string, journal: Journal) {
    this.folder = folder
    this.#journal = journal
  }

  /**
   * The folder as an earlier run left it, or a new one. Each file in it is compared with what was written down of it; half ones are removed.
   */
  static async open(folder: string): Promise<Stage> {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    // What cannot be read is as good as nothing: all is collected anew
    const journal = readStateFile(join(folder, journalName), journalSchema)
    const stage = new Stage(folder, journal ?? { members: {}, images: {}, unpacked: {} })
    const { members, images } = stage.#journal
    await Promise.all(
      Object.entries(members).map(async ([path, { size, sha256 }]) => {
        const found = await stat(stage.at(path)).catch(() => undefined)
        if (found?.size !== size || (await fileDigest(stage.at(path))) !== sha256) delete members[path]
      }),
    )
    for (const [key, { config, layers }] of Object.entries(images))
      if (![config, ...layers].every(path => path in members)) delete images[key]
    for (const name of await readdir(folder))
      if (name.startsWith('.')) await rm(join(folder, name), { recursive: true })
    return stage
  }

  /** Where a file lies. */
  at(path: string): string {
    return join(this.folder, path)
  }

  /** What was written down of a file that is there whole. */
  member(path: string): Member | undefined {
    return this.#journal.members[path]
  }

  /** A name in the folder for something half, removed when the folder is opened again. */
  part(): string {
    return this.at(`.${this.#parts++}.part`)
  }

  /** Takes a file that is whole into the folder, unless it is there. */
  async keep(part: string, path: string): Promise<void> {
    const { size } = await stat(part)
    const sha256 = await fileDigest(part)
    await mkdir(dirname(this.at(path)), { recursive: true })
    await rename(part, this.at(path))
    this.#journal.members[path] = { size, sha256 }
    this.#write()
  }

  image(key: string): StagedImage | undefined {
    return this.#journal.images[key]
  }

  /** Writes down that an image is there with all its layers. */
  keepImage(key: string, image: StagedImage): void {
    this.#journal.images[key] = image
    this.#write()
  }

  /** Bytes of a layer when it is unpacked. */
  unpacked(path: string): number | undefined {
    return this.#journal.unpacked[path]
  }

  keepUnpacked(path: string, bytes: number): void {
    this.#journal.unpacked[path] = bytes
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true })
  }

  #write(): void {
    writeStateFile(join(this.folder, journalName), this.#journal)
  }
}

const journalName = 'journal.json'
