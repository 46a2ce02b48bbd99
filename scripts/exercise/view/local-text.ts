import type { Token } from 'marked'
import { forwardsFor, replaceAddresses } from '../../../shared/addresses.ts'
import type { Settings } from '../../../shared/settings/schema.ts'
import type { Exercise } from '../definition/exercises.ts'
import { parseExerciseText } from '../definition/text.ts'

/** Returns the text of an exercise with the addresses of this lab, and the port-forwards that it needs here. */
export function textFor({ text }: Pick<Exercise, 'text'>, settings: Settings): { tokens: Token[]; forwards: string[] } {
  const markdown = text.tokens.map(({ raw }) => raw).join('')
  return {
    tokens: parseExerciseText(replaceAddresses(markdown, settings)).tokens,
    forwards: forwardsFor(markdown, settings),
  }
}
