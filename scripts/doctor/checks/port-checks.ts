import { setCommand } from '../../../shared/settings/config-commands.ts'
import { type DoctorCheck, fail, ok } from '../doctor-check.ts'
import type { DoctorFacts } from '../facts/gather-facts.ts'

/** Checks that each of the lab's ports is free, or in use by the lab itself. */
export function portChecks({ ports }: DoctorFacts): DoctorCheck[] {
  const failures = ports
    .filter(({ state }) => state === 'in use' || state === 'forbidden')
    .map(({ name, number, state, holder }) =>
      fail(`port-${name}`, `Port ${number}`, {
        found:
          state === 'in use'
            ? `Port ${number} is in use${holder ? ` by ${holder}` : ''}`
            : `You do not have permission to listen on port ${number}`,
        next: setCommand(`ports.${name}`, alternativePort(number, ports)),
      }),
    )
  if (failures.length > 0) return failures
  const numbers = ports.map(port => port.number).join(', ')
  const lab = ports.some(port => port.state === 'in use by the lab')
  return [ok('ports', 'Ports', `${numbers} are ${lab ? 'in use by the lab' : 'free'}`)]
}

/** Proposes a port that needs no privileges and that no other setting of the lab uses. */
function alternativePort(number: number, ports: DoctorFacts['ports']): number {
  const used = new Set(ports.map(port => port.number))
  let proposal = number < 1024 ? number + 8000 : number + 10_000
  if (proposal > 65_535) proposal = number - 10_000
  while (used.has(proposal)) proposal++
  return proposal
}
