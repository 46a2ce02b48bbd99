import { describe, expect, it } from 'vitest'
import { formatCast, joinCommands, parseCast, shorten } from '../../../scripts/docs/pictures/cast.ts'

const size = { columns: 80, rows: 24 }

describe('parseCast', () => {
  it('returns what was written, without what was typed', () => {
    const file = '{"version": 2, "width": 80, "height": 24}\n[0.5, "o", "a\\r\\n"]\n[0.7, "i", "x"]\n[1, "o", "b"]\n'
    expect(parseCast(file)).toEqual([
      { time: 0.5, text: 'a\r\n' },
      { time: 1, text: 'b' },
    ])
  })

  it('reads what formatCast writes', () => {
    const events = [
      { time: 0, text: '✔ \u001b[32m ready\u001b[0m' },
      { time: 76.25, text: '\r\n' },
    ]
    expect(parseCast(formatCast(events, size))).toEqual(events)
  })
})

describe('shorten', () => {
  const events = [10, 40, 60].map(time => ({ time, text: '.' }))

  it('runs a long recording faster, and keeps everything that was written', () => {
    expect(shorten(events, 15).map(({ time }) => time)).toEqual([2.5, 10, 15])
  })

  it('leaves a short recording at its speed', () => {
    expect(shorten(events, 90)).toEqual(events)
  })
})

describe('joinCommands', () => {
  const joined = joinCommands(
    [
      { command: './lab up', events: [{ time: 60, text: 'up\r\n' }] },
      { command: './lab down', events: [{ time: 2, text: 'down\r\n' }] },
    ],
    15,
  )

  it('types each command at a prompt, and shows what it wrote below', () => {
    const prompt = '\u001b[32m$\u001b[0m '
    expect(joined.map(({ text }) => text).join('')).toBe(
      `${prompt}./lab up\r\nup\r\n${prompt}./lab down\r\ndown\r\n${prompt}`,
    )
  })

  it('never goes back in time, and shows no command for longer than it may', () => {
    const times = joined.map(({ time }) => time)
    expect(times).toEqual(times.toSorted((a, b) => a - b))
    const timeOf = (text: string) => joined.find(event => event.text === text)!.time
    const entered = joined.findIndex(({ text }) => text === '\r\n')
    expect(timeOf('up\r\n') - times[entered]!).toBeCloseTo(15)
  })
})
