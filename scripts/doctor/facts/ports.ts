import { readlink } from 'node:fs/promises'
import { createServer } from 'node:net'
import { basename } from 'node:path'
import { execa } from 'execa'
import type { Settings } from '../../../shared/settings/schema.ts'
import { isTaken } from '../../engine/tcp-port.ts'

/** One of the lab's ports on 127.0.0.1. */
export interface PortFacts {
  /** Setting that moves it, below `ports`. */
  name: keyof Settings['ports']
  number: number
  state: 'free' | 'held by the lab' | 'taken' | 'not allowed'
  /** Who holds it, where that can be found out. */
  holder?: string
}

/** Milliseconds within which it must be found out who holds a port. */
const patience = 1000

/**
 * The state of each of the lab's ports.
 * @param running the lab's node runs, and its ports are taken by right.
 * @param elsewhere the engine is on another machine, where they cannot be tried.
 * @param engine an engine answers that can be asked who holds one.
 */
export function gatherPorts(
  settings: Settings,
  { running, elsewhere, engine }: { running: boolean; elsewhere: boolean; engine: boolean },
): Promise<PortFacts[]> {
  const entries = Object.entries(settings.ports) as [keyof Settings['ports'], number][]
  return Promise.all(
    entries.map(async ([name, number]) => {
      const state = elsewhere ? 'free' : await portState(number)
      if (state !== 'taken') return { name, number, state }
      // The lab maps all of its ports or none: while its node runs, they are its own
      if (running) return { name, number, state: 'held by the lab' as const }
      const holder = await portHolder(number, engine)
      return { name, number, state, ...(holder ? { holder } : {}) }
    }),
  )
}

/** Whether 127.0.0.1:port can be listened on: by trying. */
export async function portState(port: number): Promise<'free' | 'taken' | 'not allowed'> {
  const bound = await new Promise<'free' | 'taken' | 'not allowed'>(resolve => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EACCES' ? 'not allowed' : 'taken'))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve('free')))
  })
  // macOS lets one listen on 127.0.0.1 beside a program that listens everywhere, and Docker fails there all the same
  return bound === 'free' && process.platform === 'darwin' && (await isTaken({ address: '127.0.0.1', port }, 200))
    ? 'taken'
    : bound
}

/** A container or a program, in words. Another user's program does not show its name. */
async function portHolder(port: number, engine: boolean): Promise<string | undefined> {
  const limit = { reject: false, timeout: patience } as const
  if (engine) {
    const container = await execa('docker', ['ps', '--filter', `publish=${port}`, '--format', '{{.Names}}'], limit)
    if (!container.failed && container.stdout) return `container ${container.stdout.split('\n')[0]}`
  }
  if (process.platform === 'linux') {
    const listening = await execa('ss', ['-Hltnp', `sport = :${port}`], limit)
    const [, name, id] = /users:\(\("([^"]+)",pid=(\d+)/.exec(listening.stdout ?? '') ?? []
    // The name that ss shows is that of a thread
    return id && `${basename(await readlink(`/proc/${id}/exe`).catch(() => name!))} (process ${id})`
  }
  const listening = await execa('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-Fcp'], limit)
  const command = /^c(.+)$/m.exec(listening.stdout ?? '')?.[1]
  return command && `${command} (process ${/^p(\d+)$/m.exec(listening.stdout)?.[1]})`
}
