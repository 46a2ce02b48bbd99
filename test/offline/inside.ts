import { connect, createServer, type Server } from 'node:net'
import { openPorts } from './namespace.ts'

// Runs in the namespace: listens on its 127.0.0.1 for each open port of the container, and forwards each connection
// through the socket, with the port in the first five bytes.

const [socket, container] = process.argv.slice(2) as [string, string]
const servers = new Map<number, Server>()

function listen(port: number): Server {
  const server = createServer(inner => {
    const outer = connect(socket)
    outer.write(String(port).padStart(5, '0'))
    inner.on('error', () => outer.destroy()).on('close', () => outer.destroy())
    outer.on('error', () => inner.destroy()).on('close', () => inner.destroy())
    inner.pipe(outer).pipe(inner)
  })
  return server.on('error', () => servers.delete(port)).listen(port, '127.0.0.1')
}

async function follow(): Promise<void> {
  const open = await openPorts(container)
  for (const port of open) if (!servers.has(port)) servers.set(port, listen(port))
  for (const [port, server] of servers)
    if (!open.includes(port)) {
      server.close()
      servers.delete(port)
    }
}

await follow()
setInterval(follow, 200)
process.stdout.write('ready\n')
