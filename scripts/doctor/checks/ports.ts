import { setCommand } from '../../../shared/settings/schema.ts'
import { type DoctorCheck, fail, ok } from '../doctor-check.ts'
import type { Facts } from '../facts/facts.ts'

/** Whether the lab's ports are free, or its own. */
export function ports(facts: Facts): DoctorCheck[] {
  const checks = facts.ports
    .filter(port => port.state === 'taken' || port.state === 'not allowed')
    .map(({ name, number, state, holder }) =>
      fail(`port-${name}`, `Port ${number}`, {
        found:
          state === 'taken'
            ? `127.0.0.1:${number} is taken${holder ? ` by ${holder}` : ''}`
            : `127.0.0.1:${number} may not be listened on by you`,
        expected: `a free port for ports.${name}`,
        next: setCommand(`ports.${name}`, freeNumber(number, facts)),
      }),
    )
  if (checks.length > 0) return checks
  const numbers = facts.ports.map(port => port.number).join(', ')
  const held = facts.ports.some(port => port.state === 'held by the lab')
  return [ok('ports', 'Ports', held ? `${numbers}, held by the lab` : `${numbers} are free`)]
}

/** A number to propose: outside of what needs rights, and none that the lab uses itself. */
const freeNumber = (number: number, { ports }: Facts): number => {
  const used = new Set(ports.map(port => port.number))
  let proposal = number < 1024 ? number + 8000 : number + 10000
  if (proposal > 65535) proposal = number - 10000
  while (used.has(proposal)) proposal++
  return proposal
}
