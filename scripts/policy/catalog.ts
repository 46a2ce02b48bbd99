import { existsSync, readFileSync, statSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { LabError } from '../../shared/lab-error.ts'
import { projectDir } from '../../shared/paths.ts'
import { parsePolicy, policyFolder, policyNames } from '../../shared/policy-file.ts'
import { nearest } from '../../shared/validation/schema-errors.ts'
import type { Feature } from '../kernel/features.ts'
import { severityTags } from './lint/metadata-rules.ts'
import type { PolicyKind } from './model/crd-schema.ts'
import { kernelNeeds } from './model/kernel-needs.ts'
import { enforces, enforcingActions, isMonitor, monitorSuffix, readPolicyModel, tagsOf } from './model/policy-model.ts'
import { readTrial, type Trial } from './trial/trial.ts'

/** A policy of the lab: its purpose from the comments in its header, and its effect from the policy itself. */
export interface CatalogEntry {
  name: string
  file: string
  kind: PolicyKind
  namespace?: string
  shows: string
  costs: string
  needs: string
  /** How to trigger it, and what then happens. */
  trial: Trial
  /** Whether it kills or refuses when it is loaded as it is. */
  enforces: boolean
  /** The enforcing actions, as in Sigkill. In monitor mode they only report. */
  actions: string[]
  /** Whether it is in monitor mode. */
  monitor: boolean
  /** The same policy in the other mode, monitor or enforce. */
  twin?: string
  severity?: string
  /** The functions, LSM hooks or tracepoints that it watches. */
  hooks: string[]
  /** The kernel features that it needs, as `lab doctor` names them. */
  features: Feature[]
}

/** The comments that every policy of the lab starts with, as in `# Shows: …`. */
export const headerKeys = ['Shows', 'Costs', 'Needs'] as const

/** Reads the comments above a policy, as in `# Shows: …`. A line indented by three spaces continues the one before. */
export function readHeader(text: string): Record<string, string> {
  const header: Record<string, string> = {}
  let key: string | undefined
  for (const line of text.split('\n')) {
    if (!line.startsWith('#')) break
    const [, word, rest] = /^# ([A-Za-z]+): (.*)$/.exec(line) ?? []
    if (word) {
      key = word
      header[key] = rest!
    } else if (key && line.startsWith('#   ')) header[key] += ` ${line.slice(4)}`
    else key = undefined
  }
  return header
}

/** Returns the policies of the lab, sorted by name. @throws LabError when a file is not a policy. */
export const readCatalog = (): CatalogEntry[] => {
  const names = policyNames()
  return names.map(name => readEntry(join(policyFolder, `${name}.yaml`), names))
}

/** Returns a policy of the lab. @throws LabError when it has none of that name. */
export function catalogEntry(name: string): CatalogEntry {
  const entry = readCatalog().find(each => each.name === name)
  if (entry) return entry
  throw unknownPolicyError(`The lab has no policy ${name}`, name)
}

function readEntry(file: string, names: string[]): CatalogEntry {
  const text = readFileSync(file, 'utf8')
  const document = parsePolicy(text, relative(projectDir, file))
  const policy = readPolicyModel(document.kind, document)
  const header = readHeader(text)
  const name = basename(file, '.yaml')
  const twin = name.endsWith(monitorSuffix) ? name.slice(0, -monitorSuffix.length) : `${name}${monitorSuffix}`
  return {
    name,
    file: relative(projectDir, file),
    kind: policy.kind,
    ...(policy.namespace && { namespace: policy.namespace }),
    shows: header.Shows ?? '',
    costs: header.Costs ?? '',
    needs: header.Needs ?? '',
    trial: readTrial(name),
    enforces: enforces(policy),
    actions: [...new Set(enforcingActions(policy).map(({ action }) => action))],
    monitor: isMonitor(policy),
    ...(names.includes(twin) && { twin }),
    ...severityOf(policy.hooks.flatMap(tagsOf)),
    hooks: [...new Set(policy.hooks.map(hook => hook.name))],
    features: [...new Set(kernelNeeds(policy).map(({ feature }) => feature))],
  }
}

/** Returns the highest severity among tags. */
function severityOf(tags: string[]): { severity?: string } {
  const highest = severityTags.findLast(tag => tags.includes(tag))
  return highest ? { severity: highest.slice('severity.'.length) } : {}
}

/** Returns the file of a policy that is given by its name or by its path. @throws LabError when neither exists. */
export function policyFile(nameOrFile: string): string {
  const own = join(policyFolder, `${nameOrFile}.yaml`)
  if (/^[a-z0-9.-]+$/.test(nameOrFile) && existsSync(own)) return own
  if (existsSync(nameOrFile) && statSync(nameOrFile).isFile()) return nameOrFile
  throw unknownPolicyError(`There is no policy and no file ${nameOrFile}`, nameOrFile, ', or a YAML file')
}

function unknownPolicyError(found: string, name: string, otherwise = ''): LabError {
  const near = nearest(name, policyNames())
  return new LabError({
    found,
    expected: `a name from \`./lab policy list\`${near ? ` (the nearest is ${near})` : ''}${otherwise}`,
    next: './lab policy list',
    exitCode: 2,
  })
}
