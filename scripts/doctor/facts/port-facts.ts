import { readlink } from 'node:fs/promises'
import { createServer } from 'node:net'
import { basename } from 'node:path'
import { execa } from 'execa'
import type { Settings } from '../../../shared/settings/schema.ts'
import { acceptsConnections } from '../../engine/tcp-port.ts'

/** One of the lab's ports on 127.0.0.1. */
export interface PortFacts {
  /** Its setting, below `ports`. */
  name: keyof Settings['ports']
  number: number
  state: 'free' | 'in use by the lab' | 'in use' | 'forbidden'
  /** The program or container that uses it, where that can be determined. */
  holder?: string
}

const holderTimeoutMs = 1000

/**
 * Reads the state of each of the lab's ports.
 * @param options.running the lab's node is running, so its ports are in use by the lab.
 * @param options.remote the engine is on another machine, whose ports cannot be tried from here.
 * @param options.engine a Docker engine responds that knows which container publishes a port.
 */
export function portFacts(
  settings: Settings,
  options: { running: boolean; remote: boolean; engine: boolean },
): Promise<PortFacts[]> {
  const entries = Object.entries(settings.ports) as [keyof Settings['ports'], number][]
  return Promise.all(
    entries.map(async ([name, number]) => {
      const state = options.remote ? 'free' : await portState(number)
      if (state !== 'in use') return { name, number, state }
      // The node publishes all of the lab's ports or none.
      if (options.running) return { name, number, state: 'in use by the lab' as const }
      return { name, number, state, holder: await portHolder(number, options.engine) }
    }),
  )
}

/** Tries to listen on 127.0.0.1:port. */
export async function portState(port: number): Promise<'free' | 'in use' | 'forbidden'> {
  const state = await new Promise<'free' | 'in use' | 'forbidden'>(resolve => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EACCES' ? 'forbidden' : 'in use'))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve('free')))
  })
  if (state !== 'free' || process.platform !== 'darwin') return state
  // macOS allows this next to a program that listens on all addresses, but Docker then fails to publish the port.
  return (await acceptsConnections({ address: '127.0.0.1', port }, 200)) ? 'in use' : 'free'
}

/** Names the container or program that uses a port. Programs of other users stay unnamed. */
async function portHolder(port: number, engine: boolean): Promise<string | undefined> {
  const options = { reject: false, timeout: holderTimeoutMs } as const
  if (engine) {
    const container = await execa('docker', ['ps', '--filter', `publish=${port}`, '--format', '{{.Names}}'], options)
    if (!container.failed && container.stdout) return `container ${container.stdout.split('\n')[0]}`
  }
  if (process.platform === 'linux') {
    const { stdout = '' } = await execa('ss', ['-Hltnp', `sport = :${port}`], options)
    const [, threadName, pid] = /users:\(\("([^"]+)",pid=(\d+)/.exec(stdout) ?? []
    if (!pid) return undefined
    return `${basename(await readlink(`/proc/${pid}/exe`).catch(() => threadName!))} (pid ${pid})`
  }
  const { stdout = '' } = await execa('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-Fcp'], options)
  const command = /^c(.+)$/m.exec(stdout)?.[1]
  return command && `${command} (pid ${/^p(\d+)$/m.exec(stdout)?.[1]})`
}
