import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import { create } from 'tar'
import { beforeEach, describe, expect, test } from 'vitest'
import { thisPlatform } from '../../../scripts/supplies/platform.ts'
import { readLock } from '../../../shared/lock.ts'
import { projectDir } from '../../../shared/paths.ts'
import { newFolder } from '../../unit/support/folders.ts'
import { archive, sha256 } from '../../unit/support/publisher.ts'

// Runs the launcher in a separate checkout. PATH has only a few system tools, and fakes of node, npm and curl.

const { version } = readLock('').tools.node
const { os, cpu } = thisPlatform()
const systemTools = [
  'sh',
  'sed',
  'grep',
  'cut',
  'uname',
  'readlink',
  'mkdir',
  'cat',
  'find',
  'cksum',
  'sleep',
  'rm',
  'ln',
  'mv',
  'tar',
  'gzip',
  'touch',
  'sha256sum',
  'shasum',
  'cp',
]

let checkout: string
let bin: string

beforeEach(() => {
  // On macOS the temporary folder is a symlink
  checkout = realpathSync(newFolder())
  bin = newFolder()
  for (const name of ['lab', 'lab.lock.yaml']) copyFileSync(join(projectDir, name), join(checkout, name))
  mkdirSync(join(checkout, 'scripts'))
  writeFileSync(join(checkout, 'package.json'), '{}')
  writeFileSync(join(checkout, 'package-lock.json'), '{"lockfileVersion": 3}')
  writeFileSync(
    join(checkout, 'scripts/lab.ts'),
    `const { LAB_DIR, LAB_USER_NO_PROXY, NODE_COMPILE_CACHE, NODE_OPTIONS, NODE_USE_ENV_PROXY, NO_PROXY, PATH, no_proxy } = process.env
const words: string[] = process.argv.slice(2)
console.log(JSON.stringify({ words, LAB_DIR, NODE_COMPILE_CACHE, NODE_OPTIONS, NODE_USE_ENV_PROXY, LAB_USER_NO_PROXY, NO_PROXY, no_proxy, first: PATH!.split(':')[0], cwd: process.cwd() }))\n`,
  )
  for (const tool of systemTools) {
    const found = ['/usr/bin', '/bin'].map(folder => join(folder, tool)).find(existsSync)
    if (found) symlinkSync(found, join(bin, tool))
  }
})

const fake = (name: string, script: string): void =>
  writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 })

/** Puts a node on PATH that claims to have this version. */
const fakeNode = (claimed: string): void =>
  fake('node', `[ "$1" = --version ] && { echo v${claimed}; exit; }\nexec ${process.execPath} "$@"`)

/** Puts an npm on PATH that logs its arguments, creates node_modules on `ci`, and links this Node on `install`. */
const fakeNpm = (more = ''): void =>
  fake(
    'npm',
    `echo "$*" >> ${checkout}/npm-calls
${more}
case $1 in
  --version) echo 11.0.0 ;;
  ci) mkdir -p node_modules; touch node_modules/.package-lock.json ;;
  install) folder=$3/node_modules/node-${os}-${cpu}/bin; mkdir -p "$folder"; ln -s ${process.execPath} "$folder/node" ;;
esac`,
  )

const npmCalls = (): string[] =>
  existsSync(join(checkout, 'npm-calls')) ? readFileSync(join(checkout, 'npm-calls'), 'utf8').trim().split('\n') : []
const installs = (): string[] => npmCalls().filter(call => call.startsWith('ci'))

const run = (words: string[] = [], options: { file?: string; cwd?: string; env?: Record<string, string> } = {}) =>
  execa(options.file ?? join(checkout, 'lab'), words, {
    cwd: options.cwd ?? checkout,
    env: { PATH: bin, HOME: checkout, ...options.env },
    extendEnv: false,
    reject: false,
  })

async function lab(...args: Parameters<typeof run>) {
  const { stdout, stderr, exitCode } = await run(...args)
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 })
  return JSON.parse(stdout) as Record<string, string> & { words: string[] }
}

describe('with a suitable Node on PATH', () => {
  beforeEach(() => {
    fakeNode('22.18.0')
    fakeNpm()
  })

  test('installs once, passes every argument unchanged, and writes only to its own folder', async () => {
    const first = await lab(['exercise', 'two words', '', "it's", '--json'])
    expect(first.words).toEqual(['exercise', 'two words', '', "it's", '--json'])
    expect(first.LAB_DIR).toBe(join(checkout, '.lab'))
    expect(first.NODE_COMPILE_CACHE).toBe(join(checkout, '.lab/cache/compile'))
    expect(first.NODE_OPTIONS).toBeUndefined()
    expect(first.NODE_USE_ENV_PROXY).toBeUndefined()
    expect(first.first).toBe(bin)
    expect(installs()).toEqual(['ci --ignore-scripts --no-audit --no-fund --loglevel=error'])
    await lab()
    expect(installs()).toHaveLength(1)
  })

  test('installs again when package-lock.json has changed', async () => {
    await lab()
    writeFileSync(join(checkout, 'package-lock.json'), '{"lockfileVersion": 3, "packages": {}}')
    await lab()
    await lab()
    expect(installs()).toHaveLength(2)
  })

  test('accepts an npm install that the user ran', async () => {
    mkdirSync(join(checkout, 'node_modules'))
    utimesSync(join(checkout, 'package-lock.json'), 1, 1)
    writeFileSync(join(checkout, 'node_modules/.package-lock.json'), '{}')
    await lab()
    expect(installs()).toEqual([])
  })

  test('works through symlinks and from another folder, which stays the working directory', async () => {
    const elsewhere = realpathSync(newFolder())
    symlinkSync(join(checkout, 'lab'), join(elsewhere, 'absolute'))
    symlinkSync('absolute', join(elsewhere, 'relative'))
    const { LAB_DIR, cwd } = await lab(['up'], { file: join(elsewhere, 'relative'), cwd: elsewhere })
    expect({ LAB_DIR, cwd }).toEqual({ LAB_DIR: join(checkout, '.lab'), cwd: elsewhere })
  })

  test('resolves a relative LAB_DIR against the working directory', async () => {
    const elsewhere = realpathSync(newFolder())
    expect(await lab([], { cwd: elsewhere, env: { LAB_DIR: 'mine' } })).toMatchObject({
      LAB_DIR: join(elsewhere, 'mine'),
    })
    expect(existsSync(join(checkout, '.lab'))).toBe(false)
  })

  test('tells Node to use a proxy', async () => {
    expect(await lab([], { env: { https_proxy: 'http://proxy:3128' } })).toMatchObject({ NODE_USE_ENV_PROXY: '1' })
    expect(await lab()).not.toHaveProperty('NODE_USE_ENV_PROXY')
  })

  test("excludes the lab's own addresses from the proxy, and keeps the user's NO_PROXY for the doctor", async () => {
    const proxy = { HTTPS_PROXY: 'http://proxy:3128' }
    expect(await lab([], { env: proxy })).toMatchObject({ NO_PROXY: '127.0.0.1,localhost', LAB_USER_NO_PROXY: '' })
    const own = await lab([], { env: { ...proxy, NO_PROXY: 'example.org' } })
    const full = 'example.org,127.0.0.1,localhost'
    expect(own).toMatchObject({ NO_PROXY: full, no_proxy: full, LAB_USER_NO_PROXY: 'example.org' })
    // A lab that another lab starts adds nothing
    const again = { ...proxy, NO_PROXY: full, no_proxy: full, LAB_USER_NO_PROXY: 'example.org' }
    expect(await lab([], { env: again })).toMatchObject({ NO_PROXY: full, LAB_USER_NO_PROXY: 'example.org' })
    expect(await lab([], { env: { NO_PROXY: 'example.org' } })).not.toHaveProperty('LAB_USER_NO_PROXY')
  })

  test('installs once when several start at the same time', async () => {
    fakeNpm('[ "$1" = ci ] && until [ -e finish ]; do sleep 0.02; done')
    const runs = [run(['one']), run(['two']), run(['three'])]
    let waiting = 0
    for (const { stderr } of runs)
      stderr.on('data', (text: Buffer) => {
        if (text.includes('Waiting for another') && ++waiting === 2) writeFileSync(join(checkout, 'finish'), '')
      })
    for (const { exitCode, stderr } of await Promise.all(runs))
      expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 })
    expect(installs()).toHaveLength(1)
    expect(existsSync(join(checkout, '.lab-install.lock'))).toBe(false)
  })

  test('takes over the lock of a process that has died', async () => {
    mkdirSync(join(checkout, '.lab-install.lock'))
    // Above the highest process id of any system
    writeFileSync(join(checkout, '.lab-install.lock/pid'), '99999999')
    await lab()
    expect(installs()).toHaveLength(1)
  })

  test("reports a failure of npm with npm's own message, and the next run starts clean", async () => {
    fakeNpm('[ "$1" = ci ] && { echo "npm error network is away" >&2; exit 1; }')
    const { exitCode, stderr, stdout } = await run()
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' })
    expect(stderr).toContain('npm error network is away')
    expect(stderr).toMatch(/^Error {5}npm ci failed/m)
    expect(existsSync(join(checkout, '.lab-install.lock'))).toBe(false)
    fakeNpm()
    await lab()
  })
})

describe('without a suitable Node', () => {
  test.skipIf(os !== 'linux').each(['20.20.2', '22.17.9', '18.0.0'])(
    'downloads the pinned Node with npm once, instead of Node %s',
    async old => {
      fakeNode(old)
      fakeNpm()
      const { first } = await lab()
      expect(first).toBe(join(checkout, `.lab/tools/node-${version}/bin`))
      await lab()
      const calls = npmCalls().filter(call => call.startsWith('install'))
      expect(calls).toHaveLength(1)
      expect(calls[0]).toMatch(
        new RegExp(`--ignore-scripts --no-save .* node-${os}-${cpu}@${version.replaceAll('.', '\\.')}$`),
      )
      expect(readdirSync(join(checkout, '.lab/tools'))).toEqual([`node-${version}`])
    },
  )

  test.each(['22.18.0', '24.0.0', '100.1.0'])('accepts Node %s', async node => {
    fakeNode(node)
    fakeNpm()
    expect((await lab()).first).toBe(bin)
  })

  /** Puts a curl on PATH that serves the publisher's two files. */
  async function publisher(sum?: string, platform = `${os}-${cpu}`): Promise<void> {
    const name = `node-v${version}-${platform}`
    const bytes = await archive({
      [`${name}/bin/node`]: `#!/bin/sh\nexec ${process.execPath} "$@"\n`,
      [`${name}/bin/npm`]: `#!/bin/sh\necho "own $*" >> ${checkout}/npm-calls\n[ "$1" = ci ] && mkdir -p node_modules\nexit 0\n`,
    })
    const folder = newFolder()
    writeFileSync(join(folder, 'archive'), bytes)
    writeFileSync(join(folder, 'sums'), `${'0'.repeat(64)}  other.tar.gz\n${sum ?? sha256(bytes)}  ${name}.tar.gz\n`)
    fake(
      'curl',
      `for url in "$@"; do :; done
case $url in
  https://nodejs.org/dist/v${version}/SHASUMS256.txt) file=sums ;;
  https://nodejs.org/dist/v${version}/${name}.tar.gz) file=archive ;;
  *) exit 22 ;;
esac
while [ "$1" != -o ]; do shift; done
cp ${folder}/$file "$2"`,
    )
  }

  test('without npm, downloads Node from its publisher, checks it, and installs with its npm', async () => {
    await publisher()
    const { first } = await lab()
    expect(first).toBe(join(checkout, `.lab/tools/node-${version}/bin`))
    expect(npmCalls()).toContain('own ci --ignore-scripts --no-audit --no-fund --loglevel=error')
    expect(readdirSync(join(checkout, '.lab/tools'))).toEqual([`node-${version}`])
  })

  test('downloads Node from its publisher on macOS, where npm has none', async () => {
    unlinkSync(join(bin, 'uname'))
    fake('uname', 'case $1 in -s) echo Darwin ;; *) echo arm64 ;; esac')
    fakeNpm()
    await publisher(undefined, 'darwin-arm64')
    const { first } = await lab()
    expect(first).toBe(join(checkout, `.lab/tools/node-${version}/bin`))
    expect(npmCalls().filter(call => call.startsWith('install'))).toEqual([])
  })

  test('refuses an archive with another digest', async () => {
    await publisher('f'.repeat(64))
    const { exitCode, stderr } = await run()
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(/^Error {5}The digest of node-v.* does not match$/m)
    expect(readdirSync(join(checkout, '.lab/tools'))).toEqual([])
  })

  test('downloads npm from the publisher for a Node without npm', async () => {
    fakeNode('24.0.0')
    await publisher()
    expect((await lab()).first).toBe(bin)
    expect(npmCalls()).toContain('own ci --ignore-scripts --no-audit --no-fund --loglevel=error')
  })

  test('without node, npm, curl and wget, says what to install', async () => {
    const { exitCode, stderr, stdout } = await run()
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' })
    expect(stderr.split('\n').slice(-2)).toEqual([
      'Error     Node cannot be downloaded: there is no npm, curl or wget on PATH',
      'Fix       install Node 22.18 or later: https://nodejs.org/en/download',
    ])
  })
})

describe('lab bundle load', () => {
  let bundle: string

  /** Creates a bundle with the members that the launcher needs. Its Node is a script that starts this one. */
  async function newBundle(options: { platform?: string; packages?: string } = {}): Promise<void> {
    const folder = newFolder()
    const { platform = `${os}-${cpu === 'x64' ? 'amd64' : cpu}` } = options
    const packages = options.packages ?? sha256(readFileSync(join(checkout, 'package-lock.json'))).slice(0, 12)
    const name = `node-v${version}-${os}-${cpu}`
    const members: Record<string, Buffer> = {
      [`packages/${packages}.tar.gz`]: await archive({ 'node_modules/a/index.js': 'a' }),
      [`tools/${platform}/node-${version}/${name}.tar.gz`]: await archive({
        [`${name}/bin/node`]: `#!/bin/sh\nexec ${process.execPath} "$@"\n`,
      }),
    }
    const sums = Object.entries(members).map(([path, bytes]) => `${sha256(bytes)}  ${path}\n`)
    for (const [path, bytes] of [['SHA256SUMS', sums.join('')], ...Object.entries(members)] as const) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      writeFileSync(join(folder, path), bytes)
    }
    bundle = join(newFolder(), 'a class.bundle')
    await create({ cwd: folder, file: bundle }, ['SHA256SUMS', ...Object.keys(members)])
  }

  test('installs Node and the packages from the bundle, without npm and a network', async () => {
    await newBundle()
    const { words, first } = await lab(['bundle', 'load', bundle])
    expect(words).toEqual(['bundle', 'load', bundle])
    expect(first).toBe(join(checkout, `.lab/tools/node-${version}/bin`))
    expect(readFileSync(join(checkout, 'node_modules/a/index.js'), 'utf8')).toBe('a')
    expect(readdirSync(join(checkout, '.lab/tools'))).toEqual([`node-${version}`])
    expect(existsSync(join(checkout, '.lab-install.lock'))).toBe(false)
    // The lab now starts without the bundle
    expect((await lab(['up'])).first).toBe(first)
  })

  test('finds the bundle among options, and uses it for `load` only', async () => {
    await newBundle()
    fakeNode('24.0.0')
    fakeNpm()
    await lab(['--lock', 'other.yaml', 'bundle', '--json', 'load', '--lock', 'other.yaml', bundle])
    expect(installs()).toEqual([])
    writeFileSync(join(checkout, 'package-lock.json'), '{"lockfileVersion": 3, "packages": {}}')
    await lab(['bundle', 'show', bundle])
    expect(installs()).toHaveLength(1)
    expect(existsSync(join(checkout, 'node_modules/a'))).toBe(true)
  })

  test('replaces the packages of an earlier version', async () => {
    fakeNode('24.0.0')
    mkdirSync(join(checkout, 'node_modules/old'), { recursive: true })
    await newBundle()
    await lab(['bundle', 'load', bundle])
    expect(readdirSync(join(checkout, 'node_modules')).sort()).toEqual(['.lab-stamp', 'a'])
  })

  const refused = async (): Promise<string[]> => {
    const { exitCode, stderr, stdout } = await run(['bundle', 'load', bundle])
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' })
    expect(existsSync(join(checkout, 'node_modules'))).toBe(false)
    expect(existsSync(join(checkout, '.lab-install.lock'))).toBe(false)
    return stderr.split('\n').filter(line => line.startsWith('Error'))
  }

  test('refuses a bundle for another platform or version, a missing file, and another file', async () => {
    await newBundle({ platform: 'plan9-mips' })
    expect((await refused())[0]).toBe(
      `Error     ${bundle} has no Node ${version} for ${os}/${cpu === 'x64' ? 'amd64' : cpu}`,
    )
    fakeNode('24.0.0')
    await newBundle({ packages: 'a'.repeat(12) })
    expect((await refused())[0]).toBe(`Error     The npm packages in ${bundle} do not match package-lock.json`)
    writeFileSync(bundle, 'a letter')
    expect((await refused())[0]).toBe(`Error     ${bundle} is not a bundle`)
    bundle = join(checkout, 'none')
    expect((await refused())[0]).toBe(`Error     There is no bundle at ${bundle}`)
  })

  test('uses nothing from a damaged or truncated bundle', async () => {
    await newBundle()
    const whole = readFileSync(bundle)
    const changed = Buffer.from(whole)
    // A byte of the last member's compressed content, after its header
    changed[changed.lastIndexOf('ustar') + 255 + 40]! ^= 1
    for (const bytes of [changed, whole.subarray(0, whole.lastIndexOf('ustar') + 255 + 40)]) {
      writeFileSync(bundle, bytes)
      expect((await refused())[0]).toMatch(/^Error {5}.* is damaged: the digest of .* does not match$/)
    }
  })
})
