import { readFileSync } from 'node:fs'

/** Returns the id that Linux gives each boot of this machine; empty on other systems. */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return ''
  }
}
