import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { copyFile, cp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import lockfile from 'proper-lockfile'
import { create } from 'tar'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parse } from 'yaml'
import { $ } from 'zx'
import type { LoadResult } from '../../scripts/bundle/load.ts'
import type { Manifest } from '../../scripts/bundle/manifest.ts'
import { nodeName } from '../../scripts/cluster/node-container.ts'
import { kernelDecision } from '../../scripts/kernel/decision.ts'
import { findTool } from '../../scripts/supplies/tools.ts'
import { imageRef, readLock, toolNames } from '../../shared/lock.ts'
import { projectDir } from '../../shared/paths.ts'
import { Namespace } from './namespace.ts'

// Plays both machines on one: this checkout creates a bundle, and a fresh clone of the last commit loads it and starts
// the lab in a network namespace that has no connection. The clone has no node_modules, no .lab and no recent Node, and
// some images are removed first.
//
// With LAB_LOCK (a machine without registries), programs come from this machine, packed as their publishers pack them,
// and the URLs of the lock lead nowhere in the namespace. Without it, everything comes from the URLs in lab.lock.yaml.

$.cwd = projectDir
$.verbose = false
$.quiet = true
$.nothrow = true

const lock = readLock()
const withoutRegistries = process.env.LAB_LOCK !== undefined
const folder = mkdtempSync(join(realpathSync(tmpdir()), 'lab-offline-'))
const clone = join(folder, 'a checkout')
const bundle = join(folder, 'lab.bundle')
const settingsFile = 'Pulumi.dev.yaml'
const settingsBefore = readFileSync(join(projectDir, settingsFile), 'utf8')
const node = nodeName('lab')
/** An image that only this test uses, so it can be deleted completely: Redis with a layer of its own. */
const ownImage = 'docker.io/library/redis:lab-offline'
/** The tag that keeps an image whose own name is removed, so that this machine does not lose it. */
const backupTag = (index: number): string => `lab-offline-backup:${index}`
const removedImages = withoutRegistries
  ? [imageRef(lock.images.k6), imageRef(lock.images['prometheus-config-reloader'])]
  : []

let onlineEnv: Record<string, string>
let offlineEnv: Record<string, string>
let namespace: Namespace | undefined

beforeAll(async () => {
  expect(process.getuid?.(), 'a network namespace needs root').toBe(0)
  const environment = { ...process.env } as Record<string, string>
  delete environment.LAB_DIR
  onlineEnv = environment
  // A machine without the lab has Docker, a shell and git. Everything else must come from the bundle.
  const docker = dirname((await $`command -v docker`).stdout.trim())
  offlineEnv = { PATH: [...new Set([docker, '/usr/bin', '/bin'])].join(':'), HOME: join(folder, 'home') }
  mkdirSync(offlineEnv.HOME!)
  if (withoutRegistries) {
    const variables = await writeLock()
    onlineEnv = { ...onlineEnv, ...variables, LAB_LOCK: join(folder, 'offline.lock.yaml') }
    offlineEnv = {
      ...offlineEnv,
      LAB_RIG_DIR: '/nowhere',
      LAB_OFFLINE_TOOLS: '/nowhere',
      LAB_LOCK: join(folder, 'offline.lock.yaml'),
    }
  }
  expect((await $`git clone --quiet ${projectDir} ${clone}`).exitCode).toBe(0)
  const { source } = await kernelDecision()
  // Images for live events are left out where the kernel cannot run them; without registries they do not exist
  if (source === 'replay')
    for (const checkout of [projectDir, clone])
      writeFileSync(join(checkout, settingsFile), 'config:\n  tetragon-lab:tetragon:\n    source: replay\n')
  namespace = await Namespace.open(folder, node)
})

afterAll(async () => {
  writeFileSync(join(projectDir, settingsFile), settingsBefore)
  if (namespace && existsSync(join(clone, 'node_modules'))) await inside('down', '--yes')
  namespace?.close()
  for (const [index, ref] of removedImages.entries())
    if ((await $`docker tag ${backupTag(index)} ${ref}`).exitCode === 0) await $`docker image rm ${backupTag(index)}`
  await $`docker image rm ${ownImage}`
  rmSync(folder, { recursive: true, force: true })
})

/**
 * Writes a lock with the programs of this machine and the image of this test.
 * @returns the environment variables that it uses.
 */
async function writeLock(): Promise<Record<string, string>> {
  const given = parse(readFileSync(process.env.LAB_LOCK!, 'utf8')) as object
  const archives = join(folder, 'tools')
  mkdirSync(archives)
  const tools: Record<string, unknown> = {}
  for (const name of toolNames) {
    const { version } = lock.tools[name]
    const packed = join(folder, `${name}-packed`, name)
    mkdirSync(join(packed, 'bin'), { recursive: true })
    const program = name === 'node' ? process.execPath : await findTool(lock, name)
    if (program) await cp(realpathSync(program), join(packed, 'bin', name))
    // Starting the lab does not use tetra
    else if (name === 'tetra')
      writeFileSync(join(packed, 'bin', name), '#!/bin/sh\necho a placeholder\n', { mode: 0o755 })
    else throw new Error(`no ${name} ${version} on this machine`)
    if (name === 'pulumi')
      await copyFile(join(dirname(program!), 'pulumi-language-nodejs'), join(packed, 'bin', 'pulumi-language-nodejs'))
    await create({ gzip: { level: 1 }, cwd: dirname(packed), file: join(archives, `${name}.tar.gz`) }, [name])
    rmSync(dirname(packed), { recursive: true })
    tools[name] = { version, url: `file://\${LAB_OFFLINE_TOOLS}/${name}.tar.gz`, member: `${name}/` }
  }
  await $`docker create --name lab-offline ${imageRef(lock.images.redis)} && docker cp ${import.meta.filename} lab-offline:/ && docker commit lab-offline ${ownImage}; docker rm lab-offline`
  const [repository, tag] = ownImage.split(':')
  const { images } = given as { images?: object }
  writeFileSync(
    join(folder, 'offline.lock.yaml'),
    JSON.stringify({ ...given, tools, images: { ...images, redis: { repository, tag } } }),
  )
  return { LAB_OFFLINE_TOOLS: archives }
}

/** Runs the lab in this checkout, with the network. */
const lab = (...args: string[]) => $({ env: onlineEnv })`./lab ${args}`
/** Runs the lab in the clone, without a network. */
const inside = (...args: string[]) => $({ env: offlineEnv, cwd: clone })`${namespace!.enter} ./lab ${args}`

const collectedLayers = (): number =>
  existsSync(`${bundle}.parts/layers`) ? readdirSync(`${bundle}.parts/layers`).length : 0

it('creates a bundle, even after it was killed once', async () => {
  const first = lab('bundle', 'create', bundle, '--json')
  void first.then(() => undefined)
  await expect.poll(collectedLayers, { timeout: 10 * 60_000, interval: 200 }).toBeGreaterThan(3)
  await first.kill('SIGKILL')
  await first
  expect(existsSync(bundle)).toBe(false)
  // The killed process cannot release its lock, which expires 10 s later
  await expect.poll(() => lockfile.check(`${bundle}.parts`), { timeout: 20_000 }).toBe(false)

  const { exitCode, stdout, stderr } = await lab('bundle', 'create', bundle)
  expect(exitCode, stderr).toBe(0)
  expect(stdout).toMatch(/resumed {5}\d+ MB from an earlier run/)
  expect(stdout).toMatch(/result {6}about [\d.]+ [MG]B/)
  expect(existsSync(`${bundle}.parts`)).toBe(false)
  console.log(stdout)
})

it('creates a bundle whose checksums tar and sha256sum can verify', async () => {
  const { stdout } = await lab('bundle', 'show', bundle, '--json')
  const manifest = JSON.parse(stdout) as Manifest
  expect(manifest.images.map(({ ref }) => ref)).toContain(imageRef(lock.nodeImage))
  const unpacked = join(folder, 'unpacked')
  mkdirSync(unpacked)
  const sums = await $({ cwd: unpacked })`tar -xf ${bundle} && sha256sum --quiet -c SHA256SUMS`
  expect(sums.exitCode, sums.stderr).toBe(0)
  rmSync(unpacked, { recursive: true })
})

it('has no network and none of the programs in the namespace', async () => {
  expect((await $`${namespace!.enter} ip route`).stdout).toBe('')
  expect((await $`${namespace!.enter} ip -brief link`).stdout.trim().split('\n')).toHaveLength(1)
  const ask = 'fetch("https://example.com/").then(() => 0, error => error.cause.code).then(console.log)'
  expect((await $`${namespace!.enter} ${process.execPath} -e ${ask}`).stdout).toMatch(
    /EAI_AGAIN|ENETUNREACH|ECONNREFUSED/,
  )
  for (const name of ['kind', 'pulumi'])
    expect((await $({ env: offlineEnv })`command -v ${name}`).stdout, name).toBe('')
  // Without the bundle the lab cannot start
  const { exitCode, stderr } = await inside('status')
  expect(exitCode).toBe(1)
  expect(stderr).toMatch(/^Error {5}/m)
  expect(existsSync(join(clone, 'node_modules'))).toBe(false)
})

it('refuses half a bundle', async () => {
  const half = join(folder, 'half.bundle')
  await $`head -c ${Math.floor(Number((await $`stat -c %s ${bundle}`).stdout) / 2)} ${bundle} > ${half}`
  const { exitCode, stderr } = await inside('bundle', 'load', half)
  rmSync(half)
  expect(exitCode).toBe(1)
  expect(stderr).toMatch(/^Error {5}.*is cut off after \d+ bytes$/m)
})

it('loads the bundle, even after it was killed once', async () => {
  expect((await $`docker ps -a --format {{.Names}}`).stdout, 'a lab is running').not.toContain(node)
  for (const [index, ref] of removedImages.entries())
    expect((await $`docker tag ${ref} ${backupTag(index)}`).exitCode).toBe(0)
  for (const ref of [...removedImages, ...(withoutRegistries ? [ownImage] : [])])
    expect((await $`docker image rm --force ${ref}`).exitCode, ref).toBe(0)
  const first = inside('bundle', 'load', bundle, '--json')
  void first.then(() => undefined)
  const charts = join(clone, '.lab/charts')
  await expect
    .poll(() => existsSync(charts) && readdirSync(charts).some(name => name.endsWith('.tgz')), {
      timeout: 5 * 60_000,
      interval: 50,
    })
    .toBe(true)
  await first.kill('SIGKILL')
  await first

  const { exitCode, stdout, stderr } = await inside('bundle', 'load', bundle, '--json')
  expect(exitCode, stderr).toBe(0)
  const result = JSON.parse(stdout) as LoadResult
  expect(result.there).toBeGreaterThan(0)
  if (withoutRegistries) expect(result.images.sort()).toEqual([...removedImages, ownImage].sort())
  expect(existsSync(join(clone, 'node_modules/vitest')), 'development packages are not in the bundle').toBe(false)
  const again = JSON.parse((await inside('bundle', 'load', bundle, '--json')).stdout) as LoadResult
  expect(again).toMatchObject({ tools: [], charts: [], images: [] })
})

it('starts the lab without a network, and it passes lab verify', async () => {
  const up = await inside('up', '--json')
  expect(up.exitCode, up.stderr).toBe(0)
  const verify = await inside('verify', '--json')
  const checks = JSON.parse(verify.stdout) as { result: string; area: string }[]
  expect(checks.filter(check => check.result === 'fail')).toEqual([])
  expect(checks.filter(check => check.area === 'panels').length).toBeGreaterThan(20)
  expect(verify.exitCode).toBe(0)
})

it('stops the lab without a network', async () => {
  const { exitCode, stderr } = await inside('down', '--yes')
  expect(exitCode, stderr).toBe(0)
  expect((await $`docker ps -a --format {{.Names}}`).stdout).not.toContain(node)
})
