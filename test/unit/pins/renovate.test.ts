import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { RE2JS } from 're2js'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { imagesOfCharts, listPins, npmPackages, pinIds } from '../../../scripts/pins/pins.ts'
import { type Lock, readLock } from '../../../shared/lock.ts'
import { projectDir } from '../../../shared/paths.ts'

// Applies .github/renovate.json to the lock file as Renovate does: with RE2, and by replacing in the matched text. Whether
// Renovate accepts the file is for its own validator, in CI: npm run check:renovate.

interface CustomManager {
  managerFilePatterns: string[]
  matchStrings: string[]
  datasourceTemplate: string
  depNameTemplate?: string
  packageNameTemplate?: string
}
interface PackageRule {
  matchDepNames?: string[]
  groupName?: string
  enabled?: boolean
  allowedVersions?: string
}
const config = JSON.parse(readFileSync(join(projectDir, '.github', 'renovate.json'), 'utf8')) as {
  customManagers: CustomManager[]
  packageRules: PackageRule[]
}
const groupNames = ['pin', 'depName', 'packageName', 'currentValue', 'currentDigest', 'registryUrl']

interface Dependency {
  depName: string
  packageName: string
  datasource: string
  currentValue: string
  currentDigest?: string
  registryUrl?: string
  /** The matched text, in which Renovate replaces. */
  replaceString: string
}

/** Extracts the dependencies of a file as Renovate's regex manager does. */
function extract(file: string): Dependency[] {
  const text = readFileSync(join(projectDir, file), 'utf8')
  return config.customManagers
    .filter(({ managerFilePatterns }) =>
      managerFilePatterns.some(pattern => new RegExp(pattern.slice(1, -1)).test(file)),
    )
    .flatMap(manager => manager.matchStrings.flatMap(pattern => matches(pattern, text).map(toDependency(manager))))
}

type Match = Record<string, string | undefined> & { replaceString: string }

function matches(pattern: string, text: string): Match[] {
  const matcher = RE2JS.compile(pattern).matcher(text)
  const known = groupNames.filter(name => pattern.includes(`(?<${name}>`))
  const found: Match[] = []
  while (matcher.find()) {
    const groups = Object.fromEntries(known.map(name => [name, matcher.group(name) ?? undefined]))
    found.push({ ...groups, replaceString: matcher.group()! })
  }
  return found
}

const toDependency =
  ({ depNameTemplate, packageNameTemplate, datasourceTemplate }: CustomManager) =>
  (match: Match): Dependency => {
    const fill = (template: string): string => template.replace(/\{\{\{(\w+)\}\}\}/g, (_, name: string) => match[name]!)
    const depName = depNameTemplate ? fill(depNameTemplate) : match.depName!
    const packageName = packageNameTemplate ?? match.packageName ?? depName
    const { currentValue, currentDigest, registryUrl, replaceString } = match
    return {
      depName,
      packageName,
      datasource: datasourceTemplate,
      currentValue: currentValue!,
      currentDigest,
      registryUrl,
      replaceString,
    }
  }

const lock = readLock('')
const text = readFileSync(lock.file, 'utf8')
const dependencies = extract('lab.lock.yaml')
const dependency = (name: string): Dependency => dependencies.find(({ depName }) => depName === name)!

describe('Renovate', () => {
  test('finds every pin of the lock file once, under its place there', () => {
    expect(dependencies.map(({ depName }) => depName).toSorted()).toEqual(pinIds.toSorted())
  })

  test.each(listPins(lock).map(pin => [pin.id, pin] as const))('finds the version and digest of %s', (id, pin) => {
    const { currentValue, currentDigest, packageName, datasource, registryUrl } = dependency(id)
    expect(currentValue).toBe(pin.version)
    switch (pin.kind) {
      case 'chart':
        expect({ datasource, packageName, currentDigest }).toEqual({
          datasource: 'helm',
          packageName: pin.name,
          currentDigest: lock.charts[pin.name].sha256,
        })
        expect(`${registryUrl}/index.yaml`).toBe(lock.charts[pin.name].index)
        break
      case 'image':
      case 'node image': {
        const image = pin.kind === 'image' ? lock.images[pin.name] : lock.nodeImage
        expect({ datasource, packageName, currentDigest }).toEqual({
          datasource: 'docker',
          packageName: image.repository,
          currentDigest: image.digest,
        })
        break
      }
      case 'tool':
        if (datasource === 'github-releases' && id !== 'tools.kubectl')
          expect(lock.tools[pin.name].url).toContain(`https://github.com/${packageName}/releases/download/v{version}/`)
        else
          expect([datasource, packageName]).toEqual(
            id === 'tools.node' ? ['node-version', 'node'] : ['github-releases', 'kubernetes/kubernetes'],
          )
    }
  })

  test.each(dependencies.map(each => [each.depName, each] as const))(
    'writes a new version of %s, and nothing else',
    (id, { replaceString, currentValue, currentDigest }) => {
      expect(text.split(replaceString)).toHaveLength(2)
      const digest = currentDigest?.replace(/[0-9a-f]{64}/, 'e'.repeat(64))
      let replaced = replaceString.replaceAll(currentValue, '99.8.7')
      if (currentDigest) replaced = replaced.replaceAll(currentDigest, digest!)
      const changed = parse(text.replace(replaceString, () => replaced)) as Lock
      const expected = JSON.parse(JSON.stringify(parse(text))) as Record<string, never>
      const entry = id.split('.').reduce<Record<string, string>>((at, key) => at[key] as never, expected)
      for (const key of ['version', 'tag', 'url'])
        if (entry[key]) entry[key] = entry[key].replaceAll(currentValue, '99.8.7')
      for (const key of ['sha256', 'digest']) if (digest && entry[key]) entry[key] = digest
      expect(changed).toEqual(expected)
    },
  )

  const rules = config.packageRules
  const disabled = rules.filter(({ enabled }) => enabled === false).flatMap(({ matchDepNames = [] }) => matchDepNames)
  const groups = rules.filter(({ groupName }) => groupName).map(({ matchDepNames = [] }) => matchDepNames.toSorted())

  test('leaves alone what lab pins leaves alone: pins that stay, and those that kind decides', () => {
    const pins = listPins(lock)
    const held = pins.filter(({ held, follows }) => held || follows === 'tools.kind').map(({ id }) => id)
    expect(disabled.toSorted()).toEqual(held.toSorted())
  })

  test('moves in one pull request what lab pins moves together', () => {
    for (const [chart, images] of Object.entries(imagesOfCharts)) {
      const members = [
        `charts.${chart}`,
        ...images.map(name => `images.${name}`),
        ...(chart === 'tetragon' ? ['tools.tetra'] : []),
      ]
      expect(groups).toContainEqual(members.toSorted())
    }
    for (const [tool, npm] of Object.entries(npmPackages))
      expect(groups).toContainEqual([`tools.${tool}`, npm].toSorted())
  })

  test('names only pins and packages that exist', () => {
    const { dependencies: npm } = JSON.parse(readFileSync(join(projectDir, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>
    }
    const known = [...pinIds, ...Object.keys(npm)]
    expect(rules.flatMap(({ matchDepNames = [] }) => matchDepNames).filter(name => !known.includes(name))).toEqual([])
  })

  test('updates its own validator, which package.json runs with npx', () => {
    expect(extract('package.json')).toMatchObject([{ depName: 'renovate', datasource: 'npm' }])
  })
})
