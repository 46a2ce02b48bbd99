import { describe, expect, it } from 'vitest'
import { parseSettings, settingsFromConfig } from '../../../../shared/settings/parser.ts'
import { settingRows } from '../../../../shared/settings/setting-rows.ts'

// The errors for wrong settings are in test/unit/commands/bad-input.yaml.

describe('parseSettings', () => {
  it('fills in every default', () => {
    expect(parseSettings({})).toMatchObject({
      cluster: { mode: 'create', name: 'lab' },
      tetragon: { source: 'auto', replay: { eventsPerSecond: 12 } },
      ports: { guestbook: 8080, grafana: 3000, prometheus: 9090, loki: 3100, tetragon: 2112 },
      pipeline: { shipper: 'otel' },
    })
  })

  it('parses a list from text, which is what `pulumi config set --path` stores', () => {
    const { tetragon } = parseSettings({ tetragon: { exportDenyList: '[{"namespace":["kube-system"]}]' } })
    expect(tetragon.exportDenyList).toEqual([{ namespace: ['kube-system'] }])
  })

  it('accepts every example on the settings page', () => {
    const examples = settingRows().filter(row => row.example !== undefined)
    expect(examples.map(row => row.path)).toEqual(
      expect.arrayContaining(['tetragon.redactionFilters', 'tetragon.exportRateLimit', 'pipeline.siem.endpoint']),
    )
    const given: Record<string, Record<string, unknown>> = {}
    for (const { path, example } of examples) {
      const keys = path.split('.')
      const last = keys.pop()!
      const holder = keys.reduce<Record<string, unknown>>((at, key) => {
        at[key] ??= {}
        return at[key] as Record<string, unknown>
      }, given)
      holder[last] = example
    }
    expect(parseSettings(given)).toMatchObject(given)
  })
})

describe('settingsFromConfig', () => {
  it('reads the sections of the lab and ignores those of providers', () => {
    const settings = settingsFromConfig({
      'tetragon-lab:traffic': '{"rate":20}',
      'tetragon-lab:guestbook': '{"images":"upstream"}',
      'kubernetes:context': 'not ours',
    })
    expect(settings.traffic.rate).toBe(20)
    expect(settings.guestbook).toMatchObject({ images: 'upstream', frontends: 3 })
  })
})
