import { connect } from 'node:net'

/**
 * Whether somebody takes a connection there.
 * @param patience milliseconds that it may take.
 */
export const isTaken = ({ address, port }: { address: string; port: number }, patience: number): Promise<boolean> =>
  new Promise(resolve => {
    const socket = connect({ host: address, port, timeout: patience })
    const end = (open: boolean) => {
      socket.destroy()
      resolve(open)
    }
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
    socket.once('timeout', () => end(false))
  })
