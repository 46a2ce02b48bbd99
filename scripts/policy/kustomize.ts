import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parse, parseAllDocuments, type Scalar, stringify, type YAMLMap } from 'yaml'
import { LabError } from '../../shared/lab-error.ts'
import { namespaces } from '../../shared/names.ts'
import { projectDir } from '../../shared/paths.ts'
import { policyFile } from './catalog.ts'
import type { Finding } from './lint/lint.ts'
import { readLintedPolicy } from './lint-files.ts'
import { readPolicyDocuments } from './model/policy-source.ts'
import { atStage, type Rollout } from './rollout.ts'

/** The first line of a kustomization.yaml that the lab may overwrite. `bundle` is the command's earlier name. */
const header = '# Made by `lab policy kustomize`.'
const ownHeader = /^# Made by `lab policy (kustomize|bundle)`\./

/** The Job that fails a sync when an agent could not load a policy, and the program that it runs. */
const checkFolder = join(projectDir, 'gitops', 'check-agents')
const checkName = 'check-agents'
const checkJob = `${checkName}.yaml`
const checkProgram = `${checkName}.mts`

/** What `writeKustomization` changes in the policies and adds to them. */
export interface KustomizationOptions extends Rollout {
  /** Replaces the namespace of all TracingPolicyNamespaced. */
  namespace?: string
  /** Adds a Job that fails the sync when an agent could not load a policy. */
  check?: boolean
  /** Called with each lint warning. */
  warn?: (finding: Finding) => void
}

interface PolicyFile {
  /** The path that the user gave. */
  file: string
  /** The file name in the kustomization. */
  name: string
  text: string
}

/**
 * Writes policies as a kustomization, which `kubectl apply -k`, Argo CD and Flux accept.
 * @param folder The function creates it, or overwrites an earlier kustomization of the lab.
 * @param policies Names of the lab's policies, or files.
 * @returns the paths of the files.
 * @throws LabError when a policy does not exist or has a lint error, a file name or a policy occurs twice, or the
 * folder has other files.
 */
export function writeKustomization(
  folder: string,
  policies: string[],
  { namespace, check, warn, ...rollout }: KustomizationOptions = {},
): string[] {
  const files = [...new Set(policies.map(policyFile))]
    .map(file => readLintedPolicy(file, warn))
    .map(({ file, text }) => ({
      file,
      name: basename(file),
      text: atStage(moveToNamespace(text, namespace), rollout),
    }))
  refuseDuplicates(files)
  const index = join(folder, 'kustomization.yaml')
  for (const file of earlierFiles(folder, index)) rmSync(join(folder, basename(file)), { force: true })

  mkdirSync(folder, { recursive: true })
  for (const { name, text } of files) writeFileSync(join(folder, name), text)
  const names = files.map(({ name }) => name).sort()
  if (check) for (const file of [checkJob, checkProgram]) copyFileSync(join(checkFolder, file), join(folder, file))
  const kustomization: Kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: check ? [...names, checkJob] : names,
    patches: [skipDryRun],
    ...(check && { configMapGenerator: [checkConfigMap(files)] }),
  }
  writeFileSync(index, `${header} Tetragon and its CRDs must be in the cluster.\n${stringify(kustomization)}`)
  return ['kustomization.yaml', ...names, ...(check ? [checkJob, checkProgram] : [])].map(file => join(folder, file))
}

interface Kustomization {
  apiVersion: string
  kind: string
  resources: string[]
  patches: object[]
  configMapGenerator?: { name: string; namespace: string; literals: string[]; files: string[] }[]
}

/** Argo CD refuses objects of an unknown kind, but the same sync may install Tetragon. */
const skipDryRun = {
  target: { group: 'cilium.io' },
  patch: stringify({
    apiVersion: 'cilium.io/v1alpha1',
    kind: 'TracingPolicy',
    // The target decides, not this name.
    metadata: {
      name: 'each',
      annotations: { 'argocd.argoproj.io/sync-options': 'SkipDryRunOnMissingResource=true' },
    },
  }),
}

/** Returns the ConfigMap of the check. It contains the policies too, so that its name changes with each of them. */
const checkConfigMap = (files: PolicyFile[]) => ({
  name: checkName,
  namespace: namespaces.monitoring,
  literals: [
    `POLICIES=${files
      .flatMap(({ text }) => policyKeys(text))
      .sort()
      .join(' ')}`,
  ],
  files: [checkProgram, ...files.map(({ name }) => name).sort()],
})

/** Returns the policies of a text as `tcp-connect`, or `application/deny-wget` for a namespaced one. */
const policyKeys = (text: string): string[] =>
  readPolicyDocuments(text).map(({ value }) => {
    const { metadata } = value as { metadata: { name: string; namespace?: string } }
    return metadata.namespace ? `${metadata.namespace}/${metadata.name}` : metadata.name
  })

/**
 * Returns the files of an earlier kustomization in the folder.
 * @throws LabError when the folder has files that are not the lab's.
 */
function earlierFiles(folder: string, index: string): string[] {
  if (!existsSync(folder) || readdirSync(folder).length === 0) return []
  const text = existsSync(index) ? readFileSync(index, 'utf8') : ''
  if (!ownHeader.test(text))
    throw new LabError({
      found: `${folder} has files that \`lab policy kustomize\` did not write`,
      expected: 'an empty folder, or one that it wrote',
      next: `./lab policy kustomize ${join(folder, 'policies')}`,
    })
  const { resources = [], configMapGenerator = [] } = parse(text) as Partial<Kustomization>
  return [...resources, ...configMapGenerator.flatMap(({ files }) => files)]
}

/** Refuses file names and policies that occur twice, because neither a folder nor kustomize can have two. */
function refuseDuplicates(files: PolicyFile[]): void {
  const fileOf = new Map<string, string>()
  const refuseSecond = (claim: string, file: string): void => {
    const first = fileOf.get(claim)
    if (first !== undefined)
      throw new LabError({ found: `${first} and ${file} ${claim}`, next: './lab policy kustomize --help' })
    fileOf.set(claim, file)
  }
  for (const { file, name, text } of files) {
    refuseSecond(`are both called ${name}`, file)
    for (const { value } of readPolicyDocuments(text)) {
      const { kind, metadata } = value as { kind: string; metadata: { name: string; namespace?: string } }
      const where = metadata.namespace ? ` in ${metadata.namespace}` : ''
      refuseSecond(`both contain the ${kind} ${metadata.name}${where}`, file)
    }
  }
}

/** Sets the namespace of every TracingPolicyNamespaced and leaves the rest of the text as it is. */
function moveToNamespace(text: string, namespace?: string): string {
  if (!namespace) return text
  // From the last document to the first, so that an edit does not shift the offsets of the next one.
  return parseAllDocuments(text).reduceRight((edited, document) => {
    if (document.get('kind') !== 'TracingPolicyNamespaced') return edited
    const [from, to] = (document.getIn(['metadata', 'namespace'], true) as Scalar | undefined)?.range ?? []
    if (from !== undefined) return edited.slice(0, from) + namespace + edited.slice(to)
    const metadata = document.get('metadata', true) as YAMLMap
    const [start] = metadata.range!
    if (metadata.flow) return `${edited.slice(0, start)}{ namespace: ${namespace},${edited.slice(start + 1)}`
    const indent = ' '.repeat(start - (edited.lastIndexOf('\n', start - 1) + 1))
    return `${edited.slice(0, start)}namespace: ${namespace}\n${indent}${edited.slice(start)}`
  }, text)
}
