// Reads the quantities of Kubernetes' resources.

const units: Record<string, number> = { '': 1, Ki: 1024, Mi: 1024 ** 2, Gi: 1024 ** 3, M: 1e6, G: 1e9 }

/** Returns a memory quantity, such as 512Mi, in bytes. */
export function bytes(quantity: string): number {
  const [, number, unit] = /^(\d+)([KMG]i?)?$/.exec(quantity) ?? []
  if (!number) throw new Error(`${quantity} is no quantity of memory`)
  return Number(number) * units[unit ?? '']!
}

/** Returns a CPU quantity, such as 250m, in thousandths of a processor. */
export function cpuThousandths(quantity: string): number {
  const [, number, unit] = /^([\d.]+)(m?)$/.exec(quantity) ?? []
  if (!number) throw new Error(`${quantity} is no quantity of CPU`)
  return Number(number) * (unit ? 1 : 1000)
}
