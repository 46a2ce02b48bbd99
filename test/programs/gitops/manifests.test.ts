import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse, parseAllDocuments, stringify } from 'yaml'
import { writeKustomization } from '../../../scripts/policy/kustomize.ts'
import { violations } from '../../../scripts/verify/security/restricted.ts'
import { imageRef, readLock } from '../../../shared/lock.ts'
import { services } from '../../../shared/names.ts'
import { projectDir } from '../../../shared/paths.ts'
import { newFolder } from '../../unit/support/folders.ts'

// biome-ignore lint/suspicious/noExplicitAny: objects of several kinds, whose fields each test names.
type Any = any

const folder = join(projectDir, 'gitops')
const read = (file: string): Any[] =>
  parseAllDocuments(readFileSync(join(folder, file), 'utf8')).map(each => each.toJS() as Any)
const [application] = read('argo-cd/application.yaml')
const [applicationSet] = read('argo-cd/applicationset.yaml')
const [repository, kustomization] = read('flux/policies.yaml')
const [job] = read('check-agents/check-agents.yaml')
const container = job.spec.template.spec.containers[0]
const env = Object.fromEntries(container.env.map(({ name, value }: Any) => [name, value]))

describe('the Job that checks the agents', () => {
  test('runs the pinned image in a restricted pod', () => {
    expect(container.image).toBe(imageRef(readLock('').images.node))
    expect(violations(job.spec.template.spec)).toEqual([])
    expect(job.spec.template.spec.automountServiceAccountToken).toBe(false)
  })

  test('has the label by which Prometheus admits it', () => {
    expect(job.spec.template.metadata.labels).toEqual({ 'app.kubernetes.io/name': 'check-agents' })
  })

  test('asks the Prometheus of the lab, and ends before those who wait for it', () => {
    expect(env.PROMETHEUS).toBe(services.prometheus)
    expect(Number(env.TIMEOUT_SECONDS)).toBeLessThan(job.spec.activeDeadlineSeconds)
    expect(job.spec.activeDeadlineSeconds).toBeLessThan(Number.parseInt(kustomization.spec.timeout, 10) * 60)
  })

  test('is what Flux waits for, and what Argo CD runs after a sync', () => {
    const { name, namespace } = job.metadata
    expect(kustomization.spec.healthChecks).toEqual([{ apiVersion: job.apiVersion, kind: job.kind, name, namespace }])
    expect(kustomization.spec.sourceRef).toEqual({ kind: repository.kind, name: repository.metadata.name })
    expect(job.metadata.annotations).toMatchObject({
      'argocd.argoproj.io/hook': 'PostSync',
      'kustomize.toolkit.fluxcd.io/force': 'enabled',
    })
  })
})

describe('the ApplicationSet', () => {
  const { template, strategy, generators } = applicationSet.spec

  test('rolls out to the groups that its clusters and folders are named after', () => {
    const steps = strategy.rollingSync.steps.map(({ matchExpressions: [{ key, values }] }: Any) => [key, ...values])
    expect(steps).toEqual([
      ['policies', 'first'],
      ['policies', 'rest'],
    ])
    expect(template.metadata.labels.policies).toBe('{{ .metadata.labels.policies }}')
    expect(template.spec.source.path).toMatch(/\/\{\{ \.metadata\.labels\.policies \}\}$/)
    expect(generators[0].clusters.selector.matchLabels).toEqual({ tetragon: 'enabled' })
  })

  test('prunes like the Application', () => {
    expect(template.spec.syncPolicy.automated.prune).toBe(true)
    expect(application.spec.syncPolicy.automated.prune).toBe(true)
  })

  const kustomize = spawnSync('kubectl', ['kustomize', '--help']).status === 0
  test.skipIf(!kustomize)('makes the Job a part of the application (needs kubectl on PATH)', () => {
    const built = newFolder()
    writeKustomization(built, ['tcp-connect'], { check: true })
    const file = join(built, 'kustomization.yaml')
    const own = parse(readFileSync(file, 'utf8')) as { patches: object[] }
    const patches = [...own.patches, ...template.spec.source.kustomize.patches]
    spawnSync('tee', [file], { input: stringify({ ...own, patches }) })
    const { stdout, stderr } = spawnSync('kubectl', ['kustomize', built], { encoding: 'utf8' })
    expect(stderr).toBe('')
    const patched = parseAllDocuments(stdout)
      .map(each => each.toJS() as Any)
      .find(({ kind }) => kind === 'Job')
    expect(patched.metadata.annotations).toEqual({
      'argocd.argoproj.io/sync-options': 'Replace=true,Force=true',
      'kustomize.toolkit.fluxcd.io/force': 'enabled',
    })
  })
})

/** A schema of a CRD. */
interface OpenApi {
  type?: string
  enum?: unknown[]
  pattern?: string
  required?: string[]
  properties?: Record<string, OpenApi>
  additionalProperties?: boolean | OpenApi
  items?: OpenApi
  'x-kubernetes-int-or-string'?: boolean
  'x-kubernetes-preserve-unknown-fields'?: boolean
}

/** Returns the paths in a value at which the API server would refuse it, or drop a field. */
function misfits(value: unknown, schema: OpenApi, path: string): string[] {
  if (Array.isArray(value))
    return schema.type === 'array'
      ? value.flatMap((item, index) => misfits(item, schema.items!, `${path}[${index}]`))
      : [`${path} is a list`]
  if (typeof value === 'object' && value !== null) {
    const { properties = {}, required = [], additionalProperties: others } = schema
    const absent = required.filter(name => !(name in value)).map(name => `${path}.${name} is missing`)
    const fields = Object.entries(value).flatMap(([name, field]) => {
      const known = properties[name] ?? (typeof others === 'object' ? others : undefined)
      if (known) return misfits(field, known, `${path}.${name}`)
      return schema['x-kubernetes-preserve-unknown-fields'] ? [] : [`${path}.${name} is unknown`]
    })
    return [...(schema.type === 'object' ? [] : [`${path} is an object`]), ...absent, ...fields]
  }
  const types = schema['x-kubernetes-int-or-string'] ? ['integer', 'string'] : [schema.type]
  const type = Number.isInteger(value) ? 'integer' : typeof value
  const fits =
    types.includes(type) &&
    (!schema.enum || schema.enum.includes(value)) &&
    (!schema.pattern || new RegExp(schema.pattern).test(String(value)))
  return fits ? [] : [`${path} is ${value}`]
}

const crdFolder = process.env.LAB_CRDS
test.skipIf(!crdFolder)('fits the CRDs of Argo CD and Flux (needs LAB_CRDS, a folder with their YAML)', () => {
  const crds = readdirSync(crdFolder!).map(file => parse(readFileSync(join(crdFolder!, file), 'utf8')) as Any)
  for (const object of [application, applicationSet, repository, kustomization]) {
    const [group, version] = object.apiVersion.split('/')
    const crd = crds.find(({ spec }) => spec.group === group && spec.names.kind === object.kind)
    const schema = crd.spec.versions.find(({ name }: Any) => name === version).schema.openAPIV3Schema
    expect(misfits(object.spec, schema.properties.spec, object.kind)).toEqual([])
    expect(misfits({ ...object.spec, surplus: 1 }, schema.properties.spec, object.kind)).toHaveLength(1)
  }
})
