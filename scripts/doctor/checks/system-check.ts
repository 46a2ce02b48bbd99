import { type DoctorCheck, fail, ok } from '../doctor-check.ts'
import type { DoctorFacts } from '../facts/gather-facts.ts'

/** Checks the operating system of this machine. */
export function systemCheck({ os, wsl }: Pick<DoctorFacts, 'os' | 'wsl'>): DoctorCheck {
  if (os === 'win32')
    return fail('system', 'System', {
      found: 'This is Windows without WSL',
      expected: 'Linux, macOS or WSL 2',
      next: 'wsl --install, then run the lab inside WSL',
    })
  if (wsl) return ok('system', 'System', 'Linux on WSL: Tetragon sees the processes of the WSL VM')
  return ok('system', 'System', { linux: 'Linux', darwin: 'macOS' }[os] ?? os)
}
