import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { LabError } from '../../shared/lab-error.ts'
import { projectDir } from '../../shared/paths.ts'
import { parsePolicy } from '../../shared/policy-file.ts'
import { nearest } from '../../shared/validation/schema-errors.ts'
import type { Feature } from '../kernel/features.ts'
import { severityTags } from './lint/words.ts'
import type { PolicyKind } from './model/crd-schema.ts'
import {
  enforces,
  enforcingActions,
  isMonitor,
  monitorSuffix,
  needsOf,
  readPolicyModel,
  sections,
} from './model/policy-model.ts'

/** Where the lab's policies are. */
export const policyFolder = join(projectDir, 'policies')

/** A policy of the lab: what it is for, from the comments at its top, and what it does, from what follows. */
export interface CatalogEntry {
  name: string
  file: string
  kind: PolicyKind
  namespace?: string
  shows: string
  costs: string
  needs: string
  /** A command that triggers it. */
  try: string
  /** Loaded as it stands it kills or denies. */
  enforces: boolean
  /** What it does besides reporting, as in Sigkill; in monitor mode what it would do. */
  actions: string[]
  /** It reports what it would do, and does nothing. */
  monitor: boolean
  /** The twin in monitor mode of one that enforces, and the other way round. */
  twin?: string
  severity?: string
  /** Functions, LSM hooks or tracepoints that it watches. */
  hooks: string[]
  /** Features of the kernel that it cannot do without, as `lab doctor` names them. */
  features: Feature[]
}

/** What a policy's file must say at its top, each as a comment that starts with the word. */
export const headerKeys = ['Shows', 'Costs', 'Needs', 'Try'] as const

/** Reads the comments above a policy: `# Shows: ...`, gone on by lines that start with three spaces. */
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

/** All policies of a folder, by name. @throws LabError for a file in it that holds none. */
export const readCatalog = (folder = policyFolder): CatalogEntry[] => {
  const names = readdirSync(folder)
    .filter(file => file.endsWith('.yaml'))
    .map(file => basename(file, '.yaml'))
    .sort()
  return names.map(name => readEntry(join(folder, `${name}.yaml`), names))
}

function readEntry(file: string, names: string[]): CatalogEntry {
  const text = readFileSync(file, 'utf8')
  const document = parsePolicy(text, relative(projectDir, file))
  const policy = readPolicyModel(document.kind, document)
  const header = readHeader(text)
  const name = policy.name ?? basename(file, '.yaml')
  const twin = name.endsWith(monitorSuffix) ? name.slice(0, -monitorSuffix.length) : `${name}${monitorSuffix}`
  const tags = policy.hooks.flatMap(({ spec }) => (Array.isArray(spec.tags) ? spec.tags.map(String) : []))
  return {
    name,
    file: relative(projectDir, file),
    kind: policy.kind,
    ...(policy.namespace && { namespace: policy.namespace }),
    shows: header.Shows ?? '',
    costs: header.Costs ?? '',
    needs: header.Needs ?? '',
    try: header.Try ?? '',
    enforces: enforces(policy),
    actions: [...new Set(enforcingActions(policy).map(({ action }) => action))],
    monitor: isMonitor(policy),
    ...(names.includes(twin) && { twin }),
    ...severityOf(tags),
    hooks: [
      ...new Set(
        sections.flatMap(section => policy.hooks.filter(hook => hook.section === section)).map(hook => hook.name),
      ),
    ],
    features: [...new Set(needsOf(policy).map(({ feature }) => feature))],
  }
}

/** The gravest severity among tags. */
function severityOf(tags: string[]): { severity?: string } {
  const gravest = severityTags.findLast(tag => tags.includes(tag))
  return gravest ? { severity: gravest.slice('severity.'.length) } : {}
}

/**
 * The file that is meant by a policy's name, or by a path.
 * @throws LabError when there is neither.
 */
export function policyFile(nameOrFile: string): string {
  const own = join(policyFolder, `${nameOrFile}.yaml`)
  if (/^[a-z0-9.-]+$/.test(nameOrFile) && existsSync(own)) return own
  if (existsSync(nameOrFile) && statSync(nameOrFile).isFile()) return nameOrFile
  const near = nearest(
    nameOrFile,
    readdirSync(policyFolder).map(file => basename(file, '.yaml')),
  )
  throw new LabError({
    found: `no policy is called ${nameOrFile}, and there is no such file`,
    expected: `a name of \`./lab policy list\`${near ? ` (the nearest is ${near})` : ''}, or a YAML file`,
    next: './lab policy list',
    exitCode: 2,
  })
}
