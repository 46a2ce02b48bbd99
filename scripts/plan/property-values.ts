// Special values in Pulumi's resource protocol.

/** The id that Pulumi uses for a value that is known only after a real run. */
export const unknownId = '04da6b54-80e4-46f7-96ec-b56ff0331ba9'
const signatureKey = '4dabf18193072939515e22adb298388d'
const secretSignature = '1b47061264138c4ac30d75fd1eb44270'
const outputSignature = 'd0e6a833031e9bbcd3f4e8bde6ca49a4'

/** Stands for a secret in a plan. */
export const secretText = '[secret]'
/** Stands for a value in a plan that is not known yet. */
export const unknownText = '[known after up]'

/** Converts values of the protocol to plain ones, with secrets hidden and unknown values marked. */
export function plainValue(value: unknown): unknown {
  if (value === unknownId) return unknownText
  if (Array.isArray(value)) return value.map(plainValue)
  if (typeof value !== 'object' || value === null) return value
  const record = value as Record<string, unknown>
  if (record[signatureKey] === secretSignature) return secretText
  if (record[signatureKey] === outputSignature)
    return record.secret ? secretText : 'value' in record ? plainValue(record.value) : unknownText
  return Object.fromEntries(Object.entries(record).map(([key, child]) => [key, plainValue(child)]))
}
