import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parse, parseAllDocuments, type Scalar, stringify, type YAMLMap } from 'yaml'
import { LabError } from '../../shared/lab-error.ts'
import { readSource } from '../../shared/validation/yaml-source.ts'
import { policyFile } from './catalog.ts'
import type { Finding } from './lint/lint.ts'
import { readSound } from './lint-files.ts'

const mark = '# Made by `lab policy bundle`.'

/**
 * Writes policies as a folder that `kubectl apply -k`, Argo CD and Flux take.
 * @param folder Made if it is not there.
 * @param policies Names of the lab's policies, or files.
 * @param options.namespace Put into policies that are for one namespace, in place of their own.
 * @param options.warn Told of the lint's warnings.
 * @returns the names of the files.
 * @throws LabError when a policy is not found or the lint finds an error in it, when two are one in the cluster or in the folder, or when the
 * folder holds something else.
 */
export function bundlePolicies(
  folder: string,
  policies: string[],
  options: { namespace?: string; warn?: (finding: Finding) => void } = {},
): string[] {
  const sound = [...new Set(policies.map(policyFile))].map(file => readSound(file, options.warn))
  const files = sound.map(({ file, text }) => ({
    file,
    name: basename(file),
    text: inNamespace(text, options.namespace),
  }))
  refuseTwice(files)
  const index = join(folder, 'kustomization.yaml')
  const taken = existsSync(folder) && readdirSync(folder).length > 0
  if (taken && !(existsSync(index) && readFileSync(index, 'utf8').startsWith(mark)))
    throw new LabError({
      found: `${folder} holds files that are not a bundle`,
      expected: 'an empty folder, or a bundle to write over',
      next: `./lab policy bundle ${join(folder, 'policies')}`,
    })

  mkdirSync(folder, { recursive: true })
  const earlier = taken ? ((parse(readFileSync(index, 'utf8')) as { resources?: string[] }).resources ?? []) : []
  for (const file of earlier) rmSync(join(folder, basename(file)), { force: true })
  const resources = files.map(({ name }) => name).sort()
  for (const { name, text } of files) writeFileSync(join(folder, name), text)
  const kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    // Argo CD checks objects against kinds that are known; Tetragon may be on its way in the same sync.
    commonAnnotations: { 'argocd.argoproj.io/sync-options': 'SkipDryRunOnMissingResource=true' },
    resources,
  }
  writeFileSync(index, `${mark} Tetragon and its CRDs must be in the cluster.\n${stringify(kustomization)}`)
  return ['kustomization.yaml', ...resources].map(file => join(folder, file))
}

/** Refuses what the folder, or kustomize, has room for only once. */
function refuseTwice(files: { file: string; name: string; text: string }[]): void {
  const seen = new Map<string, string>()
  const once = (what: string, file: string): void => {
    const other = seen.get(what)
    if (other !== undefined)
      throw new LabError({
        found: `${other} and ${file} are both ${what}`,
        expected: 'one of each in a bundle',
        next: './lab policy bundle --help',
      })
    seen.set(what, file)
  }
  for (const { file, name, text } of files) {
    once(`called ${name}`, file)
    for (const { value } of readSource(text)) {
      const { kind, metadata } = value as { kind: string; metadata: { name: string; namespace?: string } }
      once(
        [`the ${kind} ${metadata.name}`, ...(metadata.namespace ? [`of ${metadata.namespace}`] : [])].join(' '),
        file,
      )
    }
  }
}

/** Policies that are for one namespace, put into another; the rest of the text stays as it was written. */
function inNamespace(text: string, namespace?: string): string {
  if (!namespace) return text
  // From the end, so that what is put in moves no place that is still to come.
  return parseAllDocuments(text).reduceRight((before, document) => {
    if (document.get('kind') !== 'TracingPolicyNamespaced') return before
    const [from, to] = (document.getIn(['metadata', 'namespace'], true) as Scalar | undefined)?.range ?? []
    if (from !== undefined) return before.slice(0, from) + namespace + before.slice(to)
    const metadata = document.get('metadata', true) as YAMLMap
    const [first] = metadata.range!
    if (metadata.flow) return `${before.slice(0, first)}{ namespace: ${namespace},${before.slice(first + 1)}`
    const indent = ' '.repeat(first - (before.lastIndexOf('\n', first - 1) + 1))
    return `${before.slice(0, first)}namespace: ${namespace}\n${indent}${before.slice(first)}`
  }, text)
}
