import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import semver from 'semver'
import { describe, expect, it } from 'vitest'
import { projectDir } from '../../shared/paths.ts'

// npm installs exactly the reviewed packages, from the user's registry, without running their scripts.

interface Locked {
  version?: string
  resolved?: string
  integrity?: string
  link?: boolean
  hasInstallScript?: boolean
}

/** Reads the lock file of a folder, and returns the paths of the packages in it that match. */
function readLock(folder: string) {
  const read = (file: string) => JSON.parse(readFileSync(join(projectDir, folder, file), 'utf8')) as unknown
  const manifest = read('package.json') as Partial<Record<'dependencies' | 'devDependencies', Record<string, string>>>
  const lock = read('package-lock.json') as { lockfileVersion: number; packages: Record<string, Locked> }
  const { '': root, ...packages } = lock.packages
  const pathsWhere = (matches: (entry: Locked) => boolean): string[] =>
    Object.entries(packages).flatMap(([path, entry]) => (matches(entry) ? [path] : []))
  return { manifest, lock, root, packages, pathsWhere }
}

describe.each(['.', 'site'])('package-lock.json in %s', folder => {
  const { manifest, lock, root, packages, pathsWhere } = readLock(folder)

  it('has a digest for every package', () => {
    expect(lock.lockfileVersion).toBe(3)
    expect(Object.keys(packages).length).toBeGreaterThan(100)
    expect(pathsWhere(({ integrity }) => !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity ?? ''))).toEqual([])
  })

  it('names no registry, repository or folder, so that npm uses the configured registry', () => {
    expect(pathsWhere(({ resolved }) => resolved !== undefined)).toEqual([])
    expect(pathsWhere(({ link }) => link === true)).toEqual([])
    expect(pathsWhere(({ version }) => !semver.valid(version))).toEqual([])
  })

  it('matches package.json, where every version is exact', () => {
    const { dependencies, devDependencies } = manifest
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
      expect(semver.valid(version), name).toBe(version)
      expect(packages[`node_modules/${name}`]?.version, name).toBe(version)
    }
    expect(root).toMatchObject({ dependencies, ...(devDependencies && { devDependencies }) })
  })
})

it('the lab has 3 packages with install scripts, which the launcher does not run', () => {
  // They work without their scripts: two look for a plugin that the lab downloads itself, and one only warns.
  expect(readLock('.').pathsWhere(({ hasInstallScript }) => hasInstallScript === true)).toEqual([
    'node_modules/@pulumi/command',
    'node_modules/@pulumi/kubernetes',
    'node_modules/protobufjs',
  ])
  const installs = readFileSync(join(projectDir, 'lab'), 'utf8').match(/\bnpm (?:ci|install)\b.*/g) ?? []
  expect(installs.filter(line => line.includes('--no-')).length).toBeGreaterThan(1)
  for (const line of installs.filter(line => line.includes('--no-'))) expect(line).toContain('--ignore-scripts')
})
