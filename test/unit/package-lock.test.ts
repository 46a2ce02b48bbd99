import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import semver from 'semver'
import { describe, expect, it } from 'vitest'
import { projectDir } from '../../shared/paths.ts'

// What npm puts into node_modules is what was looked at: each package by its digest, from the registry that the user has set, and none of it runs
// a program of its own while it is installed.

interface Locked {
  version?: string
  resolved?: string
  integrity?: string
  link?: boolean
  hasInstallScript?: boolean
}
const read = (file: string) => JSON.parse(readFileSync(join(projectDir, file), 'utf8')) as unknown
const manifest = read('package.json') as Record<'dependencies' | 'devDependencies', Record<string, string>>
const lock = read('package-lock.json') as {
  lockfileVersion: number
  packages: Record<string, Locked & { dependencies?: Record<string, string> }>
}
const { '': root, ...packages } = lock.packages
const entries = Object.entries(packages)
const those = (which: (one: Locked) => boolean): string[] =>
  entries.filter(([, one]) => which(one)).map(([path]) => path)

describe('the lock of npm', () => {
  it('names every package with its digest', () => {
    expect(lock.lockfileVersion).toBe(3)
    expect(entries.length).toBeGreaterThan(100)
    expect(those(({ integrity }) => !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity ?? ''))).toEqual([])
  })

  it('takes packages from whatever registry npm is set to: no address of a machine, a repository or a folder', () => {
    expect(those(({ resolved }) => resolved !== undefined)).toEqual([])
    expect(those(({ link }) => link === true)).toEqual([])
    expect(those(({ version }) => !semver.valid(version))).toEqual([])
  })

  it('knows whose installation would run a program, which the launcher does not let it', () => {
    // Each of them works without: two look for a plugin that the lab fetches itself, one only warns.
    expect(those(({ hasInstallScript }) => hasInstallScript === true)).toEqual([
      'node_modules/@pulumi/command',
      'node_modules/@pulumi/kubernetes',
      'node_modules/protobufjs',
    ])
    const installs = readFileSync(join(projectDir, 'lab'), 'utf8').match(/\bnpm (?:ci|install)\b.*/g) ?? []
    expect(installs.filter(line => line.includes('--no-')).length).toBeGreaterThan(1)
    for (const line of installs.filter(line => line.includes('--no-'))) expect(line).toContain('--ignore-scripts')
  })

  it('is that of package.json, where every version is exact', () => {
    const { dependencies, devDependencies } = manifest
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
      expect(semver.valid(version), name).toBe(version)
      expect(packages[`node_modules/${name}`]?.version, name).toBe(version)
    }
    expect(root).toMatchObject({ dependencies, devDependencies })
  })
})
