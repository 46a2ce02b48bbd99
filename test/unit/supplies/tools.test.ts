import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { expandAddress, thisPlatform } from '../../../scripts/supplies/platform.ts'
import { digestInChecksums } from '../../../scripts/supplies/published-digests.ts'
import { remember, remembered } from '../../../scripts/supplies/remembered-digests.ts'
import { retryPolicy } from '../../../scripts/supplies/retry.ts'
import { ensureTool, ensureTools, findTool, suits } from '../../../scripts/supplies/tools.ts'
import { LabError } from '../../../shared/lab-error.ts'
import { chartNames, imageNames, type LockedTool, readLock, type ToolName, toolNames } from '../../../shared/lock.ts'
import { projectDir } from '../../../shared/paths.ts'
import { archive, lockWith, newFolder, type Publisher, sha256, startPublisher } from '../support/publisher.ts'

let publisher: Publisher
const { PATH } = process.env
const { os, arch, cpu } = thisPlatform()

beforeEach(async () => {
  process.env.LAB_DIR = newFolder()
  // Nothing that this machine happens to have
  process.env.PATH = '/bin'
  retryPolicy.minTimeout = 1
  publisher = await startPublisher()
})
afterEach(async () => {
  delete process.env.LAB_DIR
  process.env.PATH = PATH
  await publisher.stop()
})

const program = (version: string): string => `#!/bin/sh\necho called >> "$0.calls"\necho "v${version} go1.26"\n`

/** A folder on PATH with a program in it. */
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

const problem = (run: Promise<unknown>): Promise<LabError> =>
  run.then(
    () => expect.unreachable('it should have failed'),
    (error: unknown) => {
      expect(error).toBeInstanceOf(LabError)
      return error as LabError
    },
  )

describe('a program on PATH', () => {
  test('is used when it has the pinned version, and asked for it once', async () => {
    const kind = onPath('kind', '1.2.3')
    const lock = lockTool('kind', {})
    expect(await ensureTool(lock, 'kind')).toBe(kind)
    expect(await ensureTool(lock, 'kind')).toBe(kind)
    expect(readFileSync(`${kind}.calls`, 'utf8')).toBe('called\n')
  })

  test('is passed over when it has another version', async () => {
    const right = onPath('kind', '1.2.3')
    onPath('kind', '1.2.4')
    expect(await findTool(lockTool('kind', {}), 'kind')).toBe(right)
    expect(await findTool(lockTool('kind', { version: '9.9.9' }), 'kind')).toBeUndefined()
  })

  test('is asked again when it was replaced', async () => {
    const kind = onPath('kind', '1.2.4')
    expect(await findTool(lockTool('kind', {}), 'kind')).toBeUndefined()
    writeFileSync(kind, `${program('1.2.3')}# another\n`)
    expect(await findTool(lockTool('kind', {}), 'kind')).toBe(kind)
  })

  test('a plugin is taken by its name; kubectl may be one minor version away', async () => {
    const plugin = onPath('pulumi-resource-command', '0.0.1')
    expect(await findTool(lockTool('pulumi-resource-command', {}), 'pulumi-resource-command')).toBe(plugin)
    expect(suits('kubectl', '1.36.1', '1.35.9')).toBe(true)
    expect(suits('kubectl', '1.36.1', '1.38.0')).toBe(false)
    expect(suits('kubectl', '1.36.1', '2.36.1')).toBe(false)
    expect(suits('pulumi', '3.259.0', '3.260.0')).toBe(false)
    expect(suits('pulumi', '3.259.0', undefined)).toBe(false)
  })
})

describe('a program that is fetched', () => {
  test("is checked against its publisher's sums, unpacked, run from .lab/tools, and remembered", async () => {
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
    expect(remembered(publisher.url(file))).toBe(sha256(bytes))
    expect(await ensureTool(lock, 'tetra')).toBe(path)
    expect(publisher.asked).toEqual([`${file}.sha256sum`, file])
    expect(readdirSync(join(process.env.LAB_DIR!, 'tools'))).toEqual(['tetra-1.2.3'])
    expect(readdirSync(join(process.env.LAB_DIR!, 'tools/tetra-1.2.3'))).toEqual(['tetra'])
  })

  test('may be the download itself, with a digest alone beside it', async () => {
    const kubectl = program('1.2.3')
    publisher.files.set('/kubectl', kubectl)
    publisher.files.set('/kubectl.sha256', sha256(kubectl))
    const lock = lockTool('kubectl', { url: publisher.url('/kubectl'), checksums: publisher.url('/kubectl.sha256') })
    expect(readFileSync(await ensureTool(lock, 'kubectl'), 'utf8')).toBe(kubectl)
  })

  test('may be a whole folder, whose other programs come with it', async () => {
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

  test("may lie in the folder's bin, as Node does", async () => {
    const bytes = await archive({ [`node-v1.2.3-${os}-${cpu}/bin/node`]: program('1.2.3') })
    publisher.files.set('/node.tgz', bytes)
    const lock = lockTool('node', {
      url: publisher.url('/node.tgz'),
      sha256: { [`${os}-${arch}`]: sha256(bytes) },
      member: 'node-v{version}-{os}-{cpu}/',
    })
    expect(await ensureTool(lock, 'node')).toBe(join(process.env.LAB_DIR!, 'tools/node-1.2.3/bin/node'))
  })

  test('is refused with another digest, without an entry in the sums, and without the program in it; nothing is left of it', async () => {
    const bytes = await archive({ other: program('1.2.3') })
    publisher.files.set('/kind.tgz', bytes)
    const lock = lockTool('kind', {
      url: publisher.url('/kind.tgz'),
      checksums: publisher.url('/sums'),
      member: 'kind',
    })
    publisher.files.set('/sums', `${'a'.repeat(64)}  kind.tgz\n`)
    const wrong = await problem(ensureTool(lock, 'kind'))
    expect(wrong.found).toBe(`kind 1.2.3 from ${publisher.host} has sha256 ${sha256(bytes)}`)
    expect(wrong.expected).toBe(`${'a'.repeat(64)}, the digest published beside it`)
    publisher.files.set('/sums', `${'a'.repeat(64)}  kind.zip\n`)
    expect((await problem(ensureTool(lock, 'kind'))).found).toBe(`${publisher.url('/sums')} does not list kind.tgz`)
    publisher.files.set('/sums', `${sha256(bytes)} *./dist/kind.tgz\n`)
    expect((await problem(ensureTool(lock, 'kind'))).found).toBe(`${publisher.url('/kind.tgz')} holds no program kind`)
    expect(readdirSync(join(process.env.LAB_DIR!, 'tools'))).toEqual([])
  })

  test('without an address says what to install', async () => {
    const error = await problem(ensureTool(lockTool('kind', {}), 'kind'))
    expect(error.found).toBe('no kind 1.2.3 on PATH')
  })

  test('by two at once is there once', async () => {
    const kind = program('1.2.3')
    publisher.files.set('/kind', kind)
    const lock = lockTool('kind', { url: publisher.url('/kind') })
    const both = await Promise.all([ensureTools(lock, ['kind']), ensureTools(lock, ['kind'])])
    expect(both[0]).toEqual(both[1])
    expect(readFileSync(both[0]!.kind!, 'utf8')).toBe(kind)
  })
})

test('checksum files in all the forms that publishers use', () => {
  const [one, two] = ['1'.repeat(64), 'ABCDEF01'.repeat(8)]
  expect(digestInChecksums(`${one}  a.tar.gz\n${two}  b.tar.gz\n`, 'b.tar.gz')).toBe(two.toLowerCase())
  expect(digestInChecksums(`${one} *a.tar.gz\r\n`, 'a.tar.gz')).toBe(one)
  expect(digestInChecksums(`${one}  ./pulumi/a.tar.gz\n`, 'a.tar.gz')).toBe(one)
  expect(digestInChecksums(`${one}\n`, 'anything')).toBe(one)
  expect(digestInChecksums(`${one}\n${two}\n`, 'anything')).toBeUndefined()
  expect(digestInChecksums(`${one}  aa.tar.gz\n`, 'a.tar.gz')).toBeUndefined()
  expect(digestInChecksums('<html>not found</html>', 'a.tar.gz')).toBeUndefined()
})

test('memory keeps what many remember at once', async () => {
  await Promise.all(Array.from({ length: 8 }, (_, n) => remember({ [`address ${n}`]: `${n}` })))
  expect(Array.from({ length: 8 }, (_, n) => remembered(`address ${n}`))).toEqual(
    Array.from({ length: 8 }, (_, n) => `${n}`),
  )
})

test('only Linux and macOS on amd64 and arm64 have programs to fetch', () => {
  expect(thisPlatform('darwin', 'arm64')).toEqual({ os: 'darwin', arch: 'arm64', cpu: 'arm64' })
  expect(thisPlatform('linux', 'x64')).toEqual({ os: 'linux', arch: 'amd64', cpu: 'x64' })
  expect(() => thisPlatform('win32', 'x64')).toThrow(/this machine is win32 on x64/)
  expect(() => thisPlatform('linux', 'riscv64')).toThrow(LabError)
})

describe("the lab's own lock", () => {
  const lock = readLock('')

  test('names everything, pinned by version, at https addresses of its publisher', () => {
    expect(Object.keys(lock.images).sort()).toEqual([...imageNames].sort())
    for (const name of chartNames) {
      const { url, version, sha256: digest, index } = lock.charts[name]
      expect(url).toMatch(/^https:\/\//)
      expect(url.endsWith(`${name}-${version}.tgz`), url).toBe(true)
      expect(digest ?? index, `${name} can be verified`).toBeDefined()
    }
    for (const image of Object.values(lock.images)) expect(image.tag).not.toMatch(/^(latest|main|master)$/)
  })

  test('gives every program an address and sums on every platform, all filled in', () => {
    for (const name of toolNames)
      for (const platform of [
        thisPlatform('linux', 'x64'),
        thisPlatform('linux', 'arm64'),
        thisPlatform('darwin', 'arm64'),
      ]) {
        const { url, checksums, version } = lock.tools[name]
        for (const address of [url!, checksums!]) {
          const full = expandAddress(address, lock.file, { ...platform, version })
          expect(full.protocol).toBe('https:')
          expect(decodeURI(full.href)).not.toMatch(/[{}]/)
        }
      }
  })

  test("agrees with the npm packages that speak to Pulumi's programs", () => {
    const { dependencies } = JSON.parse(readFileSync(join(projectDir, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>
    }
    expect(lock.tools.pulumi.version).toBe(dependencies['@pulumi/pulumi'])
    expect(lock.tools['pulumi-resource-command'].version).toBe(dependencies['@pulumi/command'])
    expect(lock.tools['pulumi-resource-kubernetes'].version).toBe(dependencies['@pulumi/kubernetes'])
  })

  test('has a node image of the Kubernetes version that kubectl is pinned to', () => {
    expect(lock.nodeImage.tag).toBe(`v${lock.tools.kubectl.version}`)
    expect(lock.nodeImage.digest).toMatch(/^sha256:/)
  })

  test('can be overlaid for a machine without registries: whole entries are replaced', () => {
    const rig = readLock(join(projectDir, 'test/rig.lock.yaml'))
    expect(rig.nodeImage).toEqual({ repository: 'docker.io/kindest/node', tag: lock.nodeImage.tag })
    expect(rig.images.grafana.tag).toBe('stand-in')
    expect(rig.images.loki).toEqual(lock.images.loki)
    for (const name of chartNames) {
      expect(rig.charts[name].sha256).toBeUndefined()
      expect(rig.charts[name].version).toBe(lock.charts[name].version)
    }
  })
})

test('package-lock.json can be installed from on every system: optional programs of others are in it', () => {
  const { packages } = JSON.parse(readFileSync(join(projectDir, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { optionalDependencies?: Record<string, string>; resolved?: string }>
  }
  for (const [path, { optionalDependencies }] of Object.entries(packages))
    for (const name of Object.keys(optionalDependencies ?? {}))
      expect(
        packages[`node_modules/${name}`] ?? packages[`${path}/node_modules/${name}`],
        `${name}, of ${path}`,
      ).toBeDefined()
})
