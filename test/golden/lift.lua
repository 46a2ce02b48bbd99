-- Extracts fields from an event. Generated from stacks/monitoring/fields.ts.
local types = { "process_exec", "process_exit", "process_kprobe", "process_tracepoint", "process_uprobe", "process_lsm", "process_usdt", "process_loader", "process_throttle", "rate_limit_info" }
local fields = {
  { "k8s.namespace.name", { "process", "pod", "namespace" } },
  { "tetragon.policy.name", { "policy_name" } },
  { "k8s.pod.name", { "process", "pod", "name" } },
  { "k8s.container.name", { "process", "pod", "container", "name" } },
  { "k8s.workload.name", { "process", "pod", "workload" } },
  { "process.executable.path", { "process", "binary" } },
  { "process.arguments", { "process", "arguments" } },
  { "process.pid", { "process", "pid" } },
  { "process.exec.id", { "process", "exec_id" } },
  { "process.parent.executable.path", { "parent", "binary" } },
  { "process.parent.exec.id", { "parent", "exec_id" } },
  { "tetragon.function.name", { "function_name" } },
  { "tetragon.action", { "action" } },
  { "tetragon.signal", { "signal" } },
  { "tetragon.message", { "message" } },
}
local arguments = {
  { "args", 1, "file_arg", "path" },
  { "args", 2, "file_arg", "path" },
  { "args", 3, "file_arg", "path" },
  { "args", 1, "path_arg", "path" },
  { "args", 2, "path_arg", "path" },
  { "args", 3, "path_arg", "path" },
  { "args", 1, "linux_binprm_arg", "path" },
  { "args", 2, "linux_binprm_arg", "path" },
  { "args", 3, "linux_binprm_arg", "path" },
  { "args", 1, "string_arg" },
  { "args", 2, "string_arg" },
  { "args", 3, "string_arg" },
}
local addresses = {
  { "args", 1, "sockaddr_arg" },
  { "args", 2, "sockaddr_arg" },
}
local refusals = { KPROBE_ACTION_OVERRIDE = true, KPROBE_ACTION_NOTIFYENFORCER = true }
local severities = {
  { tag = "severity.info", text = "info", number = 9, syslog = 6 },
  { tag = "severity.low", text = "info", number = 10, syslog = 5 },
  { tag = "severity.medium", text = "warn", number = 13, syslog = 4 },
  { tag = "severity.high", text = "error", number = 17, syslog = 3 },
  { tag = "severity.critical", text = "critical", number = 21, syslog = 2 },
}
local labels = {
  ["service.name"] = true,
  ["tetragon.event.type"] = true,
  ["k8s.namespace.name"] = true,
  ["tetragon.policy.name"] = true,
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
    if type(record[name]) == "table" then event = record[name]; found["tetragon.event.type"] = name end
  end
  if event == nil then return found, severities[1] end
  for _, field in ipairs(fields) do
    local value = at(event, field[2])
    if value ~= nil then found[field[1]] = value end
  end
  for _, path in ipairs(arguments) do
    local value = at(event, path)
    if value ~= nil then found["tetragon.args"] = value; break end
  end
  local socket = at(event, { "args", 1, "sock_arg" })
  if type(socket) == "table" and socket.saddr and socket.daddr and socket.dport then
    found["tetragon.args"] = socket.saddr .. " -> " .. socket.daddr .. ":" .. plain(socket.dport)
  end
  for _, path in ipairs(addresses) do
    local address = at(event, path)
    if found["tetragon.args"] == nil and type(address) == "table" and address.addr and address.port then
      found["tetragon.args"] = address.addr .. ":" .. plain(address.port)
    end
  end
  local tags = type(event.tags) == "table" and event.tags or {}
  if #tags > 0 then found["tetragon.tags"] = table.concat(tags, ",") end
  local monitored = string.match(found["tetragon.policy.name"] or "", "%-monitor$")
  if event.signal == "SIGKILL" or (refusals[event.action or ""] and not monitored) then
    found["tetragon.blocked"] = "true"
  end
  return found, severity_of(tags)
end

function lift(tag, timestamp, group, metadata, record)
  -- An unexpected event must not prevent the others in its batch from being processed.
  local understood, found, severity = pcall(attributes_of, record)
  if not understood then found, severity = {}, severities[1] end
  local out = { line = record.line, labels = {}, metadata = { severity_text = severity.text, severity_number = plain(severity.number) } }
  found["service.name"] = "tetragon"
  for name, value in pairs(found) do
    local place = labels[name] and out.labels or out.metadata
    place[string.gsub(name, "%.", "_")] = plain(value)
  end
  local time = type(record.time) == "string" and instant(record.time)
  return 1, time or timestamp, metadata, out
end
