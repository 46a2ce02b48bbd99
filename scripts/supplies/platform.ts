import { dirname, isAbsolute, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { LabError } from '../../shared/lab-error.ts'

/** This machine in the words of those who publish programs. */
export interface Platform {
  /** linux or darwin. */
  os: string
  /** amd64 or arm64. */
  arch: string
  /** x64 or arm64. */
  cpu: string
}

/** @throws LabError on anything but Linux and macOS on amd64 and arm64. */
export function thisPlatform(os: string = process.platform, cpu: string = process.arch): Platform {
  const arch = { x64: 'amd64', arm64: 'arm64' }[cpu]
  if (!arch || (os !== 'linux' && os !== 'darwin'))
    throw new LabError({
      found: `this machine is ${os} on ${cpu}`,
      expected: 'Linux or macOS on amd64 or arm64',
      next: os === 'win32' ? 'run the lab inside WSL: wsl --install' : 'use another machine, or a virtual one',
    })
  return { os, arch, cpu }
}

/** What to call a platform, as in linux/amd64. */
export const platformName = ({ os, arch }: Platform): string => `${os}/${arch}`

/** Reads such a name. @throws LabError, as wrong usage, for one that the lab does not run on. */
export function parsePlatform(name: string): Platform {
  const [, os, arch] = /^(linux|darwin)\/(amd64|arm64)$/.exec(name.trim()) ?? []
  if (os && arch) return { os, arch, cpu: arch === 'amd64' ? 'x64' : arch }
  throw new LabError({
    found: `the platform ${name}`,
    expected: 'linux/amd64, linux/arm64, darwin/amd64 or darwin/arm64; several with commas between',
    next: './lab bundle create lab.bundle --platform linux/amd64,darwin/arm64',
    exitCode: 2,
  })
}

/**
 * An address of a lock file made ready for use: `{version}`, `{os}`, `{arch}`, `{cpu}` and `${ENVIRONMENT}` replaced, and a path turned
 * into a file address, relative to the folder of the lock.
 * @throws LabError for an environment variable that is not set.
 */
export function expandAddress(
  text: string,
  lockFile: string,
  places: Partial<Platform & { version: string }> = {},
): URL {
  const full = text
    .replace(/\$\{(\w+)\}/g, (_, name: string) => {
      const value = process.env[name]
      if (value) return value
      throw new LabError({
        found: `${name} is not set, and ${lockFile} needs it for ${text}`,
        expected: `the environment variable ${name}`,
        next: `export ${name}=…, or use another lock: --lock FILE`,
      })
    })
    .replace(/\{(version|os|arch|cpu)\}/g, (place, name: keyof typeof places) => places[name] ?? place)
  if (/^(https?|file):/.test(full)) return new URL(full)
  return pathToFileURL(isAbsolute(full) ? full : resolve(dirname(lockFile), full))
}
