import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { imageRef } from '../../../shared/lock.ts'
import { parseSettings } from '../../../shared/settings/parser.ts'
import { plan, useBundleTest } from '../support/bundles.ts'
import { newFolder } from '../support/folders.ts'
import { errorOf } from '../support/publisher.ts'

const context = useBundleTest()
beforeEach(() => {
  const { docker, lock, publisher } = context
  for (const image of Object.values(lock.images)) docker.put('host', `${imageRef(image)} - sha256:x`)
  lock.charts['fluent-bit'] = { version: '1.0.0', url: publisher.url('/fluent-bit.tgz') }
})

test('with the source auto it contains the images for live events and for the replay', async () => {
  const { lock } = context
  const { steps, release } = await plan(context, {}, parseSettings({}))
  await release()
  const names = steps.map(({ name }) => name)
  for (const name of ['tetragon', 'tetragon-operator', 'k6', 'node'] as const)
    expect(names).toContain(imageRef(lock.images[name]))
  expect(names).not.toContain(imageRef(lock.images['fluent-bit']))
})

test('with --all it contains every chart and image that some settings need', async () => {
  const { lock } = context
  const { steps, release } = await plan(context, { all: true })
  await release()
  const namesOf = (group: string) => steps.filter(step => step.group.startsWith(group)).map(({ name }) => name)
  expect(namesOf('Images').sort()).toEqual([lock.nodeImage, ...Object.values(lock.images)].map(imageRef).sort())
  expect(namesOf('Charts').sort()).toEqual(
    Object.entries(lock.charts)
      .map(([name, { version }]) => `${name} ${version}`)
      .sort(),
  )
})

test('refuses to run twice for the same bundle', async () => {
  const { release } = await plan(context)
  expect((await errorOf(plan(context))).found).toBe(`Another \`lab bundle create\` is writing ${context.file}`)
  await release()
  await (await plan(context)).release()
})

test('names a folder that does not exist', async () => {
  context.file = join(newFolder(), 'nowhere/lab.bundle')
  const error = await errorOf(plan(context))
  expect(error.found).toBe(`The folder ${join(context.file, '..')} does not exist`)
  expect(error.next).toContain('mkdir -p')
})
