/** Returns the mebibytes of a memory or storage setting, as in `512Mi` or `2Gi`. */
export function mebibytes(quantity: string): number {
  const [, count, unit] = /^(\d+)(Mi|Gi)$/.exec(quantity) ?? []
  if (count === undefined) throw new Error(`${quantity} is not a number of Mi or Gi`)
  return Number(count) * (unit === 'Gi' ? 1024 : 1)
}
