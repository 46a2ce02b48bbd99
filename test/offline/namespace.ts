import { type ChildProcess, spawn } from 'node:child_process'
import { request } from 'node:http'
import { connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'

// A network namespace with a loopback of its own and nothing else: no other interface, no route, no name server.
//
// Docker is reached from inside by its socket, which is a file. Docker opens the lab's ports outside, on the machine's own 127.0.0.1, where
// nobody in the namespace gets to; so these ports, as Docker names them, and no other, are passed on through a socket in a folder. inside.ts
// listens for them in there.

/** The ports that a container has open on 127.0.0.1, as Docker says; none where there is no such container. */
export function openPorts(container: string): Promise<number[]> {
  return new Promise(resolve => {
    const asking = request(
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
    asking.on('error', () => resolve([]))
    asking.end()
  })
}

export class Namespace {
  readonly #holder: ChildProcess
  readonly #outside: Server

  private constructor(holder: ChildProcess, outside: Server) {
    this.#holder = holder
    this.#outside = outside
  }

  /** Makes the namespace, from which the ports of this container can be reached. Takes a user who may: root. */
  static async open(folder: string, container: string): Promise<Namespace> {
    const socket = join(folder, 'ports.sock')
    const outside = createServer(inner => {
      inner.on('error', () => inner.destroy())
      inner.once('data', async first => {
        // What comes while the way out is being made would be lost
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
      holder.once('exit', code => reject(new Error(`no network namespace could be made (${code}): root is needed`)))
    })
    return new Namespace(holder, outside)
  }

  /** What to put before a command so that it runs in there. */
  get enter(): string[] {
    return ['nsenter', `--net=/proc/${this.#holder.pid}/ns/net`]
  }

  close(): void {
    this.#holder.removeAllListeners('exit').kill()
    this.#outside.close()
  }
}
