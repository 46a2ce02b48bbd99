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
import { expandUrl, fillPlaceholders, type Platform, thisPlatform } from './platform.ts'
import { digestInChecksums } from './published-digests.ts'

/**
 * The arguments with which each program prints its version. Plugins cannot print theirs, so their name on PATH is
 * enough; Pulumi reports an outdated one.
 */
const versionArguments: Partial<Record<ToolName, string[]>> = {
  node: ['--version'],
  pulumi: ['version'],
  kind: ['version'],
  kubectl: ['version', '--client'],
  tetra: ['version'],
}

/**
 * Returns the absolute path of a program: from PATH if it has the pinned version there, else from `.lab/tools`,
 * downloaded if necessary.
 * @throws LabError when the download fails or its digest is wrong.
 */
export async function ensureTool(lock: Lock, name: ToolName, onBytes?: OnBytes): Promise<string> {
  return (await findTool(lock, name)) ?? (await fetchTool(lock, name, onBytes))
}

/** Returns the paths of several programs by name. @throws LabError as `ensureTool`. */
export async function ensureTools(
  lock: Lock,
  names: readonly ToolName[],
  onBytes?: (name: ToolName, ...bytes: Parameters<OnBytes>) => void,
): Promise<Partial<Record<ToolName, string>>> {
  const paths = names.map(name => ensureTool(lock, name, onBytes && ((...bytes) => onBytes(name, ...bytes))))
  const found = await Promise.all(paths)
  return Object.fromEntries(names.map((name, index) => [name, found[index]!]))
}

/** Returns the path of a program that is already on this machine, or undefined. */
export async function findTool(lock: Lock, name: ToolName): Promise<string | undefined> {
  const { version } = lock.tools[name]
  for (const file of programsOnPath(name)) if (versionMatches(name, version, await versionOf(name, file))) return file
  return programIn(toolFolder(name, version), name)
}

const toolFolder = (name: ToolName, version: string): string => labPath('tools', `${name}-${version}`)

/** Returns the program's path: an archive that was unpacked completely has it at the top or in bin. */
const programIn = (folder: string, name: ToolName): string | undefined =>
  [join(folder, name), join(folder, 'bin', name)].find(isProgram)

/** Returns the paths of all programs on PATH with a name, in the order of PATH. */
export const programsOnPath = (name: string): string[] =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .filter(Boolean)
    .map(folder => join(folder, name))
    .filter(isProgram)

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}

/** Returns whether a version is acceptable. kubectl supports servers one minor version away, which saves a download. */
export function versionMatches(name: ToolName, pinned: string, found: string | undefined): boolean {
  if (!(name in versionArguments)) return true
  if (found === undefined) return false
  if (name !== 'kubectl') return found === pinned
  const [major, minor] = found.split('.').map(Number)
  const [pinnedMajor, pinnedMinor] = pinned.split('.').map(Number)
  return major === pinnedMajor && Math.abs(minor! - pinnedMinor!) <= 1
}

/** Returns the version of a program, cached by path, size and time: some take 0.5 s to print it. */
async function versionOf(name: ToolName, file: string): Promise<string | undefined> {
  const args = versionArguments[name]
  if (!args) return undefined
  const real = realpathSync(file)
  const { size, mtimeMs } = statSync(real)
  const key = `${real} ${size} ${mtimeMs}`
  const cached = readVersions()
  if (key in cached) return cached[key]
  const { execa } = await import('execa')
  // Pulumi writes a log for each run, even this one
  const env = { PULUMI_HOME: labPath('pulumi') }
  const { stdout } = await execa(file, args, { env, reject: false, timeout: 10_000 })
  const version = /\bv?(\d+\.\d+\.\d+)\b/.exec(stdout ?? '')?.[1]
  // A failure may be temporary, so it is not cached
  if (version) writeStateFile(versionsFile(), { ...readVersions(), [key]: version })
  return version
}

const versionsFile = (): string => labPath('cache', 'versions.json')

const readVersions = (): Record<string, string> => readStateFile(versionsFile(), z.record(z.string(), z.string())) ?? {}

async function fetchTool(lock: Lock, name: ToolName, onBytes?: OnBytes): Promise<string> {
  const archive = `${toolFolder(name, lock.tools[name].version)}.${randomUUID()}.archive`
  try {
    await downloadToolArchive(lock, name, thisPlatform(), archive, onBytes)
    return await installTool(lock, name, archive)
  } finally {
    await rm(archive, { force: true })
  }
}

/** Returns the URL of a program for a platform. @throws LabError when the lock has none. */
export function toolUrl(lock: Lock, name: ToolName, platform: Platform): URL {
  const { url, version } = lock.tools[name]
  if (url) return expandUrl(url, lock.file, { ...platform, version })
  const what = `${name} ${version}`
  throw new LabError({
    found: `${what} is not on PATH, and ${lock.file} has no URL to download it from`,
    next: `install ${what}, or add its url under tools.${name}`,
  })
}

/** Returns the sha256 that the lock pins for a program on a platform, or undefined. */
export const pinnedToolDigest = (lock: Lock, name: ToolName, { os, arch }: Platform): string | undefined =>
  lock.tools[name].sha256[`${os}-${arch}`]

/**
 * Downloads a program's archive for a platform, this machine's or another, without unpacking it.
 * @param to path of the file, which appears only when it is complete and verified.
 * @throws LabError as `fetchVerified`.
 */
export async function downloadToolArchive(
  lock: Lock,
  name: ToolName,
  platform: Platform,
  to: string,
  onBytes?: OnBytes,
): Promise<void> {
  const { version, checksums } = lock.tools[name]
  const what = `${name} ${version}`
  const url = toolUrl(lock, name, platform)
  await fetchVerified({
    what,
    url,
    to,
    sha256: pinnedToolDigest(lock, name, platform),
    published: checksums
      ? () => publishedDigest(name, what, url, expandUrl(checksums, lock.file, { ...platform, version }))
      : undefined,
    onBytes,
  })
}

/**
 * Unpacks an archive from `downloadToolArchive` for this machine into `.lab/tools`.
 * @param archive is moved where it is the program itself.
 * @returns the program's absolute path.
 * @throws LabError when the archive does not contain the program.
 */
export async function installTool(lock: Lock, name: ToolName, archive: string): Promise<string> {
  const { version, member } = lock.tools[name]
  const memberPath = member && fillPlaceholders(member, { ...thisPlatform(), version })
  const folder = toolFolder(name, version)
  const part = `${folder}.${randomUUID()}.part`
  try {
    await mkdir(part, { recursive: true })
    await unpack(archive, part, name, memberPath)
    if (!programIn(part, name))
      throw new LabError({
        found: `The download ${toolUrl(lock, name, thisPlatform()).href} does not contain the program ${name}`,
        expected: memberPath ? `${memberPath} in the archive` : 'the program itself',
        next: `correct url or member under tools.${name} in ${lock.file}`,
      })
    await rename(part, folder).catch((error: unknown) => {
      // Another process may have unpacked the same program first
      if (!programIn(folder, name)) throw error
    })
  } finally {
    await rm(part, { recursive: true, force: true })
  }
  return programIn(folder, name)!
}

async function publishedDigest(name: ToolName, what: string, url: URL, checksums: URL): Promise<string> {
  const file = url.pathname.split('/').at(-1)!
  const digest = digestInChecksums(await fetchText(`the checksums of ${what}`, checksums), file)
  if (digest) return digest
  throw new LabError({
    found: `The checksum file ${checksums.href} does not list ${file}`,
    next: `correct the version and URLs of ${name} in the lock, or pin its sha256 there`,
  })
}

/**
 * @param member a path in the archive, a folder with a slash at the end, or undefined where the file is the program.
 */
async function unpack(archive: string, folder: string, name: ToolName, member: string | undefined): Promise<void> {
  const program = join(folder, name)
  if (member === undefined) await rename(archive, program)
  else {
    const isFolder = member.endsWith('/')
    const included = (path: string): boolean => {
      const plain = path.replace(/^\.\//, '')
      return isFolder ? plain.startsWith(member) : plain === member
    }
    await extract({ file: archive, cwd: folder, strip: member.split('/').length - 1, filter: included })
    if (isFolder) return
    const unpacked = join(folder, member.split('/').at(-1)!)
    if (existsSync(unpacked)) await rename(unpacked, program)
  }
  if (existsSync(program)) await chmod(program, 0o755)
}
