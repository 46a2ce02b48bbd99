import { expect, test } from 'vitest'
import { requireLiveSource } from '../../../scripts/kernel/event-source.ts'
import { parseSettings } from '../../../shared/settings/parser.ts'

test('a lab that is set to replay has no live source, whatever the kernel can do', async () => {
  await expect(requireLiveSource(parseSettings({ tetragon: { source: 'replay' } }))).rejects.toMatchObject({
    name: 'LabError',
    found: 'No agent can run here: tetragon.source is set to replay',
    next: './lab doctor',
  })
})

test('a lab that is set to live has a live source, without a probe', async () => {
  await expect(requireLiveSource(parseSettings({ tetragon: { source: 'live' } }))).resolves.toBeUndefined()
})
