// What a value must be, in one short text: `>= 3`, `visitor`, `/^10\./`.

const comparison = /^(>=|<=|==|!=|>|<)\s*(-?\d+(?:\.\d+)?)$/
const pattern = /^\/(.*)\/([imsu]*)$/s

/** A condition as it stands in a exercise.yaml. */
export type Condition = string | number

/**
 * Whether a value meets a condition: a comparison of numbers (`>= 3`), a regular expression (`/^10\./i`), or else the same text. Two texts
 * that are both numbers are compared as numbers.
 */
export function holds(condition: Condition, value: string | number): boolean {
  const text = String(value).trim()
  const wanted = String(condition).trim()
  const compared = comparison.exec(wanted)
  if (compared) {
    const number = text === '' ? Number.NaN : Number(text)
    const limit = Number(compared[2])
    switch (compared[1]) {
      case '>=':
        return number >= limit
      case '<=':
        return number <= limit
      case '>':
        return number > limit
      case '<':
        return number < limit
      case '==':
        return number === limit
      default:
        return !Number.isNaN(number) && number !== limit
    }
  }
  const matched = pattern.exec(wanted)
  if (matched) return new RegExp(matched[1]!, matched[2]).test(text)
  if (text === wanted) return true
  return text !== '' && wanted !== '' && Number(text) === Number(wanted)
}

/** A condition in words, for "expected". */
export function inWords(condition: Condition): string {
  const text = String(condition).trim()
  const compared = comparison.exec(text)
  const words: Record<string, string> = {
    '>=': 'at least',
    '<=': 'at most',
    '>': 'more than',
    '<': 'less than',
    '==': '',
    '!=': 'anything but',
  }
  if (compared) return `${words[compared[1]!]} ${compared[2]}`.trim()
  return pattern.test(text) ? `something that matches ${text}` : text
}

/** What is wrong with a condition, if anything. */
export function conditionProblem(condition: Condition): string | undefined {
  const matched = pattern.exec(String(condition).trim())
  if (!matched) return undefined
  try {
    new RegExp(matched[1]!, matched[2])
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}
