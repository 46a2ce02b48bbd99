import { z } from 'zod'

// Kinds of values that several sections have.

/** Text that must match a pattern; `allowed` describes the pattern in words. */
export const patternText = (pattern: RegExp, allowed: string) => z.string().regex(pattern).meta({ allowed })

const objectName = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/

/** Name of a Kubernetes object; empty for none. */
export const optionalName = () =>
  patternText(
    new RegExp(`^(${objectName.source.slice(1, -1)})?$`),
    'a name of lower-case letters, digits, dots and dashes',
  ).default('')

/**
 * Name of a Secret that you create in the namespace `monitoring`; empty for none. Settings, state and plan contain only
 * this name.
 * @param keys what it must contain, as in "`username` and `password`".
 */
export const secretName = (example: string, what: string, keys: string) =>
  optionalName()
    .describe(`Name of a Secret in the namespace \`monitoring\` with ${what}: its keys are ${keys}.`)
    .meta({ examples: [example] })

/** Address that begins with http:// or https://; empty for none. */
export const optionalUrl = () =>
  patternText(/^(https?:\/\/\S+)?$/, 'an address that begins with http:// or https://').default('')

/** Texts by name. */
export const texts = (allowed: string) => z.record(z.string().min(1), z.string()).default({}).meta({ allowed })

/** Size of a volume. */
export const volumeSize = () => patternText(/^[1-9]\d*Gi$/, 'whole gibibytes, as in 2Gi')

const cpu = () => patternText(/^[1-9]\d*m?$/, 'processors, or thousandths of one, as in 250m')
const memory = () => patternText(/^[1-9]\d*(Mi|Gi)$/, 'mebibytes or gibibytes, as in 512Mi')

/** What each pod of a component requests, and the memory at which it is killed. */
export const resources = (of: string, standard: { cpu: string; memory: string; memoryLimit: string }) =>
  z
    .strictObject({
      cpu: cpu().default(standard.cpu).describe(`Processor time that ${of} requests.`),
      memory: memory().default(standard.memory).describe(`Memory that ${of} requests.`),
      memoryLimit: memory().default(standard.memoryLimit).describe(`Memory at which ${of} is killed.`),
    })
    .prefault({})
