import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import semver from 'semver'
import { expect, it } from 'vitest'
import manifest from '../../../package.json' with { type: 'json' }
import lock from '../../../package-lock.json' with { type: 'json' }
import { projectDir } from '../../../shared/paths.ts'
import { newFolder } from '../support/folders.ts'

const changelog = readFileSync(join(projectDir, 'CHANGELOG.md'), 'utf8')
const versionsIn = (text: string): string[] => [...text.matchAll(/^## (.*)$/gm)].map(([, version]) => version!)

it('package.json, its lock file and the changelog name the same version', () => {
  const versions = versionsIn(changelog)
  expect([versions[0], lock.version, lock.packages[''].version]).toEqual(Array(3).fill(manifest.version))
  expect(versions).toEqual(semver.sort([...versions]).reverse())
})

it('changesets write the next version and its changes, as they are, into the changelog', async () => {
  const folder = newFolder()
  for (const path of ['package.json', 'package-lock.json', 'CHANGELOG.md', '.changeset'])
    cpSync(join(projectDir, path), join(folder, path), { recursive: true })
  writeFileSync(join(folder, '.changeset/new.md'), '---\n"tetragon-lab": minor\n---\n\n`./lab up` is faster.\n')
  await execa('git', ['init', '--quiet', '--initial-branch', 'main'], { cwd: folder })
  await execa(join(projectDir, 'node_modules/.bin/changeset'), ['version'], { cwd: folder })

  const written = readFileSync(join(folder, 'CHANGELOG.md'), 'utf8')
  const [next] = versionsIn(written)
  expect(semver.gt(next!, manifest.version)).toBe(true)
  expect(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))).toMatchObject({ version: next })
  expect(written).toContain(`\n- \`./lab up\` is faster.\n`)
  expect(written.endsWith(changelog.slice(changelog.indexOf(`## ${manifest.version}`)))).toBe(true)
  // Every changeset that waits for a release was used.
  expect(readdirSync(join(folder, '.changeset')).toSorted()).toEqual(['README.md', 'changelog.mjs', 'config.json'])
})
