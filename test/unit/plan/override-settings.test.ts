import { expect, it } from 'vitest'
import { overrideSettings } from '../../../scripts/plan/override-settings.ts'

it('replaces and adds settings without changing the original', () => {
  const sections = { tetragon: { source: 'auto', runtimeHooks: false } }
  expect(overrideSettings(sections, ['tetragon.runtimeHooks=true', 'traffic.rate=5', 'cluster.name=lab-2'])).toEqual({
    tetragon: { source: 'auto', runtimeHooks: true },
    traffic: { rate: 5 },
    cluster: { name: 'lab-2' },
  })
  expect(sections.tetragon.runtimeHooks).toBe(false)
})

it.each(['tetragon', 'tetragon.source', '=live', ''])('refuses `--set %s`', change => {
  expect(() => overrideSettings({}, [change])).toThrow(/SETTING=VALUE/)
})
