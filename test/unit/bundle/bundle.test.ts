import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { release } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { gunzipSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { execa } from 'execa'
import { create } from 'tar'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createBundle } from '../../../scripts/bundle/create.ts'
import { packImage, unpackImage } from '../../../scripts/bundle/image-archive.ts'
import { loadBundle, planLoad } from '../../../scripts/bundle/load.ts'
import { type BundledImage, type Manifest, sumsOf } from '../../../scripts/bundle/manifest.ts'
import { openBundle } from '../../../scripts/bundle/open.ts'
import { parsePlatforms, planBundle } from '../../../scripts/bundle/plan.ts'
import { Stage } from '../../../scripts/bundle/stage.ts'
import { type Entry, placesIn, tarOf } from '../../../scripts/bundle/tar.ts'
import { chartsOf, ensureCharts } from '../../../scripts/supplies/charts.ts'
import { pullAll } from '../../../scripts/supplies/images.ts'
import { platformName, thisPlatform } from '../../../scripts/supplies/platform.ts'
import { remember, remembered } from '../../../scripts/supplies/remembered-digests.ts'
import { retryPolicy } from '../../../scripts/supplies/retry.ts'
import { ensureTools } from '../../../scripts/supplies/tools.ts'
import { LabError } from '../../../shared/lab-error.ts'
import { imagesOf } from '../../../shared/lab-images.ts'
import { chartFile, imageRef, type Lock, type LockedImage, toolNames } from '../../../shared/lock.ts'
import { parseSettings } from '../../../shared/settings/schema.ts'
import { type FakeDocker, fakeDocker } from '../support/fake-docker.ts'
import {
  archive,
  chartArchive,
  lockWith,
  newFolder,
  type Publisher,
  sha256,
  startPublisher,
} from '../support/publisher.ts'

// A bundle from end to end with publishers on loopback, and a fake docker, npm and engine on either side.

const { PATH } = process.env
const settings = parseSettings({ tetragon: { source: 'replay' }, traffic: { enabled: false } })
const machine = platformName(thisPlatform())
const engine = 'linux/amd64'
const redis = 'docker.io/library/redis:7-alpine'
const loki = 'docker.io/grafana/loki:3.7.6'
const tools = toolNames.filter(name => name !== 'node')
const digest = (digit: string): string => `sha256:${digit.repeat(64)}`

let publisher: Publisher
let wholeLock: Lock
let docker: FakeDocker
let lock: Lock
let file: string

beforeAll(async () => {
  retryPolicy.minTimeout = 1
  publisher = await startPublisher()
  wholeLock = await published()
})
afterAll(() => publisher.stop())
beforeEach(async () => {
  lock = { ...wholeLock, charts: { ...wholeLock.charts }, images: { ...wholeLock.images } }
  publisher.asked.length = 0
  file = join(newFolder(), 'lab.bundle')
  onMachine()
  for (const image of images()) await hold(imageRef(image))
})
afterEach(() => {
  delete process.env.LAB_DIR
  docker.restore()
  process.env.PATH = PATH
})

/** The images of a lab with these settings. */
const images = (): LockedImage[] => [
  lock.nodeImage,
  ...imagesOf({ settings, source: 'replay' }).map(name => lock.images[name]),
]

/** A lock whose programs and charts the publisher has, for every platform. */
async function published(): Promise<Lock> {
  const own = lockWith({})
  const charts = { ...own.charts }
  for (const name of chartsOf(settings)) {
    const { version } = charts[name]
    publisher.files.set(`/${name}.tgz`, await chartArchive(name, version))
    charts[name] = { version, url: publisher.url(`/${name}.tgz`) }
  }
  const programs = { ...own.tools }
  for (const name of toolNames) {
    const { version } = programs[name]
    programs[name] = { version, sha256: {}, url: publisher.url(`/{os}-{arch}/${name}.tgz`), member: `${name}-{os}/` }
    for (const [os, arch] of [
      ['linux', 'amd64'],
      ['linux', 'arm64'],
      ['darwin', 'amd64'],
      ['darwin', 'arm64'],
    ] as const)
      publisher.files.set(
        `/${os}-${arch}/${name}.tgz`,
        await archive({ [`${name}-${os}/${name}`]: `#!/bin/sh\necho v${version} ${arch}\n` }),
      )
  }
  return {
    ...own,
    charts,
    tools: programs,
    nodeImage: { repository: own.nodeImage.repository, tag: own.nodeImage.tag },
  }
}

/** Begins on a machine that has nothing: its own .lab, Docker and npm. */
function onMachine(): void {
  docker?.restore()
  process.env.LAB_DIR = newFolder()
  process.env.PATH = '/usr/bin:/bin'
  const bin = newFolder()
  writeFileSync(
    join(bin, 'npm'),
    '#!/bin/sh\necho "$*" >> "${0%/*}/calls"\nmkdir -p node_modules/a && echo "a" > node_modules/a/index.js\n',
  )
  chmodSync(join(bin, 'npm'), 0o755)
  process.env.PATH = `${bin}:${process.env.PATH}`
  docker = fakeDocker()
  docker.put('info', info())
}

/** What `docker info` says of an engine in a machine of its own. */
const info = (more: object = {}): string =>
  JSON.stringify({
    OSType: 'linux',
    Architecture: 'x86_64',
    OperatingSystem: 'A test',
    KernelVersion: 'none',
    SecurityOptions: [],
    NCPU: 2,
    MemTotal: 8e9,
    DockerRootDir: '/nowhere',
    SystemTime: new Date().toISOString(),
    ...more,
  })

const baseLayer = Buffer.from('shared')
/** More than what is held in memory. */
const bigLayer = Buffer.alloc(6 << 20, 'big')

/** Made once: the same things give the same archive. */
const archives = new Map<string, { bytes: Buffer; id: string }>()
async function savedOnce(ref: string, platform: string): Promise<{ bytes: Buffer; id: string }> {
  const key = `${ref} ${platform}`
  if (!archives.has(key)) archives.set(key, await saved(ref, platform))
  return archives.get(key)!
}

/** What `docker save` gave before Docker 25: folders, and links where a layer stands there already. */
async function saved(ref: string, platform: string, layers = [baseLayer, Buffer.from(`of ${ref} ${platform}`)]) {
  const folder = newFolder()
  const [os, architecture] = platform.split('/')
  const config = JSON.stringify({
    os,
    architecture,
    rootfs: { type: 'layers', diff_ids: layers.map(layer => `sha256:${sha256(layer)}`) },
  })
  const files = [`${sha256(config)}.json`, 'manifest.json']
  writeFileSync(join(folder, files[0]!), config)
  const paths = layers.map((layer, at) => {
    mkdirSync(join(folder, `${at}`))
    const path = `${at}/layer.tar`
    const same = layers.findIndex(other => other.equals(layer))
    if (same < at) symlinkSync(`../${same}/layer.tar`, join(folder, path))
    else writeFileSync(join(folder, path), layer)
    for (const name of ['VERSION', 'json']) writeFileSync(join(folder, `${at}`, name), '{"id": "x"}')
    files.push(path, `${at}/VERSION`, `${at}/json`)
    return path
  })
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify([{ Config: files[0], RepoTags: [ref], Layers: paths }]))
  const out = join(newFolder(), 'saved.tar')
  await create({ cwd: folder, file: out }, files.sort())
  return { bytes: readFileSync(out), id: `sha256:${sha256(config)}` }
}

/** Puts an image onto this machine's Docker. */
async function hold(ref: string, repoDigest = '-'): Promise<string> {
  const { bytes, id } = await savedOnce(ref, engine)
  docker.give('saved', ref, bytes)
  docker.put('host', `${ref} ${repoDigest} ${id}`)
  return id
}

const make = async (options: { platforms?: string; all?: boolean } = {}) =>
  createBundle(
    await planBundle(
      { file, platforms: options.platforms ? parsePlatforms(options.platforms) : [], all: options.all ?? false },
      settings,
      lock,
    ),
  )
/** A bundle of what `beforeEach` leaves, made once. */
let plain: Buffer | undefined
async function makePlain(): Promise<void> {
  if (plain) return writeFileSync(file, plain)
  await make()
  plain = readFileSync(file)
}
const load = async (from = file, withLock = lock) => loadBundle(await planLoad(from, withLock))

const problem = (run: Promise<unknown>): Promise<LabError> =>
  run.then(
    () => expect.unreachable('it should have failed'),
    (error: unknown) => {
      expect(error).toBeInstanceOf(LabError)
      return error as LabError
    },
  )

const tarBytes = (entries: Entry[]): Promise<Buffer> => buffer(Readable.from(tarOf(entries)))

/** The same bundle with another manifest or other members, and sums that fit. */
async function rewritten(change: (manifest: Manifest) => unknown): Promise<string> {
  const { manifest, read } = await openBundle(file)
  const described = Buffer.from(JSON.stringify(change(structuredClone(manifest))))
  const sums = Buffer.from(sumsOf({ 'manifest.json': { sha256: sha256(described) }, ...manifest.members }))
  const other = join(newFolder(), 'other.bundle')
  const members = Object.entries(manifest.members).map(([path, { size }]) => ({ path, size, content: read(path) }))
  const bytes = await tarBytes([
    { path: 'manifest.json', size: described.length, content: [described] },
    { path: 'SHA256SUMS', size: sums.length, content: [sums] },
    ...members,
  ])
  writeFileSync(other, bytes)
  return other
}

describe('from a machine with a network to one without', () => {
  test('everything is where `lab up` looks for it, and nobody is asked for anything', async () => {
    const made = await make()
    expect(made).toMatchObject({ file, platforms: [machine], sha256: sha256(readFileSync(file)) })
    expect(existsSync(`${file}.parts`)).toBe(false)
    onMachine()
    publisher.asked.length = 0

    const result = await load()
    expect(result.images.sort()).toEqual(images().map(imageRef).sort())
    expect(result.tools).toEqual(tools)
    expect(result.charts.sort()).toEqual(chartsOf(settings).sort())
    expect(await ensureCharts(lock, chartsOf(settings))).toEqual(
      chartsOf(settings).map(name => expect.objectContaining({ name, fetched: false, trust: 'remembered' })),
    )
    const programs = await ensureTools(lock, tools)
    expect(programs.kind).toBe(join(process.env.LAB_DIR!, `tools/kind-${lock.tools.kind.version}/kind`))
    await pullAll(images())
    expect(publisher.asked).toEqual([])
    expect(docker.calls().filter(call => /^(pull|manifest)/.test(call))).toEqual([])
    // As a fetch would have remembered it: another file from that address will be refused
    expect(remembered(publisher.url('/loki.tgz'))).toBe(sha256(readFileSync(chartFile(lock, 'loki'))))
  })

  test('is one tar that every tar reads, with sums, and a layer that images share stands in it once', async () => {
    await makePlain()
    const folder = newFolder()
    await execa('tar', ['-xf', file], { cwd: folder })
    const { stdout } = await execa('shasum', ['-a', '256', '-c', 'SHA256SUMS'], { cwd: folder })
    expect(stdout.split('\n').every(line => line.endsWith(': OK'))).toBe(true)
    const { manifest } = await openBundle(file)
    expect(stdout.split('\n')).toHaveLength(Object.keys(manifest.members).length + 1)
    expect(manifest.images.every(({ layers }) => layers[0] === `layers/${sha256(baseLayer)}.tar.gz`)).toBe(true)
    // Two of each image, of which one is shared
    expect(readdirSync(join(folder, 'layers'))).toHaveLength(images().length + 1)
    expect(Object.keys(manifest.members)[0]).toMatch(/^packages\/[0-9a-f]{12}\.tar\.gz$/)
    expect(Object.keys(manifest.members)[1]).toMatch(/^tools\/[a-z0-9-]+\/node-/)
  })

  test('brings what the settings ask for, live and replay where the kernel decides; with --all also what others would', async () => {
    for (const image of Object.values(lock.images)) if (!images().includes(image)) await hold(imageRef(image))
    const auto = await planBundle({ file, platforms: [], all: false }, parseSettings({}), lock)
    await auto.release()
    const asked = auto.steps.map(({ name }) => name)
    for (const name of ['tetragon', 'tetragon-operator', 'k6', 'node'] as const)
      expect(asked).toContain(imageRef(lock.images[name]))
    expect(asked).not.toContain(imageRef(lock.images['fluent-bit']))
    const version = lock.charts['fluent-bit'].version
    publisher.files.set('/fluent-bit.tgz', await chartArchive('fluent-bit', version))
    lock.charts['fluent-bit'] = { version, url: publisher.url('/fluent-bit.tgz') }
    await make({ all: true })
    const { manifest } = await openBundle(file)
    const refs = manifest.images.map(({ ref }) => ref)
    expect(refs.sort()).toEqual([lock.nodeImage, ...Object.values(lock.images)].map(imageRef).sort())
    expect(manifest.charts).toHaveLength(Object.keys(lock.charts).length)
  })
})

describe('images', () => {
  /** Packs what Docker saves as this image, as it stands in a bundle. */
  async function packed(bytes: Buffer): Promise<{ image: BundledImage; stage: Stage }> {
    docker.give('saved', redis, bytes)
    const stage = await Stage.open(newFolder())
    const { config, layers } = await packImage(stage, redis, engine, 'an id')
    return { image: { ref: redis, platform: engine, config, layers }, stage }
  }

  /** What Docker saves from version 25 on, here with a layer that containerd's image store kept compressed. */
  async function layout(pack: (layer: Buffer) => Buffer): Promise<Buffer> {
    const layer = Buffer.from('a layer')
    const diff_ids = [`sha256:${sha256(layer)}`]
    const blobs = [
      Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { diff_ids } })),
      pack(layer),
    ]
    const [config, packedLayer] = blobs.map(blob => `blobs/sha256/${sha256(blob)}`)
    const manifest = Buffer.from(JSON.stringify([{ Config: config, RepoTags: [redis], Layers: [packedLayer] }]))
    return tarBytes([
      { path: config!, size: blobs[0]!.length, content: [blobs[0]!] },
      { path: packedLayer!, size: blobs[1]!.length, content: [blobs[1]!] },
      { path: 'manifest.json', size: manifest.length, content: [manifest] },
    ])
  }

  test.each([
    ['as they are', (layer: Buffer) => layer],
    ['by gzip', (layer: Buffer) => gzipSync(layer)],
    ['by zstd', (layer: Buffer) => zstdCompressSync(layer)],
  ])('have the same layers however Docker keeps them: %s', async (_, pack) => {
    const { image, stage } = await packed(await layout(pack))
    const path = `layers/${sha256('a layer')}.tar.gz`
    expect(image.layers).toEqual([path])
    expect(stage.unpacked(path)).toBe('a layer'.length)
    expect(gunzipSync(readFileSync(stage.at(path))).toString()).toBe('a layer')
  })

  test('of another platform than the one that is asked for are not taken for it', async () => {
    const error = await problem(packed((await saved(redis, 'linux/arm64')).bytes))
    expect(error.found).toBe(`docker save gives no whole ${redis} for linux/amd64`)
  })

  test('whose layers are not those that the configuration names are not taken', async () => {
    const { bytes } = await saved(redis, engine)
    const changed = Buffer.from(bytes)
    changed[changed.indexOf(`of ${redis}`)]! ^= 1
    expect((await problem(packed(changed))).found).toMatch(/^docker save gives no whole /)
  })

  test('come to Docker as they were saved: configuration, layers from the lowest to the highest, name', async () => {
    const twice = [Buffer.from('low'), bigLayer, Buffer.from('low')]
    const { bytes, id } = await saved(redis, engine, twice)
    const { image, stage } = await packed(bytes)
    await unpackImage(image, path => {
      const content = readFileSync(stage.at(path))
      return { size: content.length, content: [content] }
    })
    const folder = newFolder()
    writeFileSync(join(folder, 'loaded.tar'), docker.loaded(redis)!)
    await execa('tar', ['-xf', 'loaded.tar'], { cwd: folder })
    const [manifest] = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'))
    expect(manifest.RepoTags).toEqual([redis])
    expect(`sha256:${sha256(readFileSync(join(folder, manifest.Config)))}`).toBe(id)
    expect(manifest.Layers.map((path: string) => sha256(gunzipSync(readFileSync(join(folder, path)))))).toEqual(
      twice.map(sha256),
    )
  })
})

describe('for other machines', () => {
  const arm = (image: LockedImage): string => `${image.repository}@sha256:${sha256(`arm64 ${imageRef(image)}`)}`

  beforeEach(async () => {
    for (const image of images()) {
      const name = arm(image)
      const index = {
        manifests: [
          { digest: digest('1'), platform: { os: 'linux', architecture: 'amd64' } },
          { digest: name.split('@')[1], platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } },
          { digest: digest('2'), platform: { os: 'unknown', architecture: 'unknown' } },
        ],
      }
      docker.give('manifests', imageRef(image), JSON.stringify(index))
      docker.give('manifests', name, JSON.stringify({ layers: [{ size: 1000 }, { size: 234 }] }))
      docker.give('saved', name, (await savedOnce(imageRef(image), 'linux/arm64')).bytes)
      docker.put('registry', `${name} ${name}`)
    }
  })

  test('a Mac gets its own programs and images for the Linux in its engine; no image of this machine is touched', async () => {
    const before = docker.read('host')
    const made = await make({ platforms: 'linux/amd64,darwin/arm64' })
    expect(made.platforms).toEqual(['linux/amd64', 'darwin/arm64'])
    const { manifest } = await openBundle(file)
    expect([...new Set(manifest.tools.map(({ platform }) => platform))]).toEqual(['linux/amd64', 'darwin/arm64'])
    expect([...new Set(manifest.images.map(({ platform }) => platform))]).toEqual(['linux/amd64', 'linux/arm64'])
    expect(docker.read('host')).toEqual(before)
    const pulls = docker.calls().filter(call => call.startsWith('pull'))
    expect(pulls.sort()).toEqual(
      images()
        .map(image => `pull --platform linux/arm64 ${arm(image)}`)
        .sort(),
    )
    // Both have the base layer, and the bundle has it once
    expect(new Set(manifest.images.flatMap(({ layers }) => layers)).size).toBe(1 + 2 * images().length)
  })

  test('the size is known before it begins', async () => {
    const plan = await planBundle({ file, platforms: parsePlatforms('linux/arm64'), all: false }, settings, lock)
    await plan.release()
    const fetched = plan.steps.filter(({ from, group }) => from === 'network' && group.startsWith('Images'))
    expect(fetched.map(({ bytes }) => bytes)).toEqual(images().map(() => 1234))
    expect(plan.steps.filter(({ group }) => group.startsWith('Programs')).every(({ bytes }) => bytes! > 0)).toBe(true)
    expect(plan.fetch.unknown).toBe(0)
  })

  test('is refused by a machine that it is not for, which says what to ask for', async () => {
    const other = machine === 'linux/arm64' ? 'darwin/arm64' : 'linux/arm64'
    await make({ platforms: other })
    onMachine()
    const error = await problem(load())
    expect(error.found).toBe(`${file} is for ${other}`)
    expect(error.expected).toMatch(new RegExp(`^${machine}`))
    expect(error.next).toContain(`--platform ${other},${machine}`)
  })

  test('a name that is no platform is wrong usage', () => {
    expect(() => parsePlatforms('linux/amd64,windows/amd64')).toThrow(/the platform windows\/amd64/)
    expect(parsePlatforms('linux/amd64, linux/amd64,')).toHaveLength(1)
  })

  test('an image that is not published for it is named', async () => {
    docker.give('manifests', redis, JSON.stringify({ manifests: [] }))
    expect((await problem(make({ platforms: 'linux/arm64' }))).found).toBe(`${redis} is not published for linux/arm64`)
  })
})

describe('a create that was cut off', () => {
  test('goes on where it stopped', async () => {
    publisher.files.set('/loki.tgz', 404)
    const error = await problem(make())
    expect(error.found).toContain('answers 404 for chart loki')
    expect(existsSync(file)).toBe(false)
    publisher.asked.length = 0
    publisher.files.set('/loki.tgz', await chartArchive('loki', lock.charts.loki.version))
    const plan = await planBundle({ file, platforms: [], all: false }, settings, lock)
    expect(plan.steps.filter(({ from }) => from === 'earlier').map(({ group }) => group)).toContain(
      `Programs for ${machine}`,
    )
    await createBundle(plan)
    expect(publisher.asked.filter(path => path.startsWith('/linux') || path.startsWith('/darwin'))).toEqual([])
    onMachine()
    expect((await load()).charts).toContain('loki')
  })

  test('packs no image twice, and looks at what lies there before it takes it', async () => {
    docker.give('saved', loki, 'not a tar')
    await problem(make())
    const saves = (): string[] =>
      docker
        .calls()
        .filter(call => call.startsWith('save'))
        .map(call => call.split(' ').at(-1)!)
    const first = saves()
    docker.give('saved', loki, (await saved(loki, engine)).bytes)
    // One that was packed is damaged meanwhile, and one half file lies about
    const journal = JSON.parse(readFileSync(join(`${file}.parts`, 'journal.json'), 'utf8'))
    const packed = Object.keys(journal.images).map(key => key.split(' ')[1]!)
    expect(packed.length).toBeGreaterThan(0)
    const [victim] = packed
    writeFileSync(join(`${file}.parts`, journal.images[`${engine} ${victim}`].layers[1]), 'x')
    writeFileSync(join(`${file}.parts`, '.9.part'), 'half')
    await make()
    const second = saves().slice(first.length)
    expect(second).toContain(victim)
    expect(second).toContain(loki)
    expect(second.filter(ref => packed.includes(ref))).toEqual([victim])
    onMachine()
    await load()
  })

  test('is not made by two at once', async () => {
    const plan = await planBundle({ file, platforms: [], all: false }, settings, lock)
    expect((await problem(make())).found).toBe(`another lab bundle create is making ${file}`)
    await createBundle(plan)
  })

  test('an image whose pin nobody can vouch for is pulled by it', async () => {
    lock.images.redis = { ...lock.images.redis, digest: digest('a') }
    docker.put('registry', `${redis} docker.io/library/redis@${digest('a')}`)
    await make()
    expect(docker.calls()).toContain(`pull docker.io/library/redis@${digest('a')}`)
    const { manifest } = await openBundle(file)
    expect(manifest.images.find(({ ref }) => ref === redis)!.digest).toBe(digest('a'))
  })

  test('npm that fails, and a folder that is not there, are told', async () => {
    writeFileSync(
      join(process.env.PATH!.split(':')[1]!, 'npm'),
      '#!/bin/sh\necho "npm error network is away" >&2\nexit 1\n',
    )
    expect((await problem(make())).found).toBe('npm ci failed: npm error network is away')
    file = join(newFolder(), 'nowhere/lab.bundle')
    expect((await problem(make())).next).toContain('mkdir -p')
  })
})

describe('a load that was cut off', () => {
  test('goes on where it stopped, and the third time there is nothing to do', async () => {
    await makePlain()
    onMachine()
    docker.put('full', 'yes')
    const error = await problem(load())
    expect(error.found).toMatch(/^no room for .* where Docker keeps its images$/)
    expect(existsSync(chartFile(lock, 'loki'))).toBe(true)
    docker.clear('full')
    const again = await load()
    expect(again).toMatchObject({ tools: [], charts: [], there: tools.length + chartsOf(settings).length })
    expect(again.images).toHaveLength(images().length)
    const before = docker.calls().length
    expect(await load()).toMatchObject({ tools: [], charts: [], images: [] })
    expect(
      docker
        .calls()
        .slice(before)
        .filter(call => call.startsWith('load')),
    ).toEqual([])
  })

  test('loads only the images that are missing, and those whose tag is another image', async () => {
    await makePlain()
    onMachine()
    for (const image of images()) await hold(imageRef(image))
    docker.remove(redis)
    docker.remove(loki)
    docker.put('host', `${loki} - ${digest('f')}`)
    expect((await load()).images.sort()).toEqual([loki, redis])
  })

  test("with containerd's image store, which gives an image a digest of its own, `lab up` still finds the pinned one", async () => {
    lock.images.redis = { ...lock.images.redis, digest: digest('a') }
    docker.remove(redis)
    await hold(redis, `docker.io/library/redis@${digest('a')}`)
    await make()
    onMachine()
    docker.put('store', 'c'.repeat(64))
    await load()
    await pullAll([lock.images.redis])
    expect(docker.calls().filter(call => call.startsWith('pull'))).toEqual([])
    // Another image under that name is not it
    docker.remove(redis)
    docker.put('host', `${redis} docker.io/library/redis@${digest('d')} ${digest('d')}`)
    docker.put('registry', `${redis} docker.io/library/redis@${digest('a')}`)
    await pullAll([lock.images.redis])
    expect(docker.calls()).toContain(`pull docker.io/library/redis@${digest('a')}`)
  })
})

describe('what cannot be loaded', () => {
  beforeEach(async () => {
    await makePlain()
    onMachine()
  })

  test('a file that is missing, empty, or something else', async () => {
    expect((await problem(load(join(newFolder(), 'none')))).found).toMatch(/^no bundle at /)
    const other = join(newFolder(), 'other')
    writeFileSync(other, '')
    expect((await problem(load(other))).found).toBe(`${other} is cut off after 0 bytes`)
    writeFileSync(other, 'a picture, say, of more than one block of tar'.repeat(50))
    expect((await problem(load(other))).found).toBe(`${other} is not a bundle`)
    await create({ cwd: newFolder(), file: other }, ['.'])
    expect((await problem(load(other))).found).toBe(`${other} is not a bundle`)
  })

  test.each([1, 512, 3000, 0.5, 0.9])('a file that is cut off at %d', async at => {
    const size = readFileSync(file).length
    truncateSync(file, at < 1 ? Math.floor(size * at) : at)
    const error = await problem(load())
    expect(error.found).toMatch(/ is cut off after \d+ bytes$/)
    expect(error.next).toContain('rsync')
    expect(readdirSync(process.env.LAB_DIR!).filter(name => name !== 'cache')).toEqual([])
  })

  test('a member that was changed on the way: nothing of it is put in place', async () => {
    const { manifest } = await openBundle(file)
    const { places } = (await placesIn(file))!
    const victims = [
      manifest.charts[0]!.path,
      manifest.tools.find(({ name }) => name === 'kind')!.path,
      manifest.images.at(-1)!.layers.at(-1)!,
    ]
    for (const path of victims) {
      onMachine()
      const bytes = readFileSync(file)
      const { offset, size } = places.get(path)!
      bytes[offset + size - 1]! ^= 1
      const other = join(newFolder(), 'other.bundle')
      writeFileSync(other, bytes)
      const error = await problem(load(other))
      expect(error.found).toBe(`${other} is damaged: ${path} is not what was packed`)
      expect(docker.loaded(manifest.images.at(-1)!.ref)).toBeUndefined()
      const left = ['charts', 'tools'].flatMap(name =>
        existsSync(join(process.env.LAB_DIR!, name)) ? readdirSync(join(process.env.LAB_DIR!, name)) : [],
      )
      expect(left.filter(name => /part|bundle/.test(name))).toEqual([])
    }
  })

  test('a manifest that was changed, or does not name what is there', async () => {
    const bytes = readFileSync(file)
    bytes[600]! ^= 1
    const other = join(newFolder(), 'other.bundle')
    writeFileSync(other, bytes)
    expect((await problem(load(other))).found).toBe(`${other} is damaged: manifest.json is not what was packed`)
    const gone = await rewritten(manifest => {
      delete manifest.members[manifest.charts[0]!.path]
      return manifest
    })
    expect((await problem(load(gone))).found).toContain('is damaged: manifest.json')
  })

  test('one of a later format', async () => {
    const later = await rewritten(manifest => ({ ...manifest, bundle: 2, lab: '9.0.0', more: true }))
    expect((await problem(load(later))).found).toBe(
      `${later} is a bundle of format 2, made by version 9.0.0 of the lab`,
    )
  })

  test('one of another lock: what differs is named', async () => {
    const other = { ...lock, charts: { ...lock.charts, loki: { ...lock.charts.loki, version: '18.12.0' } } }
    const error = await problem(load(file, other))
    expect(error.found).toBe(`${file} has 18.11.0 for charts.loki`)
    expect(error.expected).toBe(`18.12.0, as in ${lock.file}`)
    other.images = { ...lock.images, redis: { ...lock.images.redis, digest: digest('a') } }
    expect((await problem(load(file, other))).expected).toContain('(and 1 more that differ)')
  })

  test('a chart, a program or an image that is not the one that this machine has seen before', async () => {
    await remember({ [publisher.url('/loki.tgz')]: 'e'.repeat(64) })
    const error = await problem(load())
    expect(error.expected).toBe(`${'e'.repeat(64)}, the digest seen before`)
    onMachine()
    await remember({ [redis]: digest('e') })
    expect((await problem(load())).found).toBe(`${file} holds ${redis} with no digest`)
  })

  test('one whose image is not the one that the lock pins, whatever its manifest says of the lock', async () => {
    const pinned = { ...lock, images: { ...lock.images, redis: { ...lock.images.redis, digest: digest('a') } } }
    const forged = await rewritten(manifest => {
      manifest.pins['images.redis'] = `${redis}@${digest('a')}`
      manifest.images.find(({ ref }) => ref === redis)!.digest = digest('b')
      return manifest
    })
    const error = await problem(load(forged, pinned))
    expect(error.expected).toBe(`${digest('a')}, the digest in the lock`)
    expect(error.next).toContain('do not load it')
  })

  // Elsewhere Docker keeps its images in a machine of its own, into which nobody sees
  test.runIf(process.platform === 'linux')('one for which there is no room', async () => {
    docker.restore()
    docker = fakeDocker()
    docker.put('info', info({ KernelVersion: release(), DockerRootDir: '/' }))
    const big = await rewritten(manifest => {
      for (const path of manifest.images[0]!.layers) manifest.unpacked[path] = 1e15
      return manifest
    })
    const error = await problem(load(big))
    expect(error.found).toMatch(/ free in \/$/)
    expect(error.expected).toMatch(/ GB for what the bundle brings$/)
  })

  test('without a Docker that answers', async () => {
    writeFileSync(
      join(process.env.PATH!.split(':')[0]!, 'docker'),
      '#!/bin/sh\necho "Cannot connect to the Docker daemon at x. " >&2\nexit 1\n',
    )
    expect((await problem(load())).found).toMatch(/^Docker does not answer/)
  })
})

test('the same things make the same bundle, but for its date', async () => {
  await makePlain()
  const first = await openBundle(file)
  await make()
  const second = await openBundle(file)
  const { packages } = first.manifest
  // npm's archive is made anew, of files that were written anew
  expect({ ...second.manifest.members, [packages]: undefined }).toEqual({
    ...first.manifest.members,
    [packages]: undefined,
  })
})
