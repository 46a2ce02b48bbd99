// A condition on a value, in one short text: `>= 3`, `visitor`, `/^10\./`.

const comparisonPattern = /^(>=|<=|==|!=|>|<)\s*(-?\d+(?:\.\d+)?)$/
const regexPattern = /^\/(.*)\/([imsu]*)$/s

/** A condition as an exercise.yaml writes it. */
export type Condition = string | number

const operators: Record<string, { words: string; holds: (value: number, limit: number) => boolean }> = {
  '>=': { words: 'at least ', holds: (value, limit) => value >= limit },
  '<=': { words: 'at most ', holds: (value, limit) => value <= limit },
  '>': { words: 'more than ', holds: (value, limit) => value > limit },
  '<': { words: 'less than ', holds: (value, limit) => value < limit },
  '==': { words: '', holds: (value, limit) => value === limit },
  '!=': { words: 'anything but ', holds: (value, limit) => !Number.isNaN(value) && value !== limit },
}

/**
 * Tells whether a value meets a condition: a comparison of numbers (`>= 3`), a regular expression (`/^10\./i`), or the
 * same text. Two texts that are both numbers are compared as numbers.
 */
export function meets(condition: Condition, value: string | number): boolean {
  const text = String(value).trim()
  const wanted = String(condition).trim()
  const [, operator, limit] = comparisonPattern.exec(wanted) ?? []
  if (operator) return operators[operator]!.holds(text === '' ? Number.NaN : Number(text), Number(limit))
  const [, source, flags] = regexPattern.exec(wanted) ?? []
  if (source !== undefined) return new RegExp(source, flags).test(text)
  if (text === wanted) return true
  return text !== '' && wanted !== '' && Number(text) === Number(wanted)
}

/** Returns a condition in words, for "expected". */
export function describeCondition(condition: Condition): string {
  const text = String(condition).trim()
  const [, operator, limit] = comparisonPattern.exec(text) ?? []
  if (operator) return `${operators[operator]!.words}${limit}`
  return regexPattern.test(text) ? `something that matches ${text}` : text
}

/** Returns what is wrong with a condition; undefined when it is valid. */
export function conditionProblem(condition: Condition): string | undefined {
  const [, source, flags] = regexPattern.exec(String(condition).trim()) ?? []
  if (source === undefined) return undefined
  try {
    new RegExp(source, flags)
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}
