import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parse, parseDocument, type Scalar, stringify } from 'yaml'
import { LabError } from '../../stacks/error.ts'
import { policyFile } from './catalog.ts'

const mark = '# Made by `lab policy bundle`.'

/**
 * Writes policies as a folder that `kubectl apply -k`, Argo CD and Flux take.
 * @param folder Made if it is not there.
 * @param policies Names of the lab's policies, or files.
 * @param options.namespace Put into policies that are for one namespace, in place of their own.
 * @returns the names of the files.
 * @throws LabError when a policy is not found, or the folder holds something else.
 */
export function bundlePolicies(folder: string, policies: string[], options: { namespace?: string } = {}): string[] {
  const files = policies.map(policyFile)
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
  const resources = files.map(file => basename(file)).sort()
  for (const file of files)
    writeFileSync(join(folder, basename(file)), inNamespace(readFileSync(file, 'utf8'), options.namespace))
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

/** A policy that is for one namespace, put into another; the rest of the text stays as it was written. */
function inNamespace(text: string, namespace?: string): string {
  const document = parseDocument(text)
  if (!namespace || document.get('kind') !== 'TracingPolicyNamespaced') return text
  const range = (document.getIn(['metadata', 'namespace'], true) as Scalar | undefined)?.range
  if (range) return text.slice(0, range[0]) + namespace + text.slice(range[1])
  document.setIn(['metadata', 'namespace'], namespace)
  return document.toString()
}
