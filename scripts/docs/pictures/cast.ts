// Recordings of a terminal in the asciicast format, version 2: https://docs.asciinema.org/manual/asciicast/v2/

/** Text that a program wrote, and when, in seconds from the start. */
export interface CastEvent {
  time: number
  text: string
}

/** The size of a terminal, in characters. */
export interface TerminalSize {
  columns: number
  rows: number
}

/** One command and what it wrote. */
export interface RecordedCommand {
  command: string
  events: CastEvent[]
}

/** How long a person looks at something before the next thing happens, in seconds. */
const pauses = { key: 0.06, beforeEnter: 0.6, afterCommand: 2.5 }

/** Returns what the programs of an asciicast file wrote. */
export function parseCast(file: string): CastEvent[] {
  const [, ...lines] = file.trim().split('\n')
  return lines
    .map(line => JSON.parse(line) as [time: number, type: string, text: string])
    .filter(([, type]) => type === 'o')
    .map(([time, , text]) => ({ time, text }))
}

/** Formats events as an asciicast file. */
export const formatCast = (events: CastEvent[], { columns, rows }: TerminalSize): string =>
  [
    { version: 2, width: columns, height: rows },
    ...events.map(({ time, text }) => [Number(time.toFixed(3)), 'o', text]),
  ]
    .map(line => `${JSON.stringify(line)}\n`)
    .join('')

/** Shortens a recording to at most this many seconds: it only runs faster, so nothing that was written is missing. */
export function shorten(events: CastEvent[], seconds: number): CastEvent[] {
  const last = events.at(-1)?.time ?? 0
  const speed = Math.max(1, last / seconds)
  return events.map(({ time, text }) => ({ time: time / speed, text }))
}

/** Puts recordings of commands one after the other, each after a prompt at which its command is typed. */
export function joinCommands(commands: RecordedCommand[], secondsEach: number): CastEvent[] {
  const joined: CastEvent[] = []
  let now = 0
  const write = (text: string, after = 0): void => {
    now += after
    joined.push({ time: now, text })
  }
  for (const { command, events } of commands) {
    write('\u001b[32m$\u001b[0m ')
    for (const key of command) write(key, pauses.key)
    write('\r\n', pauses.beforeEnter)
    const start = now
    for (const { time, text } of shorten(events, secondsEach)) write(text, start + time - now)
    now += pauses.afterCommand
  }
  // Without an event at the end, the last lines would vanish at once.
  write('\u001b[32m$\u001b[0m ')
  return joined
}
