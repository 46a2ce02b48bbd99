// Visitors of the Guestbook, by k6: each looks at the page and reads the messages, one in five signs. They come at a rate that wanders
// around its average, so that graphs look like a site with people and not like a metronome.
//
//   TARGET_URL  the Guestbook (http://frontend)
//   RATE        visits a second, on average (5)
//   NOISE       how far the rate may stray from its average: 0.2 is a fifth, 0 keeps it steady (0.2)
//   SEED        another number, another day; the same number, the same day (1)
import { check } from 'k6'
import exec from 'k6/execution'
import http, { type RefinedResponse } from 'k6/http'
import type { Options } from 'k6/options'

const target = (__ENV.TARGET_URL || 'http://frontend').replace(/\/+$/, '')
const rate = Number(__ENV.RATE || 5)
const noise = Number(__ENV.NOISE || 0.2)
const seed = Number(__ENV.SEED || 1)
if (!(rate > 0)) throw new Error(`RATE is ${__ENV.RATE}, not a number above 0`)
if (!(noise >= 0 && noise <= 1)) throw new Error(`NOISE is ${__ENV.NOISE}, not a number from 0 to 1`)

/** A stage: within `duration` the rate moves evenly to `target` visits a minute. */
interface Stage {
  duration: string
  target: number
}

/**
 * A day of stages, half a minute each.
 * The rate is pulled back to its average as far as it was pushed away, never leaves `average * (1 ± noise)`, and a seed always gives
 * the same day.
 */
export function day(average: number, noise: number, seed: number): Stage[] {
  const random = mulberry32(seed)
  let away = 0
  return Array.from({ length: 24 * 60 * 2 }, () => {
    away = away / 2 + (random() * 2 - 1) / 2
    return { duration: '30s', target: Math.round(average * 60 * (1 + noise * away)) }
  })
}

/** A small generator of pseudo-random numbers in [0, 1): `Math.random` cannot be seeded. */
function mulberry32(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

export const options: Options = {
  scenarios: {
    visits: {
      executor: 'ramping-arrival-rate',
      timeUnit: '1m',
      startRate: Math.round(rate * 60),
      // When the day is over k6 ends and its pod starts the next one.
      stages: day(rate, noise, seed),
      // A visit takes some ten milliseconds; many more only where the Guestbook hangs.
      preAllocatedVUs: Math.ceil(rate / 10) + 2,
      maxVUs: Math.min(Math.ceil(rate * 2) + 10, 200),
    },
  },
  userAgent: 'guestbook-traffic',
}

const keepOwn = 10
const keepAll = 50
const own = 'Hello from visitor '

/** What the classic page would send, but never longer: the newest messages, of which few are from here, so that people's stay. */
export function sign(messages: readonly string[], message: string): string[] {
  const all = [...messages, message]
  let surplus = all.filter(text => text.startsWith(own)).length - keepOwn
  return all.filter(text => !text.startsWith(own) || surplus-- <= 0).slice(-keepAll)
}

const call = (name: string, path: string): RefinedResponse<'text'> =>
  // The name stands for the address in every metric: without it each message would be a series of its own.
  http.get(`${target}${path}`, { tags: { name }, timeout: '5s', responseType: 'text' })

/** The messages in an answer of `cmd=get`; undefined where it is no such answer. */
function messagesIn(response: RefinedResponse<'text'>): string[] | undefined {
  try {
    const { data } = response.json() as { data?: unknown }
    return typeof data === 'string' ? data.split(',').filter(text => text !== '') : undefined
  } catch {
    return undefined
  }
}

export default function visit(): void {
  check(call('index', '/'), { 'index: 200': response => response.status === 200 })

  const got = call('get', '/guestbook.php?cmd=get&key=messages')
  const messages = messagesIn(got)
  check(got, { 'get: 200': response => response.status === 200, 'get: messages': () => messages !== undefined })

  if (messages === undefined || Math.random() >= 0.2) return
  const value = sign(messages, own + (exec.scenario.iterationInTest % 1000)).join(',')
  const set = call('set', `/guestbook.php?cmd=set&key=messages&value=${encodeURIComponent(value)}`)
  check(set, {
    'set: 200': response => response.status === 200,
    'set: updated': response => String(response.body).includes('Updated'),
  })
}
