import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { create, list } from 'tar'
import { expect, test } from 'vitest'
import { readTarIndex } from '../../../scripts/bundle/tar.ts'
import { entry, tarBytes } from '../support/bundles.ts'
import { newFolder } from '../support/folders.ts'

const entries = [entry('a.json', '{}'), entry('b/empty', ''), entry('b/block', 'x'.repeat(512)), entry('c', 'end')]

async function archiveFile(bytes?: Buffer): Promise<string> {
  const file = join(newFolder(), 'archive.tar')
  writeFileSync(file, bytes ?? (await tarBytes(entries)))
  return file
}

test('writes an archive that tar reads', async () => {
  const paths: string[] = []
  await list({ file: await archiveFile(), strict: true, onReadEntry: ({ path }) => paths.push(path) })
  expect(paths).toEqual(['a.json', 'b/empty', 'b/block', 'c'])
})

test('writes the same bytes for the same files', async () => {
  expect(await tarBytes(entries)).toEqual(await tarBytes(entries))
})

test('refuses a path that does not fit into one header', async () => {
  await expect(tarBytes([entry('x'.repeat(300), '')])).rejects.toThrow(/does not fit into a tar header/)
})

test('finds the content of every member', async () => {
  const bytes = await tarBytes(entries)
  const { members, cutOff } = (await readTarIndex(await archiveFile(bytes)))!
  expect(cutOff).toBe(false)
  expect([...members.keys()]).toEqual(['a.json', 'b/empty', 'b/block', 'c'])
  const { offset, size } = members.get('c')!
  expect(bytes.subarray(offset, offset + size).toString()).toBe('end')
})

test('reads an archive that tar wrote', async () => {
  const folder = newFolder()
  mkdirSync(join(folder, 'd'))
  writeFileSync(join(folder, 'd/file'), 'content')
  const file = join(newFolder(), 'archive.tar')
  await create({ cwd: folder, file }, ['./d/file'])
  expect([...(await readTarIndex(file))!.members.keys()]).toEqual(['d/file'])
})

test.each([1, 511, 512, 513, 1024, 1600])('lists only complete members of an archive cut off at %i', async length => {
  const bytes = await tarBytes(entries)
  const { members, cutOff } = (await readTarIndex(await archiveFile(bytes.subarray(0, length))))!
  expect(cutOff).toBe(true)
  for (const { offset, size } of members.values()) expect(offset + size).toBeLessThanOrEqual(length)
})

test('recognizes a file that is not an archive', async () => {
  expect(await readTarIndex(await archiveFile(Buffer.from('not an archive'.repeat(100))))).toBeUndefined()
})
