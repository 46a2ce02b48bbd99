import type { Lab } from '../../shared/lab.ts'
import { imageParts } from '../../shared/lock.ts'
import { exportFile, shipperStorage } from '../../shared/names.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { everyNode, priorityClass, updateStrategy } from '../availability.ts'
import { restrictedRoot } from '../pods.ts'
import type { Values } from '../release.ts'
import {
  addressPaths,
  argumentPaths,
  blocked,
  derived,
  eventTypes,
  fields,
  serviceName,
  severities,
  socketPath,
  streamLabels,
} from './fields.ts'
import { lokiUrl } from './loki/url.ts'

type Siem = Settings['pipeline']['siem']['protocol']

const storage = shipperStorage.fluentBit

/** Returns the values of the Fluent Bit chart. */
export function fluentBitValues(lab: Lab): Values {
  const { registry, repository, tag } = imageParts(lab.lock.images['fluent-bit'])
  const onlyLoki = lab.settings.pipeline.siem.protocol === 'none'
  return {
    kind: 'DaemonSet',
    image: { repository: `${registry}/${repository}`, tag },
    testFramework: { enabled: false },
    ...everyNode(lab.settings),
    ...priorityClass(lab.settings, 'node'),
    ...updateStrategy(lab.settings),
    // Events already name the Pod, so the API server is not needed.
    rbac: { create: false },
    serviceAccount: { automountServiceAccountToken: false },
    // Root owns the event file, with mode 0600.
    securityContext: restrictedRoot,
    resources: { requests: { cpu: '20m', memory: '32Mi' }, limits: { memory: onlyLoki ? '192Mi' : '320Mi' } },
    // The chart would mount all logs of the node.
    daemonSetVolumes: [
      { name: 'events', hostPath: { path: exportFile.directory, type: 'DirectoryOrCreate' } },
      { name: 'storage', hostPath: { path: storage, type: 'DirectoryOrCreate' } },
    ],
    daemonSetVolumeMounts: [
      { name: 'events', mountPath: exportFile.directory, readOnly: true },
      { name: 'storage', mountPath: storage },
    ],
    luaScripts: { 'lift.lua': luaScript(lab.settings.pipeline.siem.protocol) },
    config: {
      service: section('SERVICE', {
        Daemon: 'Off',
        // In seconds. After a kill, events in transit are sent again, so keep them few.
        Flush: '0.5',
        Log_Level: 'warn',
        HTTP_Server: 'On',
        HTTP_Listen: '0.0.0.0',
        HTTP_Port: '2020',
        Health_Check: 'On',
        // The queue: an event is on disk before its position in Tetragon's file is saved, until the destination accepts
        // it.
        'storage.path': `${storage}/queue`,
        'storage.sync': 'normal',
        'storage.backlog.mem_limit': '16M',
        // Number of chunks (2 MB at most) in memory; the others wait on disk. An attempt to reach a SIEM that is down
        // keeps its chunk in memory for 10 s, so there must be room for Loki's chunks.
        'storage.max_chunks_up': onlyLoki ? '16' : '64',
        // Seconds between attempts: first and maximum. By default they grow to 30 minutes.
        'scheduler.base': '1',
        'scheduler.cap': '15',
        Parsers_File: '/fluent-bit/etc/conf/custom_parsers.conf',
      }),
      // The script parses the time, because it keeps nanoseconds.
      customParsers: section('PARSER', { Name: 'tetragon', Format: 'json' }),
      inputs: (onlyLoki ? [readers.loki] : [readers.loki, readers.siem]).map(tail).join('\n'),
      filters: [
        section('FILTER', {
          Name: 'parser',
          Match: 'tetragon*',
          Key_Name: 'line',
          Parser: 'tetragon',
          Preserve_Key: 'On',
          Reserve_Data: 'On',
        }),
        section('FILTER', {
          Name: 'lua',
          Match: 'tetragon*',
          script: '/fluent-bit/scripts/lift.lua',
          call: 'lift',
          time_as_table: 'On',
        }),
      ].join('\n'),
      outputs: [lokiOutput(lab.settings), ...siemOutput(lab)].join('\n'),
    },
  }
}

interface Reader {
  /** Tag of its events, from the file to the destination. */
  tag: string
  /** File on the node with its checkpoint. */
  position: string
  /** Name in its metrics, instead of `tail` and a number. */
  alias?: string
}

/**
 * Each destination has its own reader. A chunk for two destinations stays in memory until both have accepted it, so one
 * that is down would soon block both. A chunk for one destination waits on disk.
 */
const readers: Record<'loki' | 'siem', Reader> = {
  loki: { tag: 'tetragon', position: 'position.db' },
  siem: { tag: 'tetragon.siem', position: 'position-siem.db', alias: 'siem' },
}

const tail = ({ tag, position, alias }: Reader): string =>
  section('INPUT', {
    Name: 'tail',
    ...(alias && { Alias: alias }),
    // Includes rotated files, so that the last lines before a rotation are read even if Fluent Bit was down at that
    // moment.
    Path: `${exportFile.directory}/${exportFile.pattern}`,
    // A rotated file still matches the pattern. If Fluent Bit forgot it, it would read it again from the start.
    Rotate_Wait: String(365 * 24 * 3600),
    Tag: tag,
    Key: 'line',
    Read_from_Head: 'On',
    DB: `${storage}/${position}`,
    // Events with ancestors and namespaces are long.
    Buffer_Chunk_Size: '256k',
    Buffer_Max_Size: '2M',
    Skip_Long_Lines: 'On',
    Refresh_Interval: '1',
    'storage.type': 'filesystem',
  })

/** Returns the name of an attribute in Loki. */
const lokiName = (name: string): string => name.replaceAll('.', '_')

const matchForever = ({ tag }: Reader) => ({ Match: tag, Retry_Limit: 'no_limits' })

function lokiOutput(settings: Settings): string {
  const { hostname, port } = new URL(lokiUrl(settings))
  const labels = streamLabels.map(lokiName).map(name => `${name}=$labels['${name}']`)
  return section('OUTPUT', {
    Name: 'loki',
    ...matchForever(readers.loki),
    Host: hostname,
    Port: port,
    Compress: 'gzip',
    Labels: labels.join(', '),
    structured_metadata_map_keys: '$metadata',
    // Without the other keys, the line is the only one and is sent as it was written.
    Remove_Keys: 'labels, metadata, host, severity',
    Drop_Single_Key: 'raw',
    Line_Format: 'json',
  })
}

function siemOutput({ settings }: Lab): string[] {
  const { siem } = settings.pipeline
  if (siem.protocol === 'none') return []
  const { hostname, port, pathname, protocol } = new URL(
    siem.protocol === 'syslog' ? `tcp://${siem.endpoint}` : siem.endpoint,
  )
  const common = { ...matchForever(readers.siem), Host: hostname, Port: port || (protocol === 'https:' ? '443' : '80') }
  if (siem.protocol === 'syslog')
    return [
      section('OUTPUT', {
        Name: 'syslog',
        ...common,
        Mode: 'tcp',
        Syslog_Format: 'rfc5424',
        Syslog_Message_Key: 'line',
        Syslog_Appname_Preset: serviceName,
        Syslog_Hostname_Key: 'host',
        Syslog_Severity_Key: 'severity',
        Syslog_Maxsize: '1048576',
        // Syslog has no acknowledgements. A new connection per batch at least shows when the server is down.
        'net.keepalive': 'Off',
      }),
    ]
  return [
    section('OUTPUT', {
      Name: 'opentelemetry',
      ...common,
      Tls: protocol === 'https:' ? 'On' : 'Off',
      Logs_uri: `${pathname.replace(/\/$/, '')}/v1/logs`,
      Logs_Body_Key: '$line',
      compress: 'gzip',
    }),
  ]
}

function section(name: string, entries: Record<string, string>): string {
  return [`[${name}]`, ...Object.entries(entries).map(([key, value]) => `    ${key} ${value}`)].join('\n')
}

/**
 * Returns the Lua script that extracts the fields. A record becomes the line as it was written, the labels and the
 * metadata with Loki's names, and whatever the SIEM needs.
 */
export function luaScript(siem: Siem = 'none'): string {
  const quoted = (value: string): string => JSON.stringify(value)
  const list = (items: readonly (string | number)[]): string =>
    // Lua indexes start at 1.
    `{ ${items.map(item => (typeof item === 'number' ? item + 1 : quoted(item))).join(', ')} }`
  const rows = (items: readonly string[]): string => items.map(item => `  ${item},`).join('\n')
  return `-- Extracts fields from an event. Generated from stacks/monitoring/fields.ts.
local types = ${list(eventTypes)}
local fields = {
${rows(fields.map(({ name, path }) => `{ ${quoted(name)}, ${list(path)} }`))}
}
local arguments = {
${rows(argumentPaths.map(list))}
}
local addresses = {
${rows(addressPaths.map(list))}
}
local refusals = { ${blocked.actions.map(action => `${action} = true`).join(', ')} }
local severities = {
${rows(severities.map(({ tag, text, number, syslog }) => `{ tag = ${quoted(tag)}, text = ${quoted(text)}, number = ${number}, syslog = ${syslog} }`))}
}
local labels = {
${rows(streamLabels.map(label => `[${quoted(label)}] = true`))}
}

local function at(value, path)
  for _, key in ipairs(path) do
    if type(value) ~= "table" then return nil end
    value = value[key]
  end
  return value
end

-- Writes integers without a decimal point.
local function plain(value)
  if type(value) == "number" and value == math.floor(value) then return string.format("%.0f", value) end
  return tostring(value)
end

-- Returns the seconds since 1970 of a day in UTC. os.time would use local time.
local function seconds(year, month, day)
  if month <= 2 then year = year - 1; month = month + 12 end
  local days = 365 * year + math.floor(year / 4) - math.floor(year / 100) + math.floor(year / 400)
    + math.floor((153 * (month - 3) + 2) / 5) + day - 719469
  return days * 86400
end

local function instant(text)
  local year, month, day, hour, minute, second, fraction =
    string.match(text, "^(%d+)-(%d+)-(%d+)T(%d+):(%d+):(%d+)%.?(%d*)Z$")
  if not year then return nil end
  return {
    sec = seconds(tonumber(year), tonumber(month), tonumber(day)) + hour * 3600 + minute * 60 + second,
    nsec = tonumber(string.sub(fraction .. "000000000", 1, 9)),
  }
end

local function severity_of(tags)
  local found = severities[1]
  for _, severity in ipairs(severities) do
    for _, tag in ipairs(tags) do
      if tag == severity.tag then found = severity end
    end
  end
  return found
end

-- Returns all attributes of an event by OpenTelemetry's names, and its severity.
local function attributes_of(record)
  local event, found = nil, {}
  for _, name in ipairs(types) do
    if type(record[name]) == "table" then event = record[name]; found[${quoted(derived.eventType)}] = name end
  end
  if event == nil then return found, severities[1] end
  for _, field in ipairs(fields) do
    local value = at(event, field[2])
    if value ~= nil then found[field[1]] = value end
  end
  for _, path in ipairs(arguments) do
    local value = at(event, path)
    if value ~= nil then found[${quoted(derived.arguments)}] = value; break end
  end
  local socket = at(event, ${list(socketPath)})
  if type(socket) == "table" and socket.saddr and socket.daddr and socket.dport then
    found[${quoted(derived.arguments)}] = socket.saddr .. " -> " .. socket.daddr .. ":" .. plain(socket.dport)
  end
  for _, path in ipairs(addresses) do
    local address = at(event, path)
    if found[${quoted(derived.arguments)}] == nil and type(address) == "table" and address.addr and address.port then
      found[${quoted(derived.arguments)}] = address.addr .. ":" .. plain(address.port)
    end
  end
  local tags = type(event.tags) == "table" and event.tags or {}
  if #tags > 0 then found[${quoted(derived.tags)}] = table.concat(tags, ",") end
  local monitored = string.match(found["tetragon.policy.name"] or "", ${quoted(blocked.monitorPolicy.replaceAll('-', '%-'))})
  if event.signal == ${quoted(blocked.signal)} or (refusals[event.action or ""] and not monitored) then
    found[${quoted(derived.blocked)}] = "true"
  end
  return found, severity_of(tags)
end

function lift(tag, timestamp, group, metadata, record)
  -- An unexpected event must not prevent the others in its batch from being processed.
  local understood, found, severity = pcall(attributes_of, record)
  if not understood then found, severity = {}, severities[1] end
  local out = { line = record.line, labels = {}, metadata = { severity_text = severity.text, severity_number = plain(severity.number) } }
  found[${quoted('service.name')}] = ${quoted(serviceName)}
  for name, value in pairs(found) do
    local place = labels[name] and out.labels or out.metadata
    place[string.gsub(name, "%.", "_")] = plain(value)
  end
${siemPart(siem)}  local time = type(record.time) == "string" and instant(record.time)
  return 1, time or timestamp, metadata, out
end
`
}

/** Returns the Lua that adds what the SIEM needs. */
function siemPart(siem: Siem): string {
  switch (siem) {
    case 'otlp':
      return `  metadata = { otlp = { attributes = found, severity_text = severity.text, severity_number = severity.number } }\n`
    case 'syslog':
      return `  out.severity = plain(severity.syslog)\n  out.host = record.node_name\n`
    case 'none':
      return ''
  }
}
