import { expect, test } from 'vitest'
import { imageRef } from '../../../shared/lock.ts'
import { parseSettings } from '../../../shared/settings/parser.ts'
import { plan, useBundleTest } from '../support/bundles.ts'

const context = useBundleTest()

test('with the source auto it contains the images for live events and for the replay', async () => {
  const { docker, lock } = context
  for (const image of Object.values(lock.images)) docker.put('host', `${imageRef(image)} - sha256:x`)
  const { steps, release } = await plan(context, {}, parseSettings({}))
  await release()
  const names = steps.map(({ name }) => name)
  for (const name of ['tetragon', 'tetragon-operator', 'k6', 'node'] as const)
    expect(names).toContain(imageRef(lock.images[name]))
  expect(names).not.toContain(imageRef(lock.images['fluent-bit']))
})
