// k6 visits the Guestbook: each visit loads the page and the messages, and one in five signs. The rate varies, so that
// the graphs look like those of a real site.
//
//   TARGET_URL  the Guestbook (http://frontend)
//   RATE        visits per second, on average (5)
//   NOISE       how far the rate can deviate from its average: 0.2 is 20%, 0 keeps it steady (0.2)
//   SEED        the same seed always gives the same rates (1)
import { check } from 'k6'
import exec from 'k6/execution'
import http, { type RefinedResponse } from 'k6/http'
import type { Options } from 'k6/options'

const target = (__ENV.TARGET_URL || 'http://frontend').replace(/\/+$/, '')
const rate = Number(__ENV.RATE || 5)
const noise = Number(__ENV.NOISE || 0.2)
const seed = Number(__ENV.SEED || 1)
if (!(rate > 0)) throw new Error(`RATE must be above 0, not ${__ENV.RATE}`)
if (!(noise >= 0 && noise <= 1)) throw new Error(`NOISE must be from 0 to 1, not ${__ENV.NOISE}`)

/** A stage of k6: within `duration` the rate changes linearly to `target` visits per minute. */
interface Stage {
  duration: string
  target: number
}

/**
 * Returns a day of stages of 30 s each. The rate stays within `average * (1 ± noise)`, drifts back to the average, and
 * is the same for the same seed.
 */
export function day(average: number, noise: number, seed: number): Stage[] {
  const random = mulberry32(seed)
  let deviation = 0
  return Array.from({ length: 24 * 60 * 2 }, () => {
    deviation = deviation / 2 + (random() * 2 - 1) / 2
    return { duration: '30s', target: Math.round(average * 60 * (1 + noise * deviation)) }
  })
}

/** Returns a generator of pseudorandom numbers in [0, 1). `Math.random` has no seed. */
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
      // After a day k6 exits, and its Pod starts the next day.
      stages: day(rate, noise, seed),
      // A visit takes about 10 ms, so the maximum is only reached when the Guestbook hangs.
      preAllocatedVUs: Math.ceil(rate / 10) + 2,
      maxVUs: Math.min(Math.ceil(rate * 2) + 10, 200),
    },
  },
  userAgent: 'guestbook-traffic',
}

const keepOwn = 10
const keepAll = 50
const own = 'Hello from visitor '

/** Adds a message to the list. Keeps the newest 50 messages and only 10 of k6's own, so that people's messages stay. */
export function sign(messages: readonly string[], message: string): string[] {
  const all = [...messages, message]
  let surplus = all.filter(text => text.startsWith(own)).length - keepOwn
  return all.filter(text => !text.startsWith(own) || surplus-- <= 0).slice(-keepAll)
}

const call = (name: string, path: string): RefinedResponse<'text'> =>
  // Without a name, k6 labels its metrics with the URL, and each message would create a series.
  http.get(`${target}${path}`, { tags: { name }, timeout: '5s', responseType: 'text' })

/** Returns the messages in a response to `cmd=get`, or undefined if it is something else. */
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
