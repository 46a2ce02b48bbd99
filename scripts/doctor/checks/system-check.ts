import { type DoctorCheck, fail, ok } from '../doctor-check.ts'
import type { DoctorFacts } from '../facts/gather-facts.ts'

/** Checks the operating system of this machine. */
export function systemCheck({ os, wsl, container }: Pick<DoctorFacts, 'os' | 'wsl' | 'container'>): DoctorCheck {
  if (os === 'win32')
    return fail('system', 'System', {
      found: 'This is Windows without WSL',
      expected: 'Linux, macOS or WSL 2',
      next: 'wsl --install, then run the lab inside WSL',
    })
  if (container) return ok('system', 'System', `Linux in ${container}`)
  if (wsl) return ok('system', 'System', 'Linux on WSL: Tetragon sees the processes of the WSL VM')
  return ok('system', 'System', { linux: 'Linux', darwin: 'macOS' }[os] ?? os)
}
