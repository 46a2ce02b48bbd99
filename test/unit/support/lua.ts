import { createRequire } from 'node:module'

// Runs Lua scripts without Fluent Bit. fengari implements Lua 5.3, which behaves like LuaJIT's 5.1 for what the scripts
// use.

interface Fengari {
  lua: { lua_tostring(state: unknown, index: number): Uint8Array; lua_settop(state: unknown, index: number): void }
  lauxlib: { luaL_newstate(): unknown; luaL_dostring(state: unknown, code: Uint8Array): number }
  lualib: { luaL_openlibs(state: unknown): void }
  to_luastring(text: string): Uint8Array
  to_jsstring(bytes: Uint8Array): string
}
const { lua, lauxlib, lualib, to_luastring, to_jsstring } = createRequire(import.meta.url)('fengari') as Fengari

/** Lua code that writes a value as JSON, with every string as hexadecimal bytes. */
const dump = `
function dump(value)
  if type(value) == "table" then
    local parts = {}
    for key, one in pairs(value) do parts[#parts + 1] = dump(key) .. ":" .. dump(one) end
    return "{" .. table.concat(parts, ",") .. "}"
  elseif type(value) == "string" then
    return '"' .. string.gsub(value, ".", function(char) return string.format("%02x", string.byte(char)) end) .. '"'
  elseif type(value) == "number" and value == math.floor(value) then
    return string.format("%.0f", value)
  end
  return tostring(value)
end`

/** A Lua interpreter with one script loaded. */
export class Lua {
  readonly #state = lauxlib.luaL_newstate()

  constructor(script: string) {
    lualib.luaL_openlibs(this.#state)
    this.#run(dump)
    this.#run(script)
  }

  /** Evaluates an expression and returns its value, a table as an object. @throws Error with Lua's message. */
  evaluate<T>(expression: string): T {
    const text = this.#run(`return dump(${expression})`)
    return decode(JSON.parse(text)) as T
  }

  #run(code: string): string {
    const failed = lauxlib.luaL_dostring(this.#state, to_luastring(code))
    const bytes = lua.lua_tostring(this.#state, -1)
    const text = bytes ? to_jsstring(bytes) : ''
    lua.lua_settop(this.#state, 0)
    if (failed) throw new Error(text)
    return text
  }
}

const fromHex = (text: string): string => Buffer.from(text, 'hex').toString('utf8')

function decode(value: unknown): unknown {
  if (typeof value === 'string') return fromHex(value)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [fromHex(key), decode(one)]))
}

/** Returns a value as a Lua literal. */
export function literal(value: unknown): string {
  if (typeof value === 'string') return quoted(value)
  if (Array.isArray(value)) return `{${value.map(literal).join(', ')}}`
  if (typeof value !== 'object' || value === null) return String(value ?? 'nil')
  return `{${Object.entries(value)
    .map(([key, one]) => `[${quoted(key)}] = ${literal(one)}`)
    .join(', ')}}`
}

const quoted = (text: string): string =>
  `"${[...Buffer.from(text, 'utf8')].map(byte => (/[ !#-[\]-~]/.test(String.fromCharCode(byte)) ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`)).join('')}"`
