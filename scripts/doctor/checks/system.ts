import { type DoctorCheck, fail, ok } from '../doctor-check.ts'
import type { Facts } from '../facts/facts.ts'

/** The operating system in front of the person. */
export function system({ os, wsl }: Pick<Facts, 'os' | 'wsl'>): DoctorCheck {
  if (os === 'win32')
    return fail('system', 'System', {
      found: 'Windows without WSL',
      expected: 'Linux, macOS, or Linux inside Windows (WSL 2)',
      next: 'wsl --install, then run the lab in there',
    })
  if (wsl) return ok('system', 'System', 'Linux inside Windows (WSL): events are those of its own virtual machine')
  return ok('system', 'System', { linux: 'Linux', darwin: 'macOS' }[os] ?? os)
}
