import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { settingsFile, settingsPage } from '../../../scripts/docs/settings-page.ts'
import { LabError } from '../../../shared/lab-error.ts'
import { parseSettings, settingRows, settingsFromConfig } from '../../../shared/settings/schema.ts'
import { readTarget } from '../../../shared/settings/stack-file.ts'
import { newFolder } from '../support/publisher.ts'

/** What a wrong setting says. */
function refusal(given: unknown): LabError {
  try {
    parseSettings(given)
  } catch (error) {
    expect(error).toBeInstanceOf(LabError)
    return error as LabError
  }
  throw new Error(`${JSON.stringify(given)} was accepted`)
}

describe('settings', () => {
  it('are complete without any', () => {
    const settings = parseSettings({})
    expect(settings).toMatchObject({
      cluster: { mode: 'create', name: 'lab' },
      tetragon: { source: 'auto', replay: { eventsPerSecond: 12 } },
      ports: { guestbook: 8080, grafana: 3000, prometheus: 9090, loki: 3100, tetragon: 2112 },
      pipeline: { shipper: 'otel' },
    })
    // No setting without a word on what it does.
    expect(settingRows().filter(row => row.description.length < 10)).toEqual([])
    expect(settingRows().length).toBeGreaterThan(25)
  })

  it('come from a stack’s configuration, section by section', () => {
    const settings = settingsFromConfig({
      'tetragon-lab:traffic': '{"rate":20}',
      'tetragon-lab:guestbook': '{"images":"upstream"}',
      'kubernetes:context': 'not ours',
    })
    expect(settings.traffic.rate).toBe(20)
    expect(settings.guestbook).toMatchObject({ images: 'upstream', frontends: 3 })
  })

  it.each([
    [
      { traffic: { rat: 3 } },
      'unknown setting traffic.rat',
      /nearest is traffic\.rate/,
      /config rm --path tetragon-lab:traffic\.rat/,
    ],
    [{ trafic: {} }, 'unknown setting trafic', /./, /config rm/],
    [
      { tetragon: { source: 'ebpf' } },
      'tetragon.source is "ebpf"',
      /one of auto, live, replay/,
      /config set --path tetragon-lab:tetragon\.source auto/,
    ],
    [{ ports: { grafana: 70000 } }, 'ports.grafana is 70000', /from 1 to 65535/, /ports\.grafana 3000/],
    [{ ports: { grafana: 'x' } }, 'ports.grafana is "x"', /whole number/, /ports\.grafana 3000/],
    [{ ports: { grafana: 8080 } }, 'ports.grafana and ports.guestbook are both 8080', /its own/, /ports\.grafana 8081/],
    [{ cluster: { mode: 'existing' } }, /cluster\.context is empty/, /context of your kubeconfig/, /cluster\.context/],
    [
      { cluster: { name: 'My Lab' } },
      'cluster.name is "My Lab"',
      /lower-case letters, digits and dashes/,
      /cluster\.name lab/,
    ],
    [{ traffic: 5 }, /traffic is 5/, /./, /traffic/],
    [{ pipeline: { siem: { protocol: 'otlp' } } }, /endpoint is empty/, /sent/, /siem\.endpoint/],
    [
      { pipeline: { siem: { protocol: 'otlp', endpoint: 'host:4318' } } },
      'pipeline.siem.endpoint is host:4318',
      /like http:\/\/host:4318/,
      /siem\.endpoint http:\/\/host:4318/,
    ],
    [
      { pipeline: { shipper: 'fluent-bit', siem: { protocol: 'syslog', endpoint: 'tcp://host:514' } } },
      'pipeline.siem.endpoint is tcp://host:514',
      /like host:514/,
      /siem\.endpoint host:514/,
    ],
    [
      { pipeline: { siem: { protocol: 'syslog', endpoint: 'host:514' } } },
      /protocol is syslog, but pipeline\.shipper is otel/,
      /fluent-bit/,
      /pipeline\.shipper fluent-bit/,
    ],
    [{ policies: { apply: 'tcp-connect' } }, 'policies.apply is "tcp-connect"', /a list/, /policies\.apply '\["/],
  ])('refuse %j in three lines', (given, found, expected, next) => {
    const error = refusal(given)
    expect(error.found).toMatch(found)
    expect(error.expected).toMatch(expected)
    expect(error.next).toMatch(next)
    expect(error.lines().join('')).not.toContain('\n')
  })

  it('take a list from its text, which is what `pulumi config set --path` keeps', () => {
    const { tetragon } = parseSettings({ tetragon: { exportDenyList: '[{"namespace":["kube-system"]}]' } })
    expect(tetragon.exportDenyList).toEqual([{ namespace: ['kube-system'] }])
  })

  it('have examples that are allowed', () => {
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

  it('are described by the page that was made from them', () => {
    expect(readFileSync(settingsFile, 'utf8'), 'run: npm run docs').toBe(settingsPage())
  })
})

describe('LabError', () => {
  it('is read back from what another program printed of it', () => {
    const error = new LabError({ found: 'a', expected: 'b', next: './lab up' })
    expect(LabError.parse(`noise\n${error.lines().join('\n')}\nmore`)).toMatchObject({
      found: 'a',
      expected: 'b',
      next: './lab up',
    })
    expect(LabError.parse(`Error: ${error.message}`)).toMatchObject({ found: 'a', expected: 'b', next: './lab up' })
    expect(LabError.parse('nothing of the kind')).toBeUndefined()
  })
})

describe('whose cluster it is, also where other settings are wrong', () => {
  it.each([
    ['tetragon-lab:cluster: {mode: existing, context: school}', 'existing'],
    ['cluster: {mode: existing, context: school}\n  tetragon-lab:traffic: {rat: 3}', 'existing'],
    ['tetragon-lab:cluster: {mode: create}', 'create'],
    ['tetragon-lab:cluster: existing', 'create'],
    ['tetragon-lab:traffic: {rate: 3}', 'create'],
    ['tetragon-lab:cluster: {mode: "exist', 'create'],
  ])('%s', (line, mode) => {
    const file = join(newFolder(), 'Pulumi.dev.yaml')
    writeFileSync(file, `config:\n  ${line}\n`)
    expect(readTarget(file)).toEqual({ mode, context: mode === 'existing' ? 'school' : '' })
  })
})
