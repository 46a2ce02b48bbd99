import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { LabError } from './lab-error.ts'
import { projectDir } from './paths.ts'
import { removeCommand, setCommand } from './settings/schema.ts'
import { brief, nearest } from './validation/schema-errors.ts'
import { readSingle } from './validation/yaml-source.ts'

/** A TracingPolicy as it stands in its file. */
export interface PolicyDocument {
  apiVersion: string
  kind: 'TracingPolicy' | 'TracingPolicyNamespaced'
  metadata: { name: string; namespace?: string }
  spec: Record<string, unknown>
}

const folder = join(projectDir, 'policies')

/**
 * Reads one file of `policies/`, as the setting `policies.apply` names it.
 * @param given all that the setting names, to say it without a wrong one.
 * @throws LabError when there is no such file, or it holds no policy.
 */
export function readPolicy(name: string, given: string[] = [name]): PolicyDocument {
  const names = readdirSync(folder)
    .filter(entry => entry.endsWith('.yaml'))
    .map(entry => basename(entry, '.yaml'))
  if (!names.includes(name)) {
    const near = nearest(name, names)
    const right = given.flatMap(one => (one === name ? (near ?? []) : one))
    throw new LabError({
      found: `policies.apply names ${name || '""'}, but there is no policies/${name}.yaml`,
      expected: `names of ./lab policy list${near ? `; the nearest is ${near}` : ''}`,
      next: right.length > 0 ? setCommand('policies.apply', right) : removeCommand(['policies', 'apply']),
    })
  }
  return parsePolicy(readFileSync(join(folder, `${name}.yaml`), 'utf8'), `policies/${name}.yaml`)
}

/**
 * Reads a text that must be one TracingPolicy. Whether the policy makes sense is for `lab policy lint` to say.
 * @param file its name, for the error.
 * @throws LabError for what is not YAML, or no policy.
 */
export function parsePolicy(text: string, file: string): PolicyDocument {
  const { value, errors, line } = readSingle(text)
  const wrong = (found: string, at: number): LabError =>
    new LabError({
      found: `${file}, line ${at}: ${found}`,
      expected: 'one TracingPolicy or TracingPolicyNamespaced, with apiVersion, metadata.name and spec',
      next: `./lab policy lint ${file}`,
    })
  if (errors[0]) throw wrong(errors[0].message, errors[0].line)
  const document = (isMap(value) ? value : {}) as unknown as PolicyDocument
  const { apiVersion, kind, metadata, spec } = document
  if (kind !== 'TracingPolicy' && kind !== 'TracingPolicyNamespaced')
    throw wrong(kind === undefined ? 'no kind' : `kind ${brief(kind)}`, line(['kind']))
  if (typeof apiVersion !== 'string') throw wrong('no apiVersion', line(['apiVersion']))
  if (!isMap(metadata) || typeof metadata.name !== 'string') throw wrong('no metadata.name', line(['metadata']))
  if (!isMap(spec)) throw wrong('no spec', line(['spec']))
  return document
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
