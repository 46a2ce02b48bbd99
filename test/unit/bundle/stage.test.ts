import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { Stage } from '../../../scripts/bundle/stage.ts'
import { newFolder } from '../support/folders.ts'
import { sha256 } from '../support/publisher.ts'

let folder: string
let stage: Stage
beforeEach(async () => {
  folder = newFolder()
  stage = await Stage.open(folder)
})

async function addMember(path: string, content: string): Promise<void> {
  const file = stage.temporaryFile()
  writeFileSync(file, content)
  await stage.addMember(file, path)
}

test('a later run finds finished members and images', async () => {
  await addMember('charts/a.tgz', 'a')
  stage.addImage('key', { source: 'id', config: 'charts/a.tgz', layers: [] })
  const later = await Stage.open(folder)
  expect(later.member('charts/a.tgz')).toEqual({ size: 1, sha256: sha256('a') })
  expect(later.image('key')?.source).toBe('id')
})

test('a later run drops changed members, and images that contain them', async () => {
  await addMember('config', 'a')
  await addMember('layer', 'b')
  stage.addImage('key', { source: 'id', config: 'config', layers: ['layer'] })
  writeFileSync(stage.file('layer'), 'x')
  const later = await Stage.open(folder)
  expect(later.member('layer')).toBeUndefined()
  expect(later.member('config')).toBeDefined()
  expect(later.image('key')).toBeUndefined()
})

test('a later run deletes unfinished files', async () => {
  writeFileSync(stage.temporaryFile(), 'half')
  writeFileSync(join(folder, '.9.part'), 'half')
  const later = await Stage.open(folder)
  expect(existsSync(later.temporaryFile())).toBe(false)
  expect(existsSync(join(folder, '.9.part'))).toBe(false)
})

test('starts again with a damaged journal', async () => {
  await addMember('a', 'a')
  writeFileSync(join(folder, 'journal.json'), '{"members":')
  expect((await Stage.open(folder)).member('a')).toBeUndefined()
})
