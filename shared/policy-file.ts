import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { LabError } from './lab-error.ts'
import { projectDir } from './paths.ts'
import { removeCommand, setCommand } from './settings/config-commands.ts'
import { brief, nearest } from './validation/schema-errors.ts'
import { isMapping, readSingle } from './validation/yaml-source.ts'

/** A parsed TracingPolicy. */
export interface PolicyDocument {
  apiVersion: string
  kind: 'TracingPolicy' | 'TracingPolicyNamespaced'
  metadata: { name: string; namespace?: string }
  spec: Record<string, unknown>
}

/** The folder of the lab's own policies. */
export const policyFolder = join(projectDir, 'policies')

/** Returns the names of the policies in a folder: the file names without `.yaml`. */
export const policyNames = (folder = policyFolder): string[] =>
  readdirSync(folder)
    .filter(file => file.endsWith('.yaml'))
    .map(file => basename(file, '.yaml'))
    .sort()

/**
 * Reads one file of `policies/` by its name in the setting `policies.apply`.
 * @param applied The whole setting, so that the fix can repeat it with the right name.
 * @throws LabError when there is no such file, or it is not a policy.
 */
export function readLabPolicy(name: string, applied: string[] = [name]): PolicyDocument {
  const names = policyNames()
  if (!names.includes(name)) {
    const near = nearest(name, names)
    const corrected = applied.flatMap(each => (each === name ? (near ?? []) : each))
    throw new LabError({
      found: `policies.apply names ${name || '""'}, but policies/${name}.yaml does not exist`,
      expected: `names from ./lab policy list${near ? `; the nearest is ${near}` : ''}`,
      next: corrected.length > 0 ? setCommand('policies.apply', corrected) : removeCommand(['policies', 'apply']),
    })
  }
  return parsePolicy(readFileSync(join(policyFolder, `${name}.yaml`), 'utf8'), `policies/${name}.yaml`)
}

/**
 * Parses a text that must be one TracingPolicy. It does not check that the policy makes sense; `lab policy lint` does.
 * @param file The file's name, for the error.
 * @throws LabError when the text is not YAML, or not a policy.
 */
export function parsePolicy(text: string, file: string): PolicyDocument {
  const { value, errors, line } = readSingle(text)
  const invalid = (found: string, at: number): LabError =>
    new LabError({
      found: `${file}, line ${at}: ${found}`,
      expected: 'one TracingPolicy or TracingPolicyNamespaced, with apiVersion, metadata.name and spec',
      next: `./lab policy lint ${file}`,
    })
  if (errors[0]) throw invalid(errors[0].message, errors[0].line)
  const document = (isMapping(value) ? value : {}) as unknown as PolicyDocument
  const { apiVersion, kind, metadata, spec } = document
  if (kind !== 'TracingPolicy' && kind !== 'TracingPolicyNamespaced')
    throw invalid(kind === undefined ? 'kind is missing' : `kind is ${brief(kind)}`, line(['kind']))
  if (typeof apiVersion !== 'string') throw invalid('apiVersion is missing', line(['apiVersion']))
  if (!isMapping(metadata) || typeof metadata.name !== 'string')
    throw invalid('metadata.name is missing', line(['metadata']))
  if (!isMapping(spec)) throw invalid('spec is missing', line(['spec']))
  return document
}
