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

  it('accepts numbers and booleans as text: `pulumi config set --path` stores 0.5 as "0.5"', () => {
    const settings = parseSettings({
      traffic: { rate: '0.5', enabled: 'false' },
      ports: { grafana: '3001' },
      tetragon: { exportRateLimit: '-1' },
      grafana: { password: '123' },
    })
    expect(settings.traffic).toMatchObject({ rate: 0.5, enabled: false })
    expect(settings.ports.grafana).toBe(3001)
    expect(settings.tetragon.exportRateLimit).toBe(-1)
    // A setting that is text stays text.
    expect(settings.grafana.password).toBe('123')
  })

  it.each([
    ['half', { rate: 'half' }],
    ['an empty text', { rate: '' }],
    ['a number out of range', { rate: '0' }],
    ['an exponent', { rate: '1e3' }],
  ])('still refuses %s', (_, traffic) => {
    expect(() => parseSettings({ traffic })).toThrow('traffic.rate is')
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
