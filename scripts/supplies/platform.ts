import { dirname, isAbsolute, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { LabError } from '../../shared/lab-error.ts'

/** An operating system and processor, in the words that publishers use. */
export interface Platform {
  /** linux or darwin. */
  os: string
  /** amd64 or arm64. */
  arch: string
  /** x64 or arm64. */
  cpu: string
}

/** Returns this machine's platform. @throws LabError on anything but Linux and macOS on amd64 and arm64. */
export function thisPlatform(os: string = process.platform, cpu: string = process.arch): Platform {
  const arch = { x64: 'amd64', arm64: 'arm64' }[cpu]
  if (!arch || (os !== 'linux' && os !== 'darwin'))
    throw new LabError({
      found: `The lab does not run on ${os} with ${cpu}`,
      expected: 'Linux or macOS on amd64 or arm64',
      next: os === 'win32' ? 'run the lab inside WSL: wsl --install' : 'use another machine or a VM',
    })
  return { os, arch, cpu }
}

/** Returns the name of a platform, for example linux/amd64. */
export const platformName = ({ os, arch }: Platform): string => `${os}/${arch}`

/**
 * Reads platform names separated by commas.
 * @throws LabError (wrong usage) for a platform that the lab does not support.
 */
export const parsePlatforms = (text: string): Platform[] =>
  [...new Set(text.split(',').map(name => name.trim()))].filter(Boolean).map(parsePlatform)

function parsePlatform(name: string): Platform {
  const [, os, arch] = /^(linux|darwin)\/(amd64|arm64)$/.exec(name) ?? []
  if (os && arch) return { os, arch, cpu: arch === 'amd64' ? 'x64' : arch }
  throw new LabError({
    found: `The lab does not run on the platform ${name}`,
    expected: 'linux/amd64, linux/arm64, darwin/amd64 or darwin/arm64, separated by commas',
    next: './lab bundle create lab.bundle --platform linux/amd64,darwin/arm64',
    exitCode: 2,
  })
}

/** The values of the placeholders in a lock file. */
export type Placeholders = Partial<Platform & { version: string }>

/** Replaces `{version}`, `{os}`, `{arch}` and `{cpu}`. */
export const fillPlaceholders = (text: string, values: Placeholders): string =>
  text.replace(/\{(version|os|arch|cpu)\}/g, (placeholder, name: keyof Placeholders) => values[name] ?? placeholder)

/**
 * Returns the URL that a lock file gives, with its placeholders and `${ENVIRONMENT}` variables replaced. A path becomes
 * a file URL; a relative one starts in the folder of the lock file.
 * @throws LabError for an environment variable that is not set.
 */
export function expandUrl(text: string, lockFile: string, values: Placeholders = {}): URL {
  const withEnvironment = text.replace(/\$\{(\w+)\}/g, (_, name: string) => {
    const value = process.env[name]
    if (value) return value
    throw new LabError({
      found: `The environment variable ${name} is not set, but ${lockFile} needs it for ${text}`,
      next: `export ${name}=…, or use another lock: --lock FILE`,
    })
  })
  const expanded = fillPlaceholders(withEnvironment, values)
  if (/^(https?|file):/.test(expanded)) return new URL(expanded)
  return pathToFileURL(isAbsolute(expanded) ? expanded : resolve(dirname(lockFile), expanded))
}
