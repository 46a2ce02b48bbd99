import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { editYaml } from '../../../scripts/pins/yaml-edit.ts'
import { projectDir } from '../../../shared/paths.ts'

const lock = readFileSync(join(projectDir, 'lab.lock.yaml'), 'utf8')

/** Returns the lines of a text that another one does not have. */
const newLines = (before: string, after: string): string[] =>
  after.split('\n').filter(line => !before.split('\n').includes(line))

test('replaces values in the lock file and leaves every other line as it is', () => {
  const edited = editYaml(lock, [
    { path: ['charts', 'loki', 'version'], value: '99.1.0' },
    { path: ['images', 'loki', 'tag'], value: '99.2.0' },
    { path: ['images', 'loki', 'digest'], value: `sha256:${'a'.repeat(64)}`, after: 'tag' },
    { path: ['tools', 'kind', 'version'], value: '99.3.0' },
  ])
  expect(newLines(lock, edited)).toEqual([
    '    version: 99.1.0',
    `  loki: { repository: docker.io/grafana/loki, tag: 99.2.0, digest: sha256:${'a'.repeat(64)} }`,
    '    version: 99.3.0',
  ])
  expect(edited.split('\n')).toHaveLength(lock.split('\n').length)
})

test('adds a missing key after another one, with the same indentation', () => {
  const text = '# top\na:\n  b: 1 # one\n  c: 2\n'
  expect(editYaml(text, [{ path: ['a', 'x'], value: 'y', after: 'b' }])).toBe(
    '# top\na:\n  b: 1 # one\n  x: y\n  c: 2\n',
  )
  expect(editYaml(text, [{ path: ['a', 'x'], value: 'y' }])).toBe('# top\na:\n  b: 1 # one\n  c: 2\n  x: y\n')
})

test('quotes what YAML would read as another kind of value', () => {
  const edited = editYaml('a: { b: v1.9, c: [x], d: 1 }\n', [
    { path: ['a', 'b'], value: '1.10' },
    { path: ['a', 'c'], value: ['/bin/sh', '--port=8080', 'true'] },
    { path: ['a', 'd'], value: 65532 },
    { path: ['a', 'e'], value: 'file://${FOLDER}/a, b' },
  ])
  expect(parse(edited)).toEqual({
    a: { b: '1.10', c: ['/bin/sh', '--port=8080', 'true'], d: 65532, e: 'file://${FOLDER}/a, b' },
  })
})

test('refuses a value below a mapping that does not exist', () => {
  expect(() => editYaml('a: 1\n', [{ path: ['b', 'c'], value: 'x' }])).toThrow('There is nothing at b')
})
