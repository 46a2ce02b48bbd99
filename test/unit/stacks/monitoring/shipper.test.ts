import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { readLock } from '../../../../shared/lock.ts'
import { exportFile } from '../../../../shared/names.ts'
import { projectDir } from '../../../../shared/paths.ts'
import { parseSettings } from '../../../../shared/settings/parser.ts'
import { derived, eventTypes, fields, streamLabels } from '../../../../stacks/monitoring/fields.ts'
import { fluentBitValues, luaScript } from '../../../../stacks/monitoring/fluent-bit.ts'
import { lokiValues } from '../../../../stacks/monitoring/loki/loki.ts'
import { collectorConfig, otelValues } from '../../../../stacks/monitoring/otel.ts'
import { edgeCaseLines } from '../../../pipeline/support/edge-cases.ts'
import { expectedEvent } from '../../../pipeline/support/expected-event.ts'
import { recordedLines } from '../../../pipeline/support/feed.ts'
import { Lua, literal } from '../../support/lua.ts'

// Checks the configurations of both shippers without running them. `lab test pipeline` runs the real ones.

const lab = (pipeline: object = {}) => ({
  settings: parseSettings({ pipeline }),
  lock: readLock(''),
  source: 'live' as const,
})
const siem = (protocol: 'otlp' | 'syslog', endpoint: string) => ({
  shipper: 'fluent-bit',
  siem: { protocol, endpoint },
})
const golden = (file: string): string => join(projectDir, 'test', 'golden', file)

const fluentBit = (pipeline?: object): Record<string, string> =>
  fluentBitValues(lab(pipeline)).config as Record<string, string>
const collector = collectorConfig(lab())
const collectorText = JSON.stringify(collector)
const underscored = (name: string): string => name.replaceAll('.', '_')

describe('the table of fields', () => {
  const lua = luaScript()

  it.each([...fields.map(({ name }) => name), ...Object.values(derived)])('has both shippers extract %s', name => {
    expect(collectorText).toContain(`log.attributes[\\\\\\"${name}\\\\\\"]`.replaceAll('\\\\\\', '\\'))
    expect(lua).toContain(`"${name}"`)
  })

  it.each(eventTypes)('has both shippers recognize %s events', type => {
    expect(JSON.stringify(collector.receivers)).toContain(`\\"${type}\\"`)
    expect(lua).toContain(`"${type}"`)
  })

  it('keeps every path that the collector reads later', () => {
    const { operators } = collector.receivers['file_log/loki']!
    const kept = (operators.at(-1) as { fields: string[] }).fields.map(field => field.split('.'))
    const lifted = collectorText.matchAll(/log\.attributes\[\\"(event)\\"\]((?:\[(?:\d+|\\"\w+\\")\])+)/g)
    const paths = [...lifted].map(([, event, keys]) => [event!, ...keys!.match(/\w+/g)!])
    expect(paths.length).toBeGreaterThan(fields.length)
    for (const path of paths)
      expect(
        kept.some(([, ...keys]) => keys.every((key, index) => key === path[index])),
        path.join('.'),
      ).toBe(true)
  })

  it('gives Loki and both shippers the same labels', () => {
    const { limits_config } = lokiValues(lab()).loki as {
      limits_config: { otlp_config: { resource_attributes: { attributes_config: { attributes: string[] }[] } } }
    }
    expect(limits_config.otlp_config.resource_attributes.attributes_config).toEqual([
      { action: 'index_label', attributes: streamLabels },
    ])
    const { keys } = collector.processors['groupbyattrs/tetragon']
    expect(['service.name', ...keys].sort()).toEqual([...streamLabels].sort())
    const labels = /^ {4}Labels (.*)$/m.exec(fluentBit().outputs!)![1]!
    expect(labels.split(', ').map(label => label.split('=')[0])).toEqual(streamLabels.map(underscored))
  })

  it('has only four stream labels', () => {
    expect(streamLabels.map(underscored)).toEqual([
      'service_name',
      'tetragon_event_type',
      'k8s_namespace_name',
      'tetragon_policy_name',
    ])
  })
})

describe('the Lua script of Fluent Bit', () => {
  interface Result {
    code: number
    time: { sec: number; nsec: number }
    metadata: { otlp?: { attributes: Record<string, string | number>; severity_number: number; severity_text: string } }
    untouched: boolean
    record: { labels: object; metadata: object; severity?: string; host?: string }
  }
  /** Calls `lift` as Fluent Bit does. */
  const lift = (lua: Lua, record: object): Result =>
    lua.evaluate(`(function()
      local record = ${literal(record)}
      local code, time, metadata, out = lift("tetragon", { sec = 1, nsec = 2 }, {}, {}, record)
      -- Returning the whole line would take most of the time.
      local untouched = out.line == record.line
      out.line = nil
      return { code = code, time = time, metadata = metadata, untouched = untouched, record = out }
    end)()`)
  // A short line, because Lua in JavaScript takes long to read the real one.
  const parsed = (line: string): object => ({ ...(JSON.parse(line) as object), line: 'the line' })

  /** Returns one recorded event of each kind. All of them take 10 s here; `lab test pipeline` sends all. */
  const oneOfEachKind = (): string[] => {
    const byKind = Map.groupBy(recordedLines(), line => {
      const { labels, metadata } = expectedEvent(line)
      const { process_executable_path, tetragon_action, tetragon_signal, tetragon_tags, k8s_workload_name } = metadata
      return [
        ...Object.values(labels),
        process_executable_path,
        tetragon_action,
        tetragon_signal,
        tetragon_tags,
        k8s_workload_name,
      ].join()
    })
    return [...byKind.values()].map(([first]) => first!)
  }

  it('extracts the same as the reference from every kind of recorded event and every edge case', () => {
    const lua = new Lua(luaScript())
    const lines = [...edgeCaseLines(), ...oneOfEachKind()]
    expect(lines.length).toBeGreaterThan(50)
    for (const line of lines) {
      const { code, time, untouched, record } = lift(lua, parsed(line))
      const expected = expectedEvent(line)
      expect({ code, untouched }).toEqual({ code: 1, untouched: true })
      expect(BigInt(time.sec) * 1_000_000_000n + BigInt(time.nsec)).toBe(expected.time)
      expect(record).toEqual({ labels: expected.labels, metadata: expected.metadata })
    }
  })

  it.each([
    ['no event', {}],
    ['text instead of an event', { process_exec: 'text' }],
    ['text instead of a process', { process_exec: { process: 'text' } }],
    ['tags that are not text', { process_kprobe: { tags: [{}, 1], args: 5 } }],
    ['an invalid time', { process_exec: { process: { pid: 1 } }, time: 'yesterday' }],
    ['a number instead of a name', { process_kprobe: { policy_name: 7, function_name: {} } }],
  ])('passes on a record with %s', (_, record) => {
    const lua = new Lua(luaScript())
    const { code, time, untouched, record: out } = lift(lua, { line: 'as it was', ...record })
    expect({ code, untouched }).toEqual({ code: 1, untouched: true })
    expect(time).toEqual({ sec: 1, nsec: 2 })
    expect(out.metadata).toMatchObject({ severity_text: 'info', severity_number: '9' })
  })

  it('adds the attributes that an OTLP endpoint needs', () => {
    const lua = new Lua(luaScript('otlp'))
    const line = recordedLines(1)[0]!
    const { metadata, record } = lift(lua, parsed(line))
    const { labels, metadata: known } = expectedEvent(line)
    const { severity_text, severity_number, ...others } = known
    expect(metadata.otlp).toMatchObject({ severity_text, severity_number: Number(severity_number) })
    const attributes = Object.entries(metadata.otlp!.attributes).map(([name, value]) => [underscored(name), `${value}`])
    expect(Object.fromEntries(attributes)).toEqual({ ...labels, ...others })
    expect(typeof metadata.otlp!.attributes['process.pid']).toBe('number')
    expect(record.labels).toEqual(labels)
  })

  it('adds the severity and host that syslog needs', () => {
    const lua = new Lua(luaScript('syslog'))
    const overridden = edgeCaseLines().find(line => line.includes('severity.high'))!
    expect(lift(lua, parsed(overridden)).record).toMatchObject({ severity: '3', host: 'lab-control-plane' })
  })
})

describe('no event is lost between the file and Loki:', () => {
  it('the collector queues on disk and retries forever', () => {
    const { extraArgs } = (otelValues(lab()) as { command: { extraArgs: string[] } }).command
    // Without it, up to 100 lines are only in memory although the checkpoint is after them.
    expect(extraArgs).toContain('--feature-gates=stanza.synchronousLogEmitter')
    expect(Object.keys(collector.processors)).not.toContain('batch')
    for (const exporter of Object.values(collector.exporters)) {
      expect(exporter.sending_queue).toMatchObject({ storage: 'file_storage', block_on_overflow: true })
      expect(exporter.retry_on_failure.max_elapsed_time).toBe('0s')
    }
    for (const receiver of Object.values(collector.receivers)) {
      expect(receiver).toMatchObject({ storage: 'file_storage', start_at: 'beginning' })
      expect(receiver.retry_on_failure.max_elapsed_time).toBe('0s')
    }
  })

  it('Fluent Bit queues on disk and retries forever', () => {
    const { inputs, outputs } = fluentBit()
    expect(inputs).toMatch(/storage\.type filesystem/)
    expect(inputs).toMatch(/ DB \/var\/lib\/fluent-bit\//)
    expect(outputs).toMatch(/Retry_Limit no_limits/)
  })

  it('both shippers read rotated files', () => {
    const pattern = new RegExp(`^${exportFile.pattern.replaceAll('.', '\\.').replace('*', '.*')}$`)
    expect(exportFile.name).toMatch(pattern)
    expect('tetragon-2026-11-21T09-27-49.127.log').toMatch(pattern)
    expect('replay.json').not.toMatch(pattern)
    const path = `${exportFile.directory}/${exportFile.pattern}`
    expect(collector.receivers['file_log/loki']!.include).toEqual([path])
    expect(fluentBit().inputs).toContain(` Path ${path}\n`)
  })

  it('Loki accepts the longest line that a shipper sends', () => {
    const { limits_config } = lokiValues(lab()).loki as { limits_config: { max_line_size: string } }
    const bytes = (size: unknown): number => {
      const [, count, unit] = /^(\d+)(Mi?B?)$/.exec(String(size)) ?? []
      return Number(count) * (unit === 'MiB' ? 1024 ** 2 : 1000 ** 2)
    }
    const buffer = / Buffer_Max_Size (\S+)/.exec(fluentBit().inputs!)?.[1]
    const longest = [collector.receivers['file_log/loki']!.max_log_size, buffer].map(bytes)
    for (const size of longest) expect(size).toBeLessThanOrEqual(bytes(limits_config.max_line_size))
  })

  it('the collector tells files apart by more bytes than the longest event has', () => {
    // Two events of one process can differ only near their end, where the time is.
    const longest = Math.max(...recordedLines().map(line => Buffer.byteLength(line)))
    expect(collector.receivers['file_log/loki']!.fingerprint_size).toBe('16KiB')
    expect(longest).toBeLessThan(16 * 1024)
  })
})

describe('a SIEM', () => {
  it('has its own reader, so that it cannot delay Loki', () => {
    const { service, exporters } = collectorConfig(lab({ siem: { protocol: 'otlp', endpoint: 'http://siem:4318' } }))
    expect(exporters['otlp_http/siem']).toMatchObject({ endpoint: 'http://siem:4318' })
    expect(service.pipelines).toMatchObject({
      'logs/loki': { receivers: ['file_log/loki'], exporters: ['otlp_http/loki'] },
      'logs/siem': { receivers: ['file_log/siem'], exporters: ['otlp_http/siem'] },
    })
  })

  it.each([
    [
      'otlp',
      'https://siem.example.org:4318/base',
      ['Host siem.example.org', 'Port 4318', 'Tls On', 'Logs_uri /base/v1/logs'],
    ],
    ['otlp', 'https://siem.example.org', ['Host siem.example.org', 'Port 443', 'Tls On', 'Logs_uri /v1/logs']],
    ['otlp', 'http://10.0.0.1:4318', ['Host 10.0.0.1', 'Port 4318', 'Tls Off', 'Logs_uri /v1/logs']],
    ['syslog', 'siem.example.org:514', ['Host siem.example.org', 'Port 514', 'Mode tcp', 'Syslog_Format rfc5424']],
  ] as const)('is an output of Fluent Bit with its own reader: %s %s', (protocol, endpoint, lines) => {
    const { inputs, outputs } = fluentBit(siem(protocol, endpoint))
    const [, second] = outputs!.split('[OUTPUT]').slice(1)
    // Its own tag and checkpoint.
    const of = (text: string, key: string) =>
      [...text.matchAll(new RegExp(`^ +${key} (.*)$`, 'gm'))].map(([, value]) => value)
    expect(of(outputs!, 'Match')).toEqual(of(inputs!, 'Tag'))
    expect(new Set([...of(inputs!, 'Tag'), ...of(inputs!, 'DB')]).size).toBe(4)
    for (const line of lines) expect(second).toContain(`    ${line}\n`)
  })
})

describe('the configuration', () => {
  const conf = (pipeline?: object): string => {
    const { service, inputs, filters, outputs, customParsers } = fluentBit(pipeline)
    return `${[service, inputs, filters, outputs, customParsers].join('\n')}\n`
  }

  it('of the collector equals the golden file', async () => {
    await expect(stringify(collector, { lineWidth: 0 })).toMatchFileSnapshot(golden('collector.yaml'))
  })
  it('of Fluent Bit equals the golden files', async () => {
    await expect(conf()).toMatchFileSnapshot(golden('fluent-bit.conf'))
    await expect(conf(siem('syslog', 'host:514'))).toMatchFileSnapshot(golden('fluent-bit-syslog.conf'))
    await expect(luaScript()).toMatchFileSnapshot(golden('lift.lua'))
  })
})
