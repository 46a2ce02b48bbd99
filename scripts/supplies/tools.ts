import { randomUUID } from 'node:crypto'
import { accessSync, constants, existsSync, realpathSync, statSync } from 'node:fs'
import { chmod, mkdir, rename, rm } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { extract } from 'tar'
import { z } from 'zod'
import { LabError } from '../../shared/lab-error.ts'
import type { Lock, ToolName } from '../../shared/lock.ts'
import { labPath } from '../../shared/paths.ts'
import { readStateFile, writeStateFile } from '../../shared/state-file.ts'
import { fetchText, fetchVerified, type OnBytes } from './download.ts'
import { expandAddress, type Platform, thisPlatform } from './platform.ts'
import { digestInChecksums } from './published-digests.ts'

/**
 * How a program says its version. A plugin does not: a name on PATH is taken at its word, and Pulumi says so when the version is too low.
 */
const versionArguments: Partial<Record<ToolName, string[]>> = {
  node: ['--version'],
  pulumi: ['version'],
  kind: ['version'],
  kubectl: ['version', '--client'],
  tetra: ['version'],
}

/**
 * The program of that name: on PATH if it is there in the pinned version, else in `.lab/tools`, where it is fetched to when it is missing.
 * @returns its absolute path.
 * @throws LabError when it can neither be found nor fetched, or is not what its publisher says.
 */
export async function ensureTool(lock: Lock, name: ToolName, onBytes?: OnBytes): Promise<string> {
  return (await findTool(lock, name)) ?? (await fetchTool(lock, name, onBytes))
}

/** Several programs at once, by name: each of `names` is in the result. @throws LabError as `ensureTool`. */
export async function ensureTools(
  lock: Lock,
  names: readonly ToolName[],
  onBytes?: (name: ToolName, ...bytes: Parameters<OnBytes>) => void,
): Promise<Partial<Record<ToolName, string>>> {
  const paths = names.map(name => ensureTool(lock, name, onBytes && ((...bytes) => onBytes(name, ...bytes))))
  const found = await Promise.all(paths)
  return Object.fromEntries(names.map((name, at) => [name, found[at]!]))
}

/** Where the program is without fetching it, or undefined. */
export async function findTool(lock: Lock, name: ToolName): Promise<string | undefined> {
  const { version } = lock.tools[name]
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const file = join(folder, name)
    if (folder && isProgram(file) && suits(name, version, await versionOf(name, file))) return file
  }
  return programIn(toolFolder(name, version), name)
}

const toolFolder = (name: ToolName, version: string): string => labPath('tools', `${name}-${version}`)

/** An archive that was taken whole keeps its programs at its top or in bin. */
const programIn = (folder: string, name: ToolName): string | undefined =>
  [join(folder, name), join(folder, 'bin', name)].find(isProgram)

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}

/** Whether a version will do: the pinned one. kubectl works with servers one minor version away, and a download saved is a download saved. */
export function suits(name: ToolName, pinned: string, found: string | undefined): boolean {
  if (!(name in versionArguments)) return true
  if (found === undefined) return false
  if (name !== 'kubectl') return found === pinned
  const [major, minor] = found.split('.').map(Number)
  const [pinnedMajor, pinnedMinor] = pinned.split('.').map(Number)
  return major === pinnedMajor && Math.abs(minor! - pinnedMinor!) <= 1
}

/** Asked once for each file: some of these programs take half a second to say who they are. */
async function versionOf(name: ToolName, file: string): Promise<string | undefined> {
  const args = versionArguments[name]
  if (!args) return undefined
  const real = realpathSync(file)
  const { size, mtimeMs } = statSync(real)
  const key = `${real} ${size} ${mtimeMs}`
  const kept = readVersions()
  if (key in kept) return kept[key]
  const { execa } = await import('execa')
  // Pulumi keeps a log of each run, of this one too.
  const env = { PULUMI_HOME: labPath('pulumi') }
  const { stdout } = await execa(file, args, { env, reject: false, timeout: 10_000 })
  const version = /\bv?(\d+\.\d+\.\d+)\b/.exec(stdout ?? '')?.[1]
  // One that failed may have failed for the moment
  if (version) writeStateFile(versionsFile(), { ...readVersions(), [key]: version })
  return version
}

const versionsFile = (): string => labPath('cache', 'versions.json')

const readVersions = (): Record<string, string> => readStateFile(versionsFile(), z.record(z.string(), z.string())) ?? {}

async function fetchTool(lock: Lock, name: ToolName, onBytes?: OnBytes): Promise<string> {
  const archive = `${toolFolder(name, lock.tools[name].version)}.${randomUUID()}.archive`
  try {
    await fetchToolArchive(lock, name, thisPlatform(), archive, onBytes)
    return await installTool(lock, name, archive)
  } finally {
    await rm(archive, { force: true })
  }
}

/** Where the program for a platform comes from. @throws LabError when the lock does not say it. */
export function toolAddress(lock: Lock, name: ToolName, platform: Platform): URL {
  const { url, version } = lock.tools[name]
  if (url) return expandAddress(url, lock.file, { ...platform, version })
  const what = `${name} ${version}`
  throw new LabError({
    found: `no ${what} on PATH`,
    expected: `the version in ${lock.file}, which says no address to fetch it from`,
    next: `install ${what}, or add its url under tools.${name}`,
  })
}

/**
 * Fetches what the publisher gives for a platform, this machine's or another, as it is.
 * @param to where it is put, at once and whole.
 * @throws LabError as `fetchVerified`.
 */
export async function fetchToolArchive(
  lock: Lock,
  name: ToolName,
  platform: Platform,
  to: string,
  onBytes?: OnBytes,
): Promise<void> {
  const { version, checksums, sha256 } = lock.tools[name]
  const what = `${name} ${version}`
  const url = toolAddress(lock, name, platform)
  await fetchVerified({
    what,
    url,
    to,
    sha256: sha256[`${platform.os}-${platform.arch}`],
    published: checksums
      ? () => publishedDigest(what, url, expandAddress(checksums, lock.file, { ...platform, version }))
      : undefined,
    onBytes,
  })
}

/**
 * Unpacks what `fetchToolArchive` fetched for this machine into `.lab/tools`.
 * @param archive may be moved away.
 * @returns the program's absolute path.
 * @throws LabError when the program is not in it.
 */
export async function installTool(lock: Lock, name: ToolName, archive: string): Promise<string> {
  const { version, member } = lock.tools[name]
  const places = { ...thisPlatform(), version }
  const folder = toolFolder(name, version)
  const part = `${folder}.${randomUUID()}.part`
  try {
    await mkdir(part, { recursive: true })
    await unpack(archive, part, name, member && fill(member, places))
    if (!programIn(part, name))
      throw new LabError({
        found: `${toolAddress(lock, name, places).href} holds no program ${name}`,
        expected: member ? `${fill(member, places)} in it` : 'the program itself',
        next: `mend url or member under tools.${name} of ${lock.file}`,
      })
    await rename(part, folder).catch((error: unknown) => {
      // Where another was first, its copy is as good
      if (!programIn(folder, name)) throw error
    })
  } finally {
    await rm(part, { recursive: true, force: true })
  }
  return programIn(folder, name)!
}

const fill = (text: string, places: Platform & { version: string }): string =>
  text.replace(/\{(\w+)\}/g, (place, name: keyof typeof places) => places[name] ?? place)

async function publishedDigest(what: string, url: URL, checksums: URL): Promise<string> {
  const file = url.pathname.split('/').at(-1)!
  const digest = digestInChecksums(await fetchText(`the checksums of ${what}`, checksums), file)
  if (digest) return digest
  throw new LabError({
    found: `${checksums.href} does not list ${file}`,
    expected: `the digest of ${what} by its publisher`,
    next: 'look at the version and the addresses in the lock, or pin the sha256 there',
  })
}

/** @param member as in the lock: a path in the archive, a folder with a slash at the end, or nothing where the file is the program. */
async function unpack(archive: string, folder: string, name: ToolName, member: string | undefined): Promise<void> {
  if (member === undefined) {
    await rename(archive, join(folder, name))
  } else if (member.endsWith('/')) {
    const depth = member.split('/').length - 1
    await extract({ file: archive, cwd: folder, strip: depth, filter: path => plain(path).startsWith(member) })
    return
  } else {
    const depth = member.split('/').length - 1
    await extract({ file: archive, cwd: folder, strip: depth, filter: path => plain(path) === member })
    const program = join(folder, member.split('/').at(-1)!)
    if (existsSync(program)) await rename(program, join(folder, name))
  }
  if (existsSync(join(folder, name))) await chmod(join(folder, name), 0o755)
}

const plain = (path: string): string => path.replace(/^\.\//, '')
