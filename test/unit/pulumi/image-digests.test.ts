import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { withImageDigests } from '../../../scripts/pulumi/image-digests.ts'
import { rememberDigests } from '../../../scripts/supplies/remembered-digests.ts'
import type { Lab } from '../../../shared/lab.ts'
import { imagesOf } from '../../../shared/lab-images.ts'
import { imageRef, readLock } from '../../../shared/lock.ts'
import { parseSettings } from '../../../shared/settings/parser.ts'
import { newFolder } from '../support/folders.ts'

beforeEach(() => {
  vi.stubEnv('LAB_DIR', newFolder())
})
afterEach(() => {
  vi.unstubAllEnvs()
})

const digest = `sha256:${'a'.repeat(64)}`
const settings = parseSettings({ guestbook: { enabled: false } })

/** A lab whose lock has a digest of every image but these. */
function labWithout(...names: string[]): Lab {
  const lock = readLock('')
  const images = Object.entries(lock.images).map(([name, { digest: _, ...image }]) => [
    name,
    names.includes(name) ? image : { ...image, digest },
  ])
  return { settings, source: 'live', lock: { ...lock, images: Object.fromEntries(images) } }
}

it('puts the digest of the lock into every tag', () => {
  const lab = labWithout()
  const pinned = withImageDigests(lab, { preview: false })
  for (const name of imagesOf(lab))
    expect(imageRef(pinned.images[name])).toBe(`${imageRef(lab.lock.images[name])}@${digest}`)
})

it('takes the digest of an earlier pull where the lock has none', async () => {
  const lab = labWithout('loki')
  await rememberDigests({ [imageRef(lab.lock.images.loki)]: digest })
  expect(withImageDigests(lab, { preview: false }).images.loki.tag).toContain(`@${digest}`)
})

it('refuses images without a known digest, but not for a plan', () => {
  const lab = labWithout('loki', 'grafana')
  expect(() => withImageDigests(lab, { preview: false })).toThrow('no digest is known of loki, grafana')
  expect(withImageDigests(lab, { preview: true }).images.loki).toEqual(lab.lock.images.loki)
})
