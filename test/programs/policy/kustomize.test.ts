import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { readCatalog } from '../../../scripts/policy/catalog.ts'
import { writeKustomization } from '../../../scripts/policy/kustomize.ts'
import { LabError } from '../../../shared/lab-error.ts'
import { projectDir } from '../../../shared/paths.ts'
import { policyFolder } from '../../../shared/policy-file.ts'

interface Document {
  kind: string
  metadata: { name: string; namespace?: string; annotations?: object }
  spec: object
}

const text = (name: string): string => readFileSync(join(policyFolder, `${name}.yaml`), 'utf8')
const document = (name: string): Document => parse(text(name)) as Document

describe('a kustomization', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kustomize-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))
  const index = () =>
    parse(readFileSync(join(folder, 'kustomization.yaml'), 'utf8')) as { kind: string; resources: string[] }

  test('has the policies unchanged', () => {
    const files = writeKustomization(folder, ['tcp-connect', 'deny-wget'])
    expect(files.map(file => file.slice(folder.length + 1))).toEqual([
      'kustomization.yaml',
      'deny-wget.yaml',
      'tcp-connect.yaml',
    ])
    expect(index()).toMatchObject({ kind: 'Kustomization', resources: ['deny-wget.yaml', 'tcp-connect.yaml'] })
    expect(readFileSync(join(folder, 'deny-wget.yaml'), 'utf8')).toBe(text('deny-wget'))
  })

  test('can set the namespace of namespaced policies, and changes nothing else', () => {
    writeKustomization(folder, ['tcp-connect', 'deny-wget'], { namespace: 'shop' })
    expect(readFileSync(join(folder, 'deny-wget.yaml'), 'utf8')).toBe(
      text('deny-wget').replace('namespace: application', 'namespace: shop'),
    )
    expect(readFileSync(join(folder, 'tcp-connect.yaml'), 'utf8')).toBe(text('tcp-connect'))
  })

  test('replaces an earlier one, and leaves none of its files', () => {
    writeKustomization(folder, ['tcp-connect', 'deny-wget'])
    writeKustomization(folder, ['tcp-connect'])
    expect(readdirSync(folder).sort()).toEqual(['kustomization.yaml', 'tcp-connect.yaml'])
  })

  test('replaces one that was written under the earlier name of the command', () => {
    writeKustomization(folder, ['tcp-connect', 'deny-wget'])
    const file = join(folder, 'kustomization.yaml')
    writeFileSync(file, readFileSync(file, 'utf8').replace('lab policy kustomize', 'lab policy bundle'))
    writeKustomization(folder, ['tcp-connect'])
    expect(readdirSync(folder).sort()).toEqual(['kustomization.yaml', 'tcp-connect.yaml'])
  })

  test('can check the agents after each sync, and forgets the check without the option', () => {
    const files = writeKustomization(folder, ['tcp-connect', 'deny-wget'], { check: true }).map(file => basename(file))
    expect(files).toEqual([
      ...['kustomization.yaml', 'deny-wget.yaml', 'tcp-connect.yaml', 'check-agents.yaml', 'check-agents.mts'],
    ])
    expect(index()).toMatchObject({
      resources: ['deny-wget.yaml', 'tcp-connect.yaml', 'check-agents.yaml'],
      configMapGenerator: [
        {
          namespace: 'monitoring',
          literals: ['POLICIES=application/deny-wget tcp-connect'],
          files: ['check-agents.mts', 'deny-wget.yaml', 'tcp-connect.yaml'],
        },
      ],
    })
    writeKustomization(folder, ['tcp-connect'])
    expect(readdirSync(folder).sort()).toEqual(['kustomization.yaml', 'tcp-connect.yaml'])
  })

  test('can be for a stage of the roll-out', () => {
    writeKustomization(folder, ['deny-wget'], { monitor: true, pods: { key: 'rollout', value: 'first' }, check: true })
    expect(parse(readFileSync(join(folder, 'deny-wget.yaml'), 'utf8'))).toMatchObject({
      metadata: { name: 'deny-wget-monitor' },
      spec: { podSelector: { matchLabels: { rollout: 'first' } } },
    })
    expect(index()).toMatchObject({ configMapGenerator: [{ literals: ['POLICIES=application/deny-wget-monitor'] }] })
  })

  const own = (name: string, text: string): string => {
    mkdirSync(join(folder, 'own', name), { recursive: true })
    const file = join(folder, 'own', name, 'mine.yaml')
    writeFileSync(file, text)
    return file
  }
  const files = () => (existsSync(join(folder, 'out')) ? readdirSync(join(folder, 'out')).sort() : [])

  test('sets the namespace of every policy in a file, even of one without a namespace', () => {
    const inOneLine = text('observe-wget').replace(/metadata:\n.*\n.*\n/, 'metadata: { name: observe-wget }\n')
    const unsaid = text('kill-wget').replace('  namespace: application\n', '')
    writeKustomization(
      join(folder, 'out'),
      [own('a', `${text('deny-wget')}---\n${text('tcp-connect')}---\n${unsaid}---\n${inOneLine}`)],
      {
        namespace: 'shop',
      },
    )
    const moved = parseAllDocuments(readFileSync(join(folder, 'out', 'mine.yaml'), 'utf8')).map(
      each => each.toJS() as Document,
    )
    expect(moved.map(({ metadata }) => [metadata.name, metadata.namespace])).toEqual([
      ['deny-wget', 'shop'],
      ['tcp-connect', undefined],
      ['kill-wget', 'shop'],
      ['observe-wget', 'shop'],
    ])
    expect(moved.map(({ spec }) => spec)).toEqual(
      ['deny-wget', 'tcp-connect', 'kill-wget', 'observe-wget'].map(name => document(name).spec),
    )
  })

  test('is not written when two files have the same name or contain the same policy', () => {
    const twins = [own('a', text('tcp-connect')), own('b', text('deny-wget'))]
    expect(() => writeKustomization(join(folder, 'out'), twins)).toThrow(/are both called mine.yaml/)
    expect(() => writeKustomization(join(folder, 'out'), ['tcp-connect', twins[0]!])).toThrow(
      /both contain the TracingPolicy tcp-connect/,
    )
    expect(files()).toEqual([])
    // Naming the same file twice is allowed.
    writeKustomization(join(folder, 'out'), ['tcp-connect', 'tcp-connect'])
    expect(files()).toEqual(['kustomization.yaml', 'tcp-connect.yaml'])
  })

  test('is not written with a lint error, and passes on lint warnings', () => {
    const documents = join(projectDir, 'test', 'policies', 'documents')
    expect(() => writeKustomization(join(folder, 'out'), [join(documents, 'tp-openat-enforcement.yaml')])).toThrow(
      LabError,
    )
    expect(files()).toEqual([])
    const warned: string[] = []
    writeKustomization(join(folder, 'out'), [join(documents, 'tp-openat-args.yaml')], {
      warn: ({ rule }) => warned.push(rule),
    })
    expect(warned).toEqual(['whole-machine', 'severity-tag', 'hot-hook'])
  })

  const kustomize = spawnSync('kubectl', ['kustomize', '--help']).status === 0
  test.skipIf(!kustomize)('can be built by kustomize, as Argo CD and Flux do (needs kubectl on PATH)', () => {
    const names = readCatalog().map(({ name }) => name)
    const build = (): Document[] => {
      const built = spawnSync('kubectl', ['kustomize', folder], { encoding: 'utf8' })
      expect([built.status, built.stderr]).toEqual([0, ''])
      return parseAllDocuments(built.stdout).map(each => each.toJS() as Document)
    }
    writeKustomization(folder, names, { namespace: 'shop', check: true })
    const objects = build()
    const policies = objects.filter(({ kind }) => kind.startsWith('TracingPolicy'))
    expect(policies.map(({ metadata }) => metadata.name).sort()).toEqual([...names].sort())
    for (const { metadata, spec, kind } of policies) {
      expect(spec).toEqual(document(metadata.name).spec)
      expect(metadata.namespace).toBe(kind === 'TracingPolicyNamespaced' ? 'shop' : undefined)
      expect(metadata.annotations).toEqual({ 'argocd.argoproj.io/sync-options': 'SkipDryRunOnMissingResource=true' })
    }
    // The Job reads the ConfigMap, whose name changes with each policy, so that Flux runs the Job again.
    const configMapName = (all: Document[]) => all.find(({ kind }) => kind === 'ConfigMap')!.metadata.name
    expect(configMapName(objects)).toMatch(/^check-agents-\w+$/)
    const job = objects.find(({ kind }) => kind === 'Job')!
    const uses = [...JSON.stringify(job.spec).matchAll(/"name":"(check-agents-\w+)"/g)].map(match => match[1])
    expect(uses).toEqual([configMapName(objects), configMapName(objects)])
    const file = join(folder, 'deny-wget.yaml')
    writeFileSync(file, readFileSync(file, 'utf8').replace('severity.', 'severity.high, severity.'))
    expect(configMapName(build())).not.toBe(configMapName(objects))
  })

  test('is not written to a folder with other files', () => {
    writeFileSync(join(folder, 'kustomization.yaml'), 'resources: []\n')
    expect(() => writeKustomization(folder, ['tcp-connect'])).toThrow(LabError)
    expect(readdirSync(folder)).toEqual(['kustomization.yaml'])
  })
})
