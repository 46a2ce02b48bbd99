import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import manifest from '../../../package.json' with { type: 'json' }
import { projectDir } from '../../../shared/paths.ts'
import { newFolder } from '../../unit/support/folders.ts'
import { type Publisher, startPublisher } from '../../unit/support/publisher.ts'

// install.sh, with a release that .ci/release has made and a web server on loopback.

const { version } = manifest
const name = `tetragon-lab-${version}`
const tarball = `/v${version}/${name}.tar.gz`
const release = newFolder()
const isCheckout = existsSync(join(projectDir, '.git'))
const systemPath = process.env.PATH!

/** The commands that install.sh may use, as a system without curl has them. */
const commands = 'cat cut mkdir mv rm sed sha256sum shasum tar gzip wget'.split(' ')
const find = (program: string): string | undefined =>
  [...systemPath.split(':'), '/usr/bin', '/bin'].map(folder => join(folder, program)).find(existsSync)

/** Returns a PATH that has only BusyBox. */
function busyboxPath(busybox: string): string {
  const bin = newFolder()
  for (const command of ['sh', ...commands]) symlinkSync(busybox, join(bin, command))
  return bin
}
const busybox = find('busybox')
const systems = [
  { system: 'the shell and tools of this machine', path: systemPath },
  ...(busybox ? [{ system: 'BusyBox alone', path: busyboxPath(busybox) }] : []),
]
if (!busybox) console.log('install.sh: not tested with BusyBox, because busybox is not on PATH')
if (!isCheckout) console.log('install.sh: not tested, because a release is made from a git checkout')

describe.skipIf(!isCheckout)('install.sh', () => {
  let publisher: Publisher
  let folder: string

  beforeAll(async () => {
    publisher = await startPublisher()
    await execa(join(projectDir, '.ci/release'), [`v${version}`, release, publisher.url('')])
  })
  afterAll(() => publisher.stop())
  beforeEach(() => {
    folder = newFolder()
    publisher.asked.length = 0
    for (const file of ['.tar.gz', '.tar.gz.sha256'])
      publisher.files.set(`/v${version}/${name}${file}`, readFileSync(join(release, `${name}${file}`)))
  })

  const install = (
    words: string[] = [],
    path = systemPath,
    script = readFileSync(join(release, 'install.sh'), 'utf8'),
  ) => execa('sh', ['-s', '--', ...words], { cwd: folder, env: { PATH: path }, input: script, reject: false })

  describe.each(systems)('with $system', ({ path }) => {
    it('unpacks the release into a new folder, and changes nothing else', async () => {
      const { exitCode, stdout, stderr } = await install([], path)
      expect(exitCode, stderr).toBe(0)
      expect(readdirSync(folder)).toEqual([name])
      expect(publisher.asked).toEqual([tarball, `${tarball}.sha256`])
      const committed = execFileSync('git', ['ls-tree', '-r', '-z', '--name-only', 'HEAD'], { cwd: projectDir })
      expect(filesIn(join(folder, name))).toEqual(committed.toString().split('\0').filter(Boolean).toSorted())
      expect(statSync(join(folder, name, 'lab')).mode & 0o111).toBe(0o111)
      expect(stdout).toContain(`${publisher.url(tarball)}\n`)
    })

    it('prints the command that removes everything again', async () => {
      const { stdout } = await install(['--into', "a folder's name"], path)
      const undo = /^Undo +(.*)$/m.exec(stdout)![1]!
      expect(readdirSync(folder)).toEqual(["a folder's name"])
      await execa('sh', ['-c', undo])
      expect(readdirSync(folder)).toEqual([])
    })

    it('refuses a tarball with another sha256, and leaves nothing', async () => {
      publisher.files.set(tarball, 'something else')
      const { exitCode, stderr } = await install([], path)
      expect(exitCode).toBe(1)
      expect(stderr).toMatch(/^Error {5}The sha256 of .*\nExpected {2}[0-9a-f]{64}\nFix {7}/)
      expect(readdirSync(folder)).toEqual([])
    })

    it('requires the sha256 that the user gives, not the published one', async () => {
      const { exitCode, stderr } = await install(['--sha256', 'a'.repeat(64)], path)
      expect(exitCode).toBe(1)
      expect(stderr).toContain(`Expected  ${'a'.repeat(64)}\n`)
      expect(publisher.asked).toEqual([tarball])
      expect(readdirSync(folder)).toEqual([])
    })

    it('says which address has no such release', async () => {
      const { exitCode, stderr } = await install(['9.9.9'], path)
      expect(exitCode).toBe(1)
      expect(stderr).toContain(`Error     ${publisher.url('/v9.9.9/tetragon-lab-9.9.9.tar.gz')} cannot be downloaded\n`)
      expect(readdirSync(folder)).toEqual([])
    })
  })

  it('installs a release that runs', async () => {
    await install()
    symlinkSync(join(projectDir, 'node_modules'), join(folder, name, 'node_modules'))
    // Not through the launcher, which would install the packages again where package-lock.json has changed.
    const { stdout } = await execa(process.execPath, [join(folder, name, 'scripts/lab.ts'), 'test', '--help'])
    expect(stdout).toMatch(/^Usage: lab test /)
  })

  it.each([
    [[name], /^Error {5}tetragon-lab-\S+ is not a version\n/],
    [['../1.0'], /^Error {5}\S+ is not a version\n/],
    [['--into'], /^Error {5}--into needs a value\n/],
    [['--prefix', 'x'], /^Error {5}There is no option --prefix\n/],
    [['--into', 'missing/lab'], /^Error {5}There is no folder \S+\/missing\nFix {7}mkdir -p /],
    [['--into', 'taken'], /^Error {5}\S+\/taken already exists\nExpected {2}a new folder\n/],
    [['--into', '/'], /^Error {5}\/ already exists\n/],
  ])('refuses %j before it downloads anything', async (words, message) => {
    mkdirSync(join(folder, 'taken'))
    const { exitCode, stderr } = await install(words)
    expect(exitCode).toBeGreaterThan(0)
    expect(stderr).toMatch(message)
    expect(publisher.asked).toEqual([])
    expect(readdirSync(folder)).toEqual(['taken'])
  })

  it('needs an address in a checkout, where no release has been named', async () => {
    const script = readFileSync(join(projectDir, 'install.sh'), 'utf8')
    expect((await install([], systemPath, script)).stderr).toMatch(/^Error {5}No version was given\n/)
    expect((await install([version], systemPath, script)).stderr).toMatch(/has no address of releases\nFix .* --from /)
    const { exitCode } = await install([version, '--from', publisher.url('/')], systemPath, script)
    expect(exitCode).toBe(0)
  })

  it('does nothing when the script itself was not downloaded to its end', async () => {
    const script = readFileSync(join(release, 'install.sh'), 'utf8')
    const end = script.lastIndexOf('main "$@"')
    for (let part = 1; part <= 8; part++) await install([], systemPath, script.slice(0, Math.floor((end * part) / 8)))
    expect(publisher.asked).toEqual([])
    expect(readdirSync(folder)).toEqual([])
  })
})

describe.skipIf(!isCheckout)('.ci/release', () => {
  it('refuses a version that package.json does not have', async () => {
    const folder = newFolder()
    const { exitCode, stderr } = await execa(join(projectDir, '.ci/release'), ['v9.9.9', folder, 'x'], {
      reject: false,
    })
    expect([exitCode, stderr]).toEqual([1, `The version is 9.9.9, but package.json says ${version}`])
    expect(readdirSync(folder)).toEqual([])
  })

  it('writes the notes of this version', () => {
    expect(readFileSync(join(release, 'notes.md'), 'utf8').trim()).not.toBe('')
  })
})

/** Returns the paths of all files in a folder, sorted. */
function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => !entry.isDirectory())
    .map(entry => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .toSorted()
}
