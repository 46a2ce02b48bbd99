import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { policyFolder } from '../../../shared/policy-file.ts'

// How each policy of the lab is triggered, and what then happens: policies/try/NAME.yaml.

const text = z.string().min(1)

const trialSchema = z.strictObject({
  /** A shell command that triggers the policy, once the policy is loaded. */
  run: text,
  /** The exit code of the command. */
  exit: z.number().int().min(0).max(255).default(0),
  /** Text that the command prints, on any stream. */
  prints: text.optional(),
  /** An event of the policy, or `none` for a policy that sends no events. */
  event: z.union([
    z.literal('none'),
    z.strictObject({
      /** How the command line of the event's process starts, without the program's folder. */
      process: text,
      /** Text in an argument of the event. Addresses are as in `10.0.0.1:41234 -> 10.0.0.2:80`. */
      argument: text.optional(),
    }),
  ]),
})

/** The trigger of a policy, and what then happens. */
export type Trial = z.output<typeof trialSchema>

/** Reads the trial of a policy of the lab. */
export const readTrial = (policy: string): Trial =>
  trialSchema.parse(parse(readFileSync(join(policyFolder, 'try', `${policy}.yaml`), 'utf8')))
