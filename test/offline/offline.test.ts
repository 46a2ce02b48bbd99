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

// From a machine with a network to one without, in one: a bundle is made here, and loaded and stood up by a fresh clone of what is committed,
// inside a network namespace with no way out. The clone has no node_modules, no .lab and no Node that is new enough, and of the images some
// are taken away first.
//
// With LAB_LOCK (a machine without registries) programs come from this machine, packed as their publishers pack them, and the places of the
// lock lead nowhere in the namespace. Without, all comes from where lab.lock.yaml says.

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
/** An image of this test alone, which is really gone before it is loaded: a Redis with a layer that no other has. */
const ownImage = 'docker.io/library/redis:lab-offline'
/** Images whose name is taken away; what they consist of stays under this one, so that no machine loses them. */
const aside = (at: number): string => `lab-offline-aside:${at}`
const taken = withoutRegistries ? [imageRef(lock.images.k6), imageRef(lock.images['prometheus-config-reloader'])] : []

let here: Record<string, string>
let away: Record<string, string>
let namespace: Namespace | undefined

beforeAll(async () => {
  expect(process.getuid?.(), 'a network namespace takes root').toBe(0)
  const environment = { ...process.env } as Record<string, string>
  delete environment.LAB_DIR
  here = environment
  // What a machine without the lab has: Docker, a shell, git. Everything else must come out of the bundle.
  const docker = dirname((await $`command -v docker`).stdout.trim())
  away = { PATH: [...new Set([docker, '/usr/bin', '/bin'])].join(':'), HOME: join(folder, 'home') }
  mkdirSync(away.HOME!)
  if (withoutRegistries) {
    const places = await ownLock()
    here = { ...here, ...places, LAB_LOCK: join(folder, 'offline.lock.yaml') }
    away = {
      ...away,
      LAB_RIG_DIR: '/nowhere',
      LAB_OFFLINE_TOOLS: '/nowhere',
      LAB_LOCK: join(folder, 'offline.lock.yaml'),
    }
  }
  expect((await $`git clone --quiet ${projectDir} ${clone}`).exitCode).toBe(0)
  const { source } = await kernelDecision()
  // What the kernel cannot run need not be packed, and without registries it cannot be
  if (source === 'replay')
    for (const checkout of [projectDir, clone])
      writeFileSync(join(checkout, settingsFile), 'config:\n  tetragon-lab:tetragon:\n    source: replay\n')
  namespace = await Namespace.open(folder, node)
})

afterAll(async () => {
  writeFileSync(join(projectDir, settingsFile), settingsBefore)
  if (namespace && existsSync(join(clone, 'node_modules'))) await inside('down', '--yes')
  namespace?.close()
  for (const [at, ref] of taken.entries())
    if ((await $`docker tag ${aside(at)} ${ref}`).exitCode === 0) await $`docker image rm ${aside(at)}`
  await $`docker image rm ${ownImage}`
  rmSync(folder, { recursive: true, force: true })
})

/** The lock of this machine, with programs that are here, packed as their publishers pack them, and an image of this test's own. */
async function ownLock(): Promise<Record<string, string>> {
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
    // No part of standing a lab up, and nobody here has built it
    else if (name === 'tetra') writeFileSync(join(packed, 'bin', name), '#!/bin/sh\necho a stand-in\n', { mode: 0o755 })
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

/** The lab of this checkout, with whatever network there is. */
const lab = (...args: string[]) => $({ env: here })`./lab ${args}`
/** That of the clone, without one. */
const inside = (...args: string[]) => $({ env: away, cwd: clone })`${namespace!.enter} ./lab ${args}`

const partsCollected = (): number =>
  existsSync(`${bundle}.parts/layers`) ? readdirSync(`${bundle}.parts/layers`).length : 0

it('a bundle is made, also when it is killed in between', async () => {
  const first = lab('bundle', 'create', bundle, '--json')
  void first.then(() => undefined)
  await expect.poll(partsCollected, { timeout: 10 * 60_000, interval: 200 }).toBeGreaterThan(3)
  await first.kill('SIGKILL')
  await first
  expect(existsSync(bundle)).toBe(false)
  // Nobody is left who would let go of it; after ten seconds that is taken for granted
  await new Promise(resolve => setTimeout(resolve, 11_000))

  const { exitCode, stdout, stderr } = await lab('bundle', 'create', bundle)
  expect(exitCode, stderr).toBe(0)
  expect(stdout).toMatch(/collected {3}\d+ MB by an earlier run/)
  expect(stdout).toMatch(/result {6}about [\d.]+ [MG]B/)
  expect(existsSync(`${bundle}.parts`)).toBe(false)
  console.log(stdout)
})

it('says what is in it, and its sums hold for any tar and sha256sum', async () => {
  const { stdout } = await lab('bundle', 'show', bundle, '--json')
  const manifest = JSON.parse(stdout) as Manifest
  expect(manifest.images.map(({ ref }) => ref)).toContain(imageRef(lock.nodeImage))
  const unpacked = join(folder, 'unpacked')
  mkdirSync(unpacked)
  const sums = await $({ cwd: unpacked })`tar -xf ${bundle} && sha256sum --quiet -c SHA256SUMS`
  expect(sums.exitCode, sums.stderr).toBe(0)
  rmSync(unpacked, { recursive: true })
})

it('in the namespace there is no way out', async () => {
  expect((await $`${namespace!.enter} ip route`).stdout).toBe('')
  expect((await $`${namespace!.enter} ip -brief link`).stdout.trim().split('\n')).toHaveLength(1)
  const ask = 'fetch("https://example.com/").then(() => 0, error => error.cause.code).then(console.log)'
  expect((await $`${namespace!.enter} ${process.execPath} -e ${ask}`).stdout).toMatch(
    /EAI_AGAIN|ENETUNREACH|ECONNREFUSED/,
  )
  for (const name of ['kind', 'pulumi']) expect((await $({ env: away })`command -v ${name}`).stdout, name).toBe('')
  // Without a bundle nothing goes
  const { exitCode, stderr } = await inside('status')
  expect(exitCode).toBe(1)
  expect(stderr).toMatch(/^Error {5}/m)
  expect(existsSync(join(clone, 'node_modules'))).toBe(false)
})

it('half a bundle is refused, with what to do', async () => {
  const half = join(folder, 'half.bundle')
  await $`head -c ${Math.floor(Number((await $`stat -c %s ${bundle}`).stdout) / 2)} ${bundle} > ${half}`
  const { exitCode, stderr } = await inside('bundle', 'load', half)
  rmSync(half)
  expect(exitCode).toBe(1)
  expect(stderr).toMatch(/^Error {5}.*is cut off after \d+ bytes$/m)
})

it('it is loaded, also when that is killed in between', async () => {
  expect((await $`docker ps -a --format {{.Names}}`).stdout, 'no lab may be up').not.toContain(node)
  for (const [at, ref] of taken.entries()) expect((await $`docker tag ${ref} ${aside(at)}`).exitCode).toBe(0)
  for (const ref of [...taken, ...(withoutRegistries ? [ownImage] : [])])
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
  if (withoutRegistries) expect(result.images.sort()).toEqual([...taken, ownImage].sort())
  expect(existsSync(join(clone, 'node_modules/vitest')), 'only what the lab needs to run').toBe(false)
  const again = JSON.parse((await inside('bundle', 'load', bundle, '--json')).stdout) as LoadResult
  expect(again).toMatchObject({ tools: [], charts: [], images: [] })
})

it('the lab stands up without a network, and keeps its promises', async () => {
  const up = await inside('up', '--json')
  expect(up.exitCode, up.stderr).toBe(0)
  const verify = await inside('verify', '--json')
  const checks = JSON.parse(verify.stdout) as { result: string; area: string }[]
  expect(checks.filter(check => check.result === 'fail')).toEqual([])
  expect(checks.filter(check => check.area === 'panels').length).toBeGreaterThan(20)
  expect(verify.exitCode).toBe(0)
})

it('and goes', async () => {
  const { exitCode, stderr } = await inside('down', '--yes')
  expect(exitCode, stderr).toBe(0)
  expect((await $`docker ps -a --format {{.Names}}`).stdout).not.toContain(node)
})
