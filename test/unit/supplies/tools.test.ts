import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { thisPlatform } from '../../../scripts/supplies/platform.ts'
import { rememberedDigest } from '../../../scripts/supplies/remembered-digests.ts'
import { retryPolicy } from '../../../scripts/supplies/retry.ts'
import { ensureTool, ensureTools, findTool, versionMatches } from '../../../scripts/supplies/tools.ts'
import type { LockedTool, ToolName } from '../../../shared/lock.ts'
import { newFolder } from '../support/folders.ts'
import { archive, errorOf, lockWith, type Publisher, sha256, startPublisher } from '../support/publisher.ts'

let publisher: Publisher
const { PATH } = process.env
const { os, arch, cpu } = thisPlatform()

beforeEach(async () => {
  vi.stubEnv('LAB_DIR', newFolder())
  // Without the programs of this machine
  process.env.PATH = '/bin'
  retryPolicy.minTimeout = 1
  publisher = await startPublisher()
})
afterEach(async () => {
  vi.unstubAllEnvs()
  process.env.PATH = PATH
  await publisher.stop()
})

const program = (version: string): string => `#!/bin/sh\necho called >> "$0.calls"\necho "v${version} go1.26"\n`

/** Puts a program first on PATH. */
function onPath(name: ToolName, version: string): string {
  const folder = newFolder()
  writeFileSync(join(folder, name), program(version))
  chmodSync(join(folder, name), 0o755)
  process.env.PATH = `${folder}:${process.env.PATH}`
  return join(folder, name)
}

const lockTool = (name: ToolName, tool: Partial<LockedTool>) => {
  const whole: LockedTool = { version: '1.2.3', sha256: {}, ...tool }
  return lockWith({ tools: { [name]: whole } })
}

describe('a program on PATH', () => {
  test('is used when it has the pinned version, and runs only once to print it', async () => {
    const kind = onPath('kind', '1.2.3')
    const lock = lockTool('kind', {})
    expect(await ensureTool(lock, 'kind')).toBe(kind)
    expect(await ensureTool(lock, 'kind')).toBe(kind)
    expect(readFileSync(`${kind}.calls`, 'utf8')).toBe('called\n')
  })

  test('is ignored when it has another version', async () => {
    const right = onPath('kind', '1.2.3')
    onPath('kind', '1.2.4')
    expect(await findTool(lockTool('kind', {}), 'kind')).toBe(right)
    expect(await findTool(lockTool('kind', { version: '9.9.9' }), 'kind')).toBeUndefined()
  })

  test('runs again to print its version after it was replaced', async () => {
    const kind = onPath('kind', '1.2.4')
    expect(await findTool(lockTool('kind', {}), 'kind')).toBeUndefined()
    writeFileSync(kind, `${program('1.2.3')}# another\n`)
    expect(await findTool(lockTool('kind', {}), 'kind')).toBe(kind)
  })

  test('is accepted without a version if it is a plugin', async () => {
    const plugin = onPath('pulumi-resource-command', '0.0.1')
    expect(await findTool(lockTool('pulumi-resource-command', {}), 'pulumi-resource-command')).toBe(plugin)
  })

  test('must have the pinned version; kubectl may be one minor version away', () => {
    expect(versionMatches('kubectl', '1.36.1', '1.35.9')).toBe(true)
    expect(versionMatches('kubectl', '1.36.1', '1.38.0')).toBe(false)
    expect(versionMatches('kubectl', '1.36.1', '2.36.1')).toBe(false)
    expect(versionMatches('pulumi', '3.259.0', '3.260.0')).toBe(false)
    expect(versionMatches('pulumi', '3.259.0', undefined)).toBe(false)
  })
})

describe('a downloaded program', () => {
  test("is verified with the publisher's checksums and unpacked into .lab/tools, and its digest is stored", async () => {
    const bytes = await archive({ LICENSE: 'free', tetra: program('1.2.3') })
    const file = `/v1.2.3/tetra-${os}-${arch}.tar.gz`
    publisher.files.set(file, bytes)
    publisher.files.set(`${file}.sha256sum`, `${sha256(bytes)}  tetra-${os}-${arch}.tar.gz\n`)
    const lock = lockTool('tetra', {
      url: publisher.url('/v{version}/tetra-{os}-{arch}.tar.gz'),
      checksums: publisher.url('/v{version}/tetra-{os}-{arch}.tar.gz.sha256sum'),
      member: 'tetra',
    })
    const path = await ensureTool(lock, 'tetra')
    expect(path).toBe(join(process.env.LAB_DIR!, 'tools/tetra-1.2.3/tetra'))
    expect(statSync(path).mode & 0o111).toBe(0o111)
    expect(rememberedDigest(publisher.url(file))).toBe(sha256(bytes))
    expect(await ensureTool(lock, 'tetra')).toBe(path)
    expect(publisher.asked).toEqual([`${file}.sha256sum`, file])
    expect(readdirSync(join(process.env.LAB_DIR!, 'tools'))).toEqual(['tetra-1.2.3'])
    expect(readdirSync(join(process.env.LAB_DIR!, 'tools/tetra-1.2.3'))).toEqual(['tetra'])
  })

  test('may be the download itself, with a checksum file of one digest', async () => {
    const kubectl = program('1.2.3')
    publisher.files.set('/kubectl', kubectl)
    publisher.files.set('/kubectl.sha256', sha256(kubectl))
    const lock = lockTool('kubectl', { url: publisher.url('/kubectl'), checksums: publisher.url('/kubectl.sha256') })
    expect(readFileSync(await ensureTool(lock, 'kubectl'), 'utf8')).toBe(kubectl)
  })

  test('may be one of several in a folder', async () => {
    const bytes = await archive({
      'pulumi/pulumi': program('1.2.3'),
      'pulumi/pulumi-language-nodejs': program('1.2.3'),
    })
    publisher.files.set('/pulumi.tgz', bytes)
    const lock = lockTool('pulumi', {
      url: publisher.url('/pulumi.tgz'),
      sha256: { [`${os}-${arch}`]: sha256(bytes) },
      member: 'pulumi/',
    })
    const path = await ensureTool(lock, 'pulumi')
    expect(existsSync(join(path, '../pulumi-language-nodejs'))).toBe(true)
  })

  test('may be in the bin folder, like Node', async () => {
    const bytes = await archive({ [`node-v1.2.3-${os}-${cpu}/bin/node`]: program('1.2.3') })
    publisher.files.set('/node.tgz', bytes)
    const lock = lockTool('node', {
      url: publisher.url('/node.tgz'),
      sha256: { [`${os}-${arch}`]: sha256(bytes) },
      member: 'node-v{version}-{os}-{cpu}/',
    })
    expect(await ensureTool(lock, 'node')).toBe(join(process.env.LAB_DIR!, 'tools/node-1.2.3/bin/node'))
  })

  test('is refused with another digest, without a checksum, and when its archive lacks the program; no file is left', async () => {
    const bytes = await archive({ other: program('1.2.3') })
    publisher.files.set('/kind.tgz', bytes)
    const lock = lockTool('kind', {
      url: publisher.url('/kind.tgz'),
      checksums: publisher.url('/sums'),
      member: 'kind',
    })
    publisher.files.set('/sums', `${'a'.repeat(64)}  kind.tgz\n`)
    const wrong = await errorOf(ensureTool(lock, 'kind'))
    expect(wrong.found).toBe(`The sha256 of kind 1.2.3 from ${publisher.host} is ${sha256(bytes)}`)
    expect(wrong.expected).toBe(`${'a'.repeat(64)}, the digest that the publisher lists`)
    publisher.files.set('/sums', `${'a'.repeat(64)}  kind.zip\n`)
    expect((await errorOf(ensureTool(lock, 'kind'))).found).toBe(
      `The checksum file ${publisher.url('/sums')} does not list kind.tgz`,
    )
    publisher.files.set('/sums', `${sha256(bytes)} *./dist/kind.tgz\n`)
    expect((await errorOf(ensureTool(lock, 'kind'))).found).toBe(
      `The download ${publisher.url('/kind.tgz')} does not contain the program kind`,
    )
    expect(readdirSync(join(process.env.LAB_DIR!, 'tools'))).toEqual([])
  })

  test('must be installed by hand where the lock has no URL', async () => {
    const error = await errorOf(ensureTool(lockTool('kind', {}), 'kind'))
    expect(error.found).toMatch(/^kind 1\.2\.3 is not on PATH, and .* has no URL to download it from$/)
  })

  test('is complete when two calls download it at the same time', async () => {
    const kind = program('1.2.3')
    publisher.files.set('/kind', kind)
    const lock = lockTool('kind', { url: publisher.url('/kind') })
    const both = await Promise.all([ensureTools(lock, ['kind']), ensureTools(lock, ['kind'])])
    expect(both[0]).toEqual(both[1])
    expect(readFileSync(both[0]!.kind!, 'utf8')).toBe(kind)
  })
})
