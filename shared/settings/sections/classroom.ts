import { z } from 'zod'
import { patternText } from './values.ts'

/** Progress for a teacher. */
export const classroom = z.strictObject({
  pushTo: patternText(/^(https?:\/\/\S+)?$/, 'an address that begins with http:// or https://')
    .default('')
    .describe(
      'Address that receives your exercise progress, as shown by the teacher’s `lab class open`. If it is empty, nothing is sent.',
    ),
  student: z
    .string()
    .default('')
    .describe('Name that the teacher sees. If it is empty, the names of your account and machine are used.'),
})
