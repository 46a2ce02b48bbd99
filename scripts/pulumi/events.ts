import { rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { StringDecoder } from 'node:string_decoder'
import { setTimeout as sleep } from 'node:timers/promises'

/** The resource that an engine event is about. */
interface ResourceMetadata {
  urn: string
}

/** The events of Pulumi's engine that the lab uses (apitype.EngineEvent). */
export interface EngineEvent {
  resourcePreEvent?: { metadata: ResourceMetadata }
  resOutputsEvent?: { metadata: ResourceMetadata }
  resOpFailedEvent?: { metadata: ResourceMetadata }
  diagnosticEvent?: { urn?: string; message: string; severity: 'info' | 'info#err' | 'warning' | 'error' | 'debug' }
  summaryEvent?: { resourceChanges?: Record<string, number>; durationSeconds: number }
}

/** Parses a line of the event log. Returns undefined for a line that a full disk has truncated. */
export function parseEvent(line: string): EngineEvent | undefined {
  try {
    return JSON.parse(line) as EngineEvent
  } catch {
    return undefined
  }
}

/** Creates an empty event log that only its owner can read: debug events contain secrets in clear text. */
export function createEventLog(path: string): void {
  rmSync(path, { force: true })
  writeFileSync(path, '', { mode: 0o600 })
}

/**
 * Reads a file's lines as they are written, until `isDone`. Deletes the file as soon as it has a first line: writer and
 * reader have it open by then, and no secret stays on the disk, whatever ends them.
 */
export async function followLines(path: string, isDone: () => boolean, onLine: (line: string) => void): Promise<void> {
  let rest = ''
  const decoder = new StringDecoder('utf8')
  const buffer = Buffer.alloc(1 << 16)
  const file = await open(path)
  try {
    while (true) {
      const last = isDone()
      while (true) {
        const { bytesRead } = await file.read(buffer)
        if (bytesRead === 0) break
        rmSync(path, { force: true })
        const lines = (rest + decoder.write(buffer.subarray(0, bytesRead))).split('\n')
        rest = lines.pop()!
        for (const line of lines) if (line) onLine(line)
      }
      if (last) return
      await sleep(100)
    }
  } finally {
    rmSync(path, { force: true })
    await file.close()
  }
}
