import { type ChildProcess, spawn } from 'node:child_process'
import { request } from 'node:http'
import { connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'

// A network namespace with only a loopback interface: no route, no name server.
//
// Programs inside reach Docker by its socket, which is a file. Docker opens the lab's ports on the machine's own
// 127.0.0.1, which the namespace cannot reach. So the container's open ports, and no others, are forwarded through a
// socket in a folder, where inside.ts listens for them.

/** Returns the ports that Docker opened for a container on 127.0.0.1; none where the container does not exist. */
export function openPorts(container: string): Promise<number[]> {
  return new Promise(resolve => {
    const call = request(
      { socketPath: '/var/run/docker.sock', path: `/containers/${container}/json` },
      async answer => {
        const { NetworkSettings } = (await json(answer)) as {
          NetworkSettings?: { Ports: Record<string, { HostPort: string }[] | null> }
        }
        resolve(
          Object.values(NetworkSettings?.Ports ?? {}).flatMap(open =>
            (open ?? []).map(({ HostPort }) => Number(HostPort)),
          ),
        )
      },
    )
    call.on('error', () => resolve([]))
    call.end()
  })
}

export class Namespace {
  readonly #holder: ChildProcess
  readonly #outside: Server

  private constructor(holder: ChildProcess, outside: Server) {
    this.#holder = holder
    this.#outside = outside
  }

  /** Creates a namespace from which the ports of this container can be reached. Needs root. */
  static async open(folder: string, container: string): Promise<Namespace> {
    const socket = join(folder, 'ports.sock')
    const outside = createServer(inner => {
      inner.on('error', () => inner.destroy())
      inner.once('data', async first => {
        // Data that arrives before the outer connection exists would be lost
        inner.pause()
        const port = Number(first.subarray(0, 5).toString())
        if (!(await openPorts(container)).includes(port)) return inner.destroy()
        const outer = connect(port, '127.0.0.1')
        outer.on('error', () => inner.destroy()).on('close', () => inner.destroy())
        inner.on('close', () => outer.destroy())
        outer.write(first.subarray(5))
        inner.pipe(outer).pipe(inner)
      })
    })
    await new Promise<void>(resolve => outside.listen(socket, resolve))
    const script = 'ip link set lo up && exec "$0" "$@"'
    const holder = spawn(
      'unshare',
      ['--net', 'sh', '-c', script, process.execPath, join(import.meta.dirname, 'inside.ts'), socket, container],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    await new Promise<void>((resolve, reject) => {
      holder.stdout!.once('data', () => resolve())
      holder.once('exit', code => reject(new Error(`creating a network namespace failed (${code}): it needs root`)))
    })
    return new Namespace(holder, outside)
  }

  /** Returns the words before a command that make it run in the namespace. */
  get enter(): string[] {
    return ['nsenter', `--net=/proc/${this.#holder.pid}/ns/net`]
  }

  close(): void {
    this.#holder.removeAllListeners('exit').kill()
    this.#outside.close()
  }
}
