import { mkdirSync } from 'node:fs'
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { readStateFile, writeStateFile } from '../../shared/state-file.ts'
import { fileDigest } from '../supplies/download.ts'
import type { BundleMember } from './manifest.ts'

// The folder beside a bundle that collects its members. A journal lists the complete ones, so an interrupted `create`
// can continue.

const journalSchema = z.object({
  members: z.record(z.string(), z.object({ size: z.int(), sha256: z.string() })),
  images: z.record(z.string(), z.object({ source: z.string(), config: z.string(), layers: z.array(z.string()) })),
  unpacked: z.record(z.string(), z.int()),
})
type Journal = z.infer<typeof journalSchema>

const journalName = 'journal.json'

/** An image in the folder. */
export interface StagedImage {
  /** The id or digest that it was packed from. When that changes, the image is packed again. */
  source: string
  config: string
  layers: string[]
}

export class Stage {
  readonly folder: string
  readonly #journal: Journal
  #temporaryFiles = 0

  private constructor(folder: string, journal: Journal) {
    this.folder = folder
    this.#journal = journal
  }

  /**
   * Opens the folder as an earlier run left it, or creates it. Members whose digest changed and temporary files are
   * dropped.
   */
  static async open(folder: string): Promise<Stage> {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    // A damaged journal counts as none: everything is collected again
    const journal = readStateFile(join(folder, journalName), journalSchema)
    const stage = new Stage(folder, journal ?? { members: {}, images: {}, unpacked: {} })
    const { members, images } = stage.#journal
    await Promise.all(
      Object.entries(members).map(async ([path, { size, sha256 }]) => {
        const found = await stat(stage.file(path)).catch(() => undefined)
        if (found?.size !== size || (await fileDigest(stage.file(path))) !== sha256) delete members[path]
      }),
    )
    for (const [key, { config, layers }] of Object.entries(images))
      if (![config, ...layers].every(path => path in members)) delete images[key]
    for (const name of await readdir(folder))
      if (name.startsWith('.')) await rm(join(folder, name), { recursive: true })
    return stage
  }

  /** Returns the absolute path of a member. */
  file(path: string): string {
    return join(this.folder, path)
  }

  /** Returns a member's size and digest, or undefined where it is not complete. */
  member(path: string): BundleMember | undefined {
    return this.#journal.members[path]
  }

  /** Returns a path in the folder for an unfinished file. The next `open` deletes it. */
  temporaryFile(): string {
    return this.file(`.${this.#temporaryFiles++}.part`)
  }

  /** Moves a finished file into the folder and records it. */
  async addMember(file: string, path: string): Promise<void> {
    const { size } = await stat(file)
    const sha256 = await fileDigest(file)
    await mkdir(dirname(this.file(path)), { recursive: true })
    await rename(file, this.file(path))
    this.#journal.members[path] = { size, sha256 }
    this.#writeJournal()
  }

  image(key: string): StagedImage | undefined {
    return this.#journal.images[key]
  }

  /** Records an image whose members are all in the folder. */
  addImage(key: string, image: StagedImage): void {
    this.#journal.images[key] = image
    this.#writeJournal()
  }

  /** Returns the size of an unpacked layer in bytes. */
  unpackedSize(path: string): number | undefined {
    return this.#journal.unpacked[path]
  }

  setUnpackedSize(path: string, bytes: number): void {
    this.#journal.unpacked[path] = bytes
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true })
  }

  #writeJournal(): void {
    writeStateFile(join(this.folder, journalName), this.#journal)
  }
}
