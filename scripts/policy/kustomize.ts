import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parse, parseAllDocuments, type Scalar, stringify, type YAMLMap } from 'yaml'
import { LabError } from '../../shared/lab-error.ts'
import { policyFile } from './catalog.ts'
import type { Finding } from './lint/lint.ts'
import { readLintedPolicy } from './lint-files.ts'
import { readPolicyDocuments } from './model/policy-source.ts'

/** The first line of a kustomization.yaml that the lab may overwrite. `bundle` is the command's earlier name. */
const header = '# Made by `lab policy kustomize`.'
const ownHeader = /^# Made by `lab policy (kustomize|bundle)`\./

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
 * @param options.namespace Replaces the namespace of all TracingPolicyNamespaced.
 * @param options.warn Called with each lint warning.
 * @returns the paths of the files.
 * @throws LabError when a policy does not exist or has a lint error, a file name or a policy occurs twice, or the
 * folder has other files.
 */
export function writeKustomization(
  folder: string,
  policies: string[],
  options: { namespace?: string; warn?: (finding: Finding) => void } = {},
): string[] {
  const files = [...new Set(policies.map(policyFile))]
    .map(file => readLintedPolicy(file, options.warn))
    .map(({ file, text }) => ({ file, name: basename(file), text: moveToNamespace(text, options.namespace) }))
  refuseDuplicates(files)
  const index = join(folder, 'kustomization.yaml')
  for (const file of earlierFiles(folder, index)) rmSync(join(folder, basename(file)), { force: true })

  mkdirSync(folder, { recursive: true })
  for (const { name, text } of files) writeFileSync(join(folder, name), text)
  const resources = files.map(({ name }) => name).sort()
  const kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    // Argo CD refuses objects of an unknown kind, but the same sync may install Tetragon.
    commonAnnotations: { 'argocd.argoproj.io/sync-options': 'SkipDryRunOnMissingResource=true' },
    resources,
  }
  writeFileSync(index, `${header} Tetragon and its CRDs must be in the cluster.\n${stringify(kustomization)}`)
  return ['kustomization.yaml', ...resources].map(file => join(folder, file))
}

/**
 * Returns the policies of an earlier kustomization in the folder.
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
  return (parse(text) as { resources?: string[] }).resources ?? []
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
