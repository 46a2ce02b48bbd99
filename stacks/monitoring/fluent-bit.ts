import type { Lab } from '../lab.ts'
import { imageParts } from '../lock.ts'
import { exportFile, namespaces, releases } from '../names.ts'
import type { Values } from '../release.ts'
import { argumentPaths, blocked, derived, eventTypes, fields, serviceName, severities, socketPath } from './fields.ts'

/** Where Fluent Bit keeps how far it has read and what it could not send yet: on the node, so that a new pod goes on from there. */
const storage = '/var/lib/fluent-bit'

/** Values of the Fluent Bit chart, as the shipper of Tetragon's events. */
export function fluentBitValues(lab: Lab): Values {
  const { registry, repository, tag } = imageParts(lab.lock.images['fluent-bit'])
  return {
    kind: 'DaemonSet',
    image: { repository: `${registry}/${repository}`, tag },
    testFramework: { enabled: false },
    rbac: { create: false },
    resources: { requests: { cpu: '20m', memory: '32Mi' }, limits: { memory: '192Mi' } },
    // Only what is read: the chart would mount all logs of the node.
    daemonSetVolumes: [
      { name: 'events', hostPath: { path: exportFile.directory, type: 'DirectoryOrCreate' } },
      { name: 'storage', hostPath: { path: storage, type: 'DirectoryOrCreate' } },
    ],
    daemonSetVolumeMounts: [
      { name: 'events', mountPath: exportFile.directory, readOnly: true },
      { name: 'storage', mountPath: storage },
    ],
    luaScripts: { 'lift.lua': luaScript() },
    config: {
      service: section('SERVICE', {
        Daemon: 'Off',
        Flush: '1',
        Log_Level: 'warn',
        HTTP_Server: 'On',
        HTTP_Listen: '0.0.0.0',
        HTTP_Port: '2020',
        Health_Check: 'On',
        'storage.path': `${storage}/queue`,
        'storage.sync': 'normal',
        'storage.backlog.mem_limit': '16M',
        Parsers_File: '/fluent-bit/etc/conf/custom_parsers.conf',
      }),
      customParsers: section('PARSER', {
        Name: 'tetragon',
        Format: 'json',
        Time_Key: 'time',
        Time_Format: '%Y-%m-%dT%H:%M:%S.%L%z',
        Time_Keep: 'On',
      }),
      inputs: section('INPUT', {
        Name: 'tail',
        Path: `${exportFile.directory}/${exportFile.name}`,
        Tag: 'tetragon',
        Key: 'line',
        Read_from_Head: 'On',
        DB: `${storage}/position.db`,
        // An event with its ancestors and namespaces is long.
        Buffer_Chunk_Size: '256k',
        Buffer_Max_Size: '2M',
        Skip_Long_Lines: 'On',
        Refresh_Interval: '1',
        Rotate_Wait: '30',
        'storage.type': 'filesystem',
      }),
      filters: [
        section('FILTER', {
          Name: 'parser',
          Match: 'tetragon',
          Key_Name: 'line',
          Parser: 'tetragon',
          Preserve_Key: 'On',
          Reserve_Data: 'On',
        }),
        section('FILTER', { Name: 'lua', Match: 'tetragon', script: '/fluent-bit/scripts/lift.lua', call: 'lift' }),
      ].join('\n'),
      outputs: outputs(lab),
    },
  }
}

const underscored = (name: string): string => name.replaceAll('.', '_')

function outputs({ settings }: Lab): string {
  const labels = [derived.eventType, ...fields.filter(field => field.label).map(field => field.name)]
  const metadata = [
    ...fields.filter(field => !field.label).map(field => field.name),
    derived.tags,
    derived.arguments,
    derived.blocked,
  ]
  const keys = (names: string[]) => names.map(name => `${underscored(name)}=$${underscored(name)}`).join(', ')
  const loki = section('OUTPUT', {
    Name: 'loki',
    Match: 'tetragon',
    Host: `${releases.loki}.${namespaces.monitoring}.svc`,
    Port: '3100',
    Labels: [`service_name=${serviceName}`, keys(labels)].join(', '),
    structured_metadata: [keys(metadata), 'severity_text=$severity_text'].join(', '),
    // With all else gone the line is the only key, and is sent as it was written.
    Remove_Keys: [...labels, ...metadata, 'severity_text'].map(underscored).join(', '),
    Drop_Single_Key: 'raw',
    Line_Format: 'json',
    Retry_Limit: 'no_limits',
  })
  const { siem } = settings.pipeline
  if (siem.protocol === 'none') return loki
  const { hostname, port } = new URL(siem.protocol === 'syslog' ? `tcp://${siem.endpoint}` : siem.endpoint)
  const second: Record<string, string> =
    siem.protocol === 'syslog'
      ? {
          Name: 'syslog',
          Mode: 'tcp',
          Syslog_Format: 'rfc5424',
          Syslog_Message_Key: 'line',
          Syslog_Appname_Preset: serviceName,
          Syslog_Maxsize: '65536',
        }
      : { Name: 'opentelemetry', Logs_uri: '/v1/logs', Logs_Body_Key: 'line', Logs_Body_Key_Attributes: 'true' }
  return [
    loki,
    section('OUTPUT', { ...second, Match: 'tetragon', Host: hostname, Port: port, Retry_Limit: 'no_limits' }),
  ].join('\n')
}

function section(name: string, entries: Record<string, string>): string {
  return [`[${name}]`, ...Object.entries(entries).map(([key, value]) => `    ${key} ${value}`)].join('\n')
}

/** Lua: the same table, walked. Keys are Loki's names, with underscores. */
export function luaScript(): string {
  const list = (items: readonly (string | number)[]): string =>
    // Lua counts from 1.
    `{${items.map(item => (typeof item === 'number' ? item + 1 : JSON.stringify(item))).join(', ')}}`
  return `-- Lifts fields out of an event; made from stacks/monitoring/fields.ts.
local types = ${list(eventTypes)}
local fields = {
${fields.map(({ name, path }) => `  {${JSON.stringify(underscored(name))}, ${list(path)}},`).join('\n')}
}
local arguments = {
${argumentPaths.map(path => `  ${list(path)},`).join('\n')}
}
local severities = {
${severities.map(({ tag, text }) => `  {${JSON.stringify(tag)}, ${JSON.stringify(text)}},`).join('\n')}
}

local function at(value, path)
  for _, key in ipairs(path) do
    if type(value) ~= "table" then return nil end
    value = value[key]
  end
  return value
end

-- A whole number is written without a point.
local function plain(value)
  if type(value) == "number" and value == math.floor(value) then return string.format("%d", value) end
  return tostring(value)
end

function lift(tag, timestamp, record)
  local event, out = nil, { line = record["line"], severity_text = "info" }
  for _, name in ipairs(types) do
    if record[name] ~= nil then event = record[name]; out["${underscored(derived.eventType)}"] = name end
  end
  if event == nil then return 2, timestamp, out end
  for _, field in ipairs(fields) do
    local value = at(event, field[2])
    if value ~= nil then out[field[1]] = plain(value) end
  end
  for _, path in ipairs(arguments) do
    local value = at(event, path)
    if value ~= nil then out["${underscored(derived.arguments)}"] = plain(value); break end
  end
  local socket = at(event, ${list(socketPath)})
  if type(socket) == "table" and socket["daddr"] ~= nil then
    out["${underscored(derived.arguments)}"] = plain(socket["saddr"]) .. " -> " .. plain(socket["daddr"]) .. ":" .. plain(socket["dport"])
  end
  if type(event["tags"]) == "table" then
    out["${underscored(derived.tags)}"] = table.concat(event["tags"], ",")
    for _, severity in ipairs(severities) do
      for _, own in ipairs(event["tags"]) do
        if own == severity[1] then out["severity_text"] = severity[2] end
      end
    end
  end
  local policy = out["tetragon_policy_name"] or ""
  if out["tetragon_signal"] == "${blocked.signal}" then out["${underscored(derived.blocked)}"] = "true" end
  if out["tetragon_action"] == "${blocked.action}" and not string.match(policy, "${blocked.monitorPolicy.replace('-', '%-')}") then
    out["${underscored(derived.blocked)}"] = "true"
  end
  return 2, timestamp, out
end
`
}
