import { BlockList, isIPv6 } from 'node:net'

/** A TCP socket that accepts connections. */
export interface Listener {
  address: string
  port: number
}

/** The state of a listening socket in the kernel's table. */
const listening = '0A'

/** Parses the content of `/proc/net/tcp` and `/proc/net/tcp6` into the listening sockets. */
export function parseListeners(table: string): Listener[] {
  return table
    .split('\n')
    .slice(1)
    .map(line => line.trim().split(/\s+/))
    .filter(([, , , state]) => state === listening)
    .map(([, local]) => {
      const [address, port] = local!.split(':')
      return { address: parseAddress(address!), port: Number.parseInt(port!, 16) }
    })
}

/**
 * Parses an address as 32-bit words in hexadecimal, each with its lowest byte first: both of the lab's platforms are
 * little-endian.
 */
function parseAddress(hex: string): string {
  const bytes = hex.match(/.{8}/g)!.flatMap(word => word.match(/../g)!.reverse())
  const numbers = bytes.map(byte => Number.parseInt(byte, 16))
  if (numbers.length === 4) return numbers.join('.')
  // An IPv4 address on an IPv6 socket.
  if (bytes.slice(0, 12).join('') === `${'00'.repeat(10)}FFFF`) return numbers.slice(12).join('.')
  const groups = bytes.join('').match(/.{4}/g)!.join(':')
  // URL shortens the address.
  return new URL(`http://[${groups}]`).hostname.slice(1, -1)
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8)
loopback.addAddress('::1', 'ipv6')

/** Returns whether only this machine can reach an address. */
export const isLoopback = (address: string): boolean => loopback.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')

/** Returns the sockets as a list to read, as in `127.0.0.1:3000, [::]:6443`. */
export const showListeners = (listeners: Listener[]): string =>
  listeners.map(({ address, port }) => (isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`)).join(', ')
