import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { expandUrl, thisPlatform } from '../../../scripts/supplies/platform.ts'
import { chartNames, imageNames, readLock, toolNames } from '../../../shared/lock.ts'
import { projectDir } from '../../../shared/paths.ts'

describe("the lab's own lock", () => {
  const lock = readLock('')

  test('pins every image by version, and every chart by version and digest', () => {
    expect(Object.keys(lock.images).sort()).toEqual([...imageNames].sort())
    for (const name of chartNames) {
      const { url, version, sha256 } = lock.charts[name]
      expect(url).toMatch(/^https:\/\//)
      expect(url.endsWith(`${name}-${version}.tgz`), url).toBe(true)
      expect(sha256, name).toMatch(/^[0-9a-f]{64}$/)
    }
    for (const image of Object.values(lock.images)) expect(image.tag).not.toMatch(/^(latest|main|master)$/)
  })

  test('has a URL and checksums of every program for every platform, without placeholders left', () => {
    for (const name of toolNames)
      for (const platform of [
        thisPlatform('linux', 'x64'),
        thisPlatform('linux', 'arm64'),
        thisPlatform('darwin', 'arm64'),
      ]) {
        const { url, checksums, version } = lock.tools[name]
        for (const address of [url!, checksums!]) {
          const full = expandUrl(address, lock.file, { ...platform, version })
          expect(full.protocol).toBe('https:')
          expect(decodeURI(full.href)).not.toMatch(/[{}]/)
        }
      }
  })

  test("pins the same versions of Pulumi's programs as package.json", () => {
    const { dependencies } = JSON.parse(readFileSync(join(projectDir, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>
    }
    expect(lock.tools.pulumi.version).toBe(dependencies['@pulumi/pulumi'])
    expect(lock.tools['pulumi-resource-command'].version).toBe(dependencies['@pulumi/command'])
    expect(lock.tools['pulumi-resource-kubernetes'].version).toBe(dependencies['@pulumi/kubernetes'])
  })

  test('pins the same Kubernetes version for the node image and kubectl', () => {
    expect(lock.nodeImage.tag).toBe(`v${lock.tools.kubectl.version}`)
    expect(lock.nodeImage.digest).toMatch(/^sha256:/)
  })

  test('is overlaid by entries: an overlay replaces an entry completely', () => {
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

test('package-lock.json includes the optional programs of every system', () => {
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
