import { basename, join, relative } from 'node:path'
import { LabError } from '../../shared/lab-error.ts'
import { type ChartName, chartFile, type ImageName, type Lock, type ToolName } from '../../shared/lock.ts'
import { projectDir } from '../../shared/paths.ts'
import { ensureCharts } from '../supplies/charts.ts'
import { type ChartValues, chartKeys, readChartValues, tagInValues } from './chart-archive.ts'
import { publishedChart } from './chart-repository.ts'
import { FileChanges } from './file-changes.ts'
import { imageFactEdits } from './image-facts.ts'
import { openRepository } from './image-registry.ts'
import { newestOf } from './outdated.ts'
import { imagesOfCharts, npmPackages, type Pin } from './pins.ts'
import { kindNodeImage, releaseDigests } from './releases.ts'
import { compareVersions, likeVariant } from './version.ts'
import type { YamlEdit } from './yaml-edit.ts'

/** What an update changed, or would change. */
export interface PinUpdate {
  moves: { pin: string; from: string; to: string }[]
  /** Paths in the checkout, or absolute. */
  files: string[]
  /** What remains to be done by hand, as commands or sentences. */
  next: string[]
}

interface UpdateOptions {
  /** Default: the newest version of the publisher. */
  to?: string | undefined
  /** Change no file. */
  dryRun?: boolean
  /** The checkout, whose tests have data about the pins. */
  checkout?: string
}

/**
 * Moves a pin to another version, with everything that belongs to it: address and digest from the publisher, the pins
 * that follow it, and the data that tests have about it.
 * @throws LabError when the publisher does not respond or does not have the version. Then no file has changed.
 */
export async function updatePin(
  pin: Pin,
  lock: Lock,
  { to, dryRun = false, checkout = projectDir }: UpdateOptions = {},
): Promise<PinUpdate> {
  if (pin.follows)
    throw new LabError({
      found: `${pin.id} moves with ${pin.follows}`,
      next: `./lab pins update ${pin.follows}`,
      exitCode: 2,
    })
  if (pin.held && to === undefined)
    throw new LabError({
      found: `${pin.id} stays at ${pin.version}: ${pin.held}`,
      next: 'repeat the command with --to VERSION',
    })
  const update = new Update(lock, checkout)
  const version = to ?? (await newestOf(pin, lock))
  if (pin.kind === 'chart') await update.moveChart(pin.name, version)
  if (pin.kind === 'image') await update.moveImage(pin.name, version)
  if (pin.kind === 'tool') await update.moveTool(pin.name, version)
  return update.finish(dryRun)
}

class Update {
  readonly #lock: Lock
  readonly #checkout: string
  readonly #changes = new FileChanges()
  readonly #moves: PinUpdate['moves'] = []
  readonly #next = new Set<string>()

  constructor(lock: Lock, checkout: string) {
    this.#lock = lock
    this.#checkout = checkout
  }

  async moveChart(name: ChartName, to: string): Promise<void> {
    const { version: from } = this.#lock.charts[name]
    const { url, sha256 } = await publishedChart(this.#lock, name, to)
    const chart = { ...this.#lock.charts[name], version: to, url, sha256 }
    const lock = { ...this.#lock, charts: { ...this.#lock.charts, [name]: chart } }
    // Checks that the archive has the published digest, and that it is this chart in this version.
    await ensureCharts(lock, [name])
    const charts = await readChartValues(chartFile(lock, name))
    const isOwn = this.#edit(
      ['charts', name],
      [
        { path: ['version'], value: to },
        { path: ['url'], value: url },
        { path: ['sha256'], value: sha256, after: 'url' },
      ],
    )
    this.#note(`charts.${name}`, from, to)
    if (isOwn) this.#moveChartData(name, { from, to, charts })
    for (const image of imagesOfCharts[name] ?? []) await this.#moveImageWith(charts, image)
    if (name === 'tetragon') {
      const { appVersion } = charts.find(({ inner }) => inner === undefined)!
      await this.moveTool('tetra', likeVariant(appVersion, this.#lock.tools.tetra.version))
    }
  }

  /** Updates what tests know about a chart. */
  #moveChartData(name: ChartName, { from, to, charts }: { from: string; to: string; charts: ChartValues[] }): void {
    const keysFile = (version: string): string => join(this.#checkout, 'test', 'charts', `${name}-${version}.keys`)
    if (from !== to) this.#changes.remove(keysFile(from))
    this.#changes.write(keysFile(to), `${chartKeys(charts).join('\n')}\n`)
    // The rig packs the charts of the lab's own lock file.
    const rig = join(this.#checkout, 'test', 'rig.lock.yaml')
    const url = this.#changes.value(rig, ['charts', name, 'url'])
    if (typeof url === 'string')
      this.#changes.edit(rig, [
        { path: ['charts', name, 'version'], value: to },
        { path: ['charts', name, 'url'], value: url.replaceAll(from, to) },
      ])
    if (from === to) return
    this.#next.add('node test/charts/render.ts   # the Pods of the chart; needs helm')
    if (name === 'loki') this.#next.add(`render Loki's configuration for test/pipeline/support/loki-${to}.yaml`)
  }

  /** Moves an image to the tag that a chart's values give it, unless the lock file already has a newer one. */
  async #moveImageWith(charts: ChartValues[], name: ImageName): Promise<void> {
    const { repository, tag } = this.#lock.images[name]
    const given = tagInValues(charts, repository)
    if (!given) return
    const to = likeVariant(given, tag)
    if (compareVersions(to, tag) > 0) await this.moveImage(name, to)
  }

  async moveImage(name: ImageName, to: string): Promise<void> {
    const { repository, tag: from } = this.#lock.images[name]
    const published = await openRepository(repository).describe(to)
    const isOwn = this.#edit(
      ['images', name],
      [
        { path: ['tag'], value: to },
        { path: ['digest'], value: published.digest, after: 'tag' },
      ],
    )
    this.#note(`images.${name}`, from, to)
    if (!isOwn || from === to) return
    const facts = join(this.#checkout, 'test', 'images', 'images.yaml')
    const source = this.#changes.value(facts, ['images', name, 'source'])
    if (typeof source !== 'string') return
    this.#changes.edit(facts, imageFactEdits({ name, repository, from, to }, published, source))
    this.#next.add(
      'read the Dockerfile of each new image, and correct `commands` and `writes` in test/images/images.yaml',
    )
  }

  async moveTool(name: ToolName, to: string): Promise<void> {
    const { version: from, sha256 } = this.#lock.tools[name]
    const digests = await releaseDigests(this.#lock, name, to)
    this.#edit(
      ['tools', name],
      [
        { path: ['version'], value: to },
        ...Object.keys(sha256).map(platform => ({ path: ['sha256', platform], value: digests[platform]! })),
      ],
    )
    this.#note(`tools.${name}`, from, to)
    if (name === 'kind') await this.#moveNodeImage(to)
    const npm = npmPackages[name]
    if (npm && from !== to) this.#next.add(`npm install --save-exact ${npm}@${to}`)
  }

  /** Each release of kind is tested with one node image, and kubectl has the version of its Kubernetes. */
  async #moveNodeImage(kind: string): Promise<void> {
    const { tag, digest } = await kindNodeImage(this.#lock, kind)
    this.#edit(
      ['nodeImage'],
      [
        { path: ['tag'], value: tag },
        { path: ['digest'], value: digest, after: 'tag' },
      ],
    )
    this.#note('nodeImage', this.#lock.nodeImage.tag, tag)
    const rig = join(this.#checkout, 'test', 'rig.lock.yaml')
    if (this.#changes.value(rig, ['nodeImage', 'tag']) !== undefined)
      this.#changes.edit(rig, [{ path: ['nodeImage', 'tag'], value: tag }])
    await this.moveTool('kubectl', tag.replace(/^v/, ''))
  }

  finish(dryRun: boolean): PinUpdate {
    const files = this.#changes.files().map(file => this.#shortPath(file))
    if (files.length > 0) this.#next.add('./lab test')
    if (!dryRun) this.#changes.apply()
    return { moves: this.#moves, files, next: files.length > 0 ? [...this.#next] : [] }
  }

  /** Edits an entry of the lock file that has it. Returns whether that is the checkout's own lock file. */
  #edit(entry: readonly string[], edits: YamlEdit[]): boolean {
    const own = join(this.#checkout, 'lab.lock.yaml')
    const file = this.#changes.value(this.#lock.file, entry) === undefined ? own : this.#lock.file
    this.#changes.edit(
      file,
      edits.map(edit => ({ ...edit, path: [...entry, ...edit.path] })),
    )
    return file === own
  }

  #note(pin: string, from: string, to: string): void {
    if (from !== to) this.#moves.push({ pin, from, to })
  }

  #shortPath(file: string): string {
    const path = relative(this.#checkout, file)
    return path.startsWith('..') ? file : path || basename(file)
  }
}
