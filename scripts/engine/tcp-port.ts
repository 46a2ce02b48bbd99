import { connect } from 'node:net'

/** Returns whether a TCP connection to this address succeeds within the time. */
export const acceptsConnections = (
  { address, port }: { address: string; port: number },
  timeoutMs: number,
): Promise<boolean> =>
  new Promise(resolve => {
    const socket = connect({ host: address, port, timeout: timeoutMs })
    const finish = (connected: boolean) => {
      socket.destroy()
      resolve(connected)
    }
    socket.once('connect', () => finish(true))
    socket.once('error', () => finish(false))
    socket.once('timeout', () => finish(false))
  })
