import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { headerKeys, policyFile, policyFolder, readCatalog, readHeader } from '../../../scripts/policy/catalog.ts'
import { bundlePolicies } from '../../../scripts/policy/kustomize.ts'
import { lintPolicy } from '../../../scripts/policy/lint/lint.ts'
import { LabError } from '../../../shared/lab-error.ts'
import { projectDir } from '../../../shared/paths.ts'
import { parseSettings } from '../../../shared/settings/schema.ts'

interface Document {
  kind: string
  metadata: { name: string; namespace?: string }
  spec: { options?: { name: string; value: string }[]; kprobes?: { tags: string[]; message: string }[] }
}

const catalog = readCatalog()
const text = (name: string): string => readFileSync(join(policyFolder, `${name}.yaml`), 'utf8')
const document = (name: string): Document => parse(text(name)) as Document

describe.each(catalog.map(entry => [entry.name, entry] as const))('policy %s', (name, entry) => {
  test('is one document, called as its file is, and clean', () => {
    expect(parseAllDocuments(text(name))).toHaveLength(1)
    expect(entry.file).toBe(`policies/${name}.yaml`)
    expect(lintPolicy(text(name), entry.file)).toEqual([])
  })

  test('says what it shows, costs and needs, and how to trigger it', () => {
    expect(Object.keys(readHeader(text(name))).filter(key => key !== 'lint')).toEqual([...headerKeys])
    for (const key of ['shows', 'costs', 'needs'] as const) expect(entry[key]).toMatch(/\w.*\.$/)
    expect(entry.try).toMatch(/^(kubectl -n application exec|curl) /)
    // It is a command line that a shell can read.
    expect(() => execFileSync('sh', ['-n', '-c', entry.try])).not.toThrow()
  })

  test('has a severity, and needs something of the kernel', () => {
    expect(entry.severity).toMatch(/^(info|low|medium|high|critical)$/)
    expect(entry.features.length).toBeGreaterThan(0)
  })
})

describe('enforcing policies', () => {
  const enforcing = catalog.filter(entry => entry.enforces)

  test('are these, each with what it takes', () => {
    expect(
      Object.fromEntries(enforcing.map(({ name, actions, features }) => [name, [...actions, ...features]])),
    ).toEqual({
      'block-service-account-token': ['Sigkill', 'kprobes', 'sigkill'],
      'deny-shadow': ['Override', 'kprobes', 'overrideSecurity'],
      'deny-shadow-lsm': ['Override', 'lsm'],
      'deny-wget': ['Override', 'kprobes', 'overrideSecurity'],
      'kill-wget': ['Sigkill', 'kprobes', 'sigkill'],
      'sys-openat-kill': ['Sigkill', 'kprobes', 'sigkill'],
    })
  })

  test.each(enforcing.map(({ name }) => name))('%s has a twin that differs in name and mode only', name => {
    const one = document(name)
    const twin = document(`${name}-monitor`)
    expect(catalog.find(entry => entry.name === twin.metadata.name)).toMatchObject({
      monitor: true,
      enforces: false,
      twin: name,
    })
    expect(twin.spec.options).toContainEqual({ name: 'policy-mode', value: 'monitor' })
    const plain = ({ kind, metadata, spec: { options = [], ...spec } }: Document) => ({
      kind,
      namespace: metadata.namespace,
      options: options.filter(option => option.name !== 'policy-mode'),
      spec,
    })
    expect(plain(twin)).toEqual(plain(one))
  })
})

test('what is loaded by default is there, and only watches', () => {
  const { apply } = parseSettings({}).policies
  expect(apply).toHaveLength(4)
  for (const name of apply)
    expect(catalog.find(entry => entry.name === name)).toMatchObject({ enforces: false, monitor: false })
})

test('recorded events come from policies that are still here, with the same tags and messages', () => {
  const recording = join(projectDir, 'stacks', 'monitoring', 'replay', 'recordings', 'guestbook', 'tetragon.log.gz')
  const seen = new Map<string, { message?: string; tags?: string[] }>()
  for (const line of gunzipSync(readFileSync(recording)).toString().trimEnd().split('\n')) {
    const event = (JSON.parse(line) as { process_kprobe?: { policy_name: string; message?: string; tags?: string[] } })
      .process_kprobe
    if (event) seen.set(event.policy_name, { message: event.message, tags: event.tags })
  }
  expect([...seen.keys()].sort()).toEqual([
    'block-service-account-token',
    'deny-shadow',
    'sensitive-file-access',
    'sys-openat',
    'tcp-connect',
    'unexpected-process-exec',
  ])
  for (const [name, { message, tags }] of seen)
    for (const kprobe of document(name).spec.kprobes!) {
      // sys-openat was recorded without words of its own.
      if (message) expect([name, kprobe.message, kprobe.tags]).toEqual([name, message, tags])
    }
})

describe('policyFile', () => {
  test('finds by name and by path', () => {
    expect(policyFile('tcp-connect')).toBe(join(policyFolder, 'tcp-connect.yaml'))
    expect(policyFile('policies/tcp-connect.yaml')).toBe('policies/tcp-connect.yaml')
  })

  test.each(['no-such-policy', '../package', 'policies'])('refuses %s', name => {
    expect(() => policyFile(name)).toThrow(LabError)
  })
})

describe('bundle', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'bundle-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))
  const index = () =>
    parse(readFileSync(join(folder, 'kustomization.yaml'), 'utf8')) as { kind: string; resources: string[] }

  test('is a kustomization and the policies as they are', () => {
    const files = bundlePolicies(folder, ['tcp-connect', 'deny-wget'])
    expect(files.map(file => file.slice(folder.length + 1))).toEqual([
      'kustomization.yaml',
      'deny-wget.yaml',
      'tcp-connect.yaml',
    ])
    expect(index()).toMatchObject({ kind: 'Kustomization', resources: ['deny-wget.yaml', 'tcp-connect.yaml'] })
    expect(readFileSync(join(folder, 'deny-wget.yaml'), 'utf8')).toBe(text('deny-wget'))
  })

  test('moves into another namespace what is for one, and touches nothing else', () => {
    bundlePolicies(folder, ['tcp-connect', 'deny-wget'], { namespace: 'shop' })
    expect(readFileSync(join(folder, 'deny-wget.yaml'), 'utf8')).toBe(
      text('deny-wget').replace('namespace: application', 'namespace: shop'),
    )
    expect(readFileSync(join(folder, 'tcp-connect.yaml'), 'utf8')).toBe(text('tcp-connect'))
  })

  test('is written over by the next one, and leaves nothing of the last', () => {
    bundlePolicies(folder, ['tcp-connect', 'deny-wget'])
    bundlePolicies(folder, ['tcp-connect'])
    expect(readdirSync(folder).sort()).toEqual(['kustomization.yaml', 'tcp-connect.yaml'])
  })

  const own = (name: string, text: string): string => {
    mkdirSync(join(folder, 'own', name), { recursive: true })
    const file = join(folder, 'own', name, 'mine.yaml')
    writeFileSync(file, text)
    return file
  }
  const files = () => (existsSync(join(folder, 'out')) ? readdirSync(join(folder, 'out')).sort() : [])

  test('moves each policy of a file, and one that says no namespace', () => {
    const inOneLine = text('observe-wget').replace(/metadata:\n.*\n.*\n/, 'metadata: { name: observe-wget }\n')
    const unsaid = text('kill-wget').replace('  namespace: application\n', '')
    bundlePolicies(
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

  test('writes nothing when two are called the same, or are the same policy', () => {
    const twins = [own('a', text('tcp-connect')), own('b', text('deny-wget'))]
    expect(() => bundlePolicies(join(folder, 'out'), twins)).toThrow(/are both called mine.yaml/)
    expect(() => bundlePolicies(join(folder, 'out'), ['tcp-connect', twins[0]!])).toThrow(
      /are both the TracingPolicy tcp-connect/,
    )
    expect(files()).toEqual([])
    // The same file named twice is one.
    bundlePolicies(join(folder, 'out'), ['tcp-connect', 'tcp-connect'])
    expect(files()).toEqual(['kustomization.yaml', 'tcp-connect.yaml'])
  })

  test('writes nothing that the lint calls an error, and says what it warns of', () => {
    const documents = join(projectDir, 'test', 'policies', 'documents')
    expect(() => bundlePolicies(join(folder, 'out'), [join(documents, 'tp-openat-enforcement.yaml')])).toThrow(LabError)
    expect(files()).toEqual([])
    const warned: string[] = []
    bundlePolicies(join(folder, 'out'), [join(documents, 'tp-openat-args.yaml')], {
      warn: ({ rule }) => warned.push(rule),
    })
    expect(warned).toEqual(['whole-machine', 'severity-tag', 'hot-hook'])
  })

  const kustomize = spawnSync('kubectl', ['kustomize', '--help']).status === 0
  test.skipIf(!kustomize)('is built by kustomize as Argo CD and Flux build it (needs kubectl on PATH)', () => {
    const names = catalog.map(({ name }) => name)
    bundlePolicies(folder, names, { namespace: 'shop' })
    const built = spawnSync('kubectl', ['kustomize', folder], { encoding: 'utf8' })
    expect([built.status, built.stderr]).toEqual([0, ''])
    const objects = parseAllDocuments(built.stdout).map(each => each.toJS() as Document)
    expect(objects.map(({ metadata }) => metadata.name).sort()).toEqual([...names].sort())
    for (const { metadata, spec, kind } of objects) {
      expect(spec).toEqual(document(metadata.name).spec)
      expect(metadata.namespace).toBe(kind === 'TracingPolicyNamespaced' ? 'shop' : undefined)
    }
  })

  test("does not touch a folder with somebody else's files", () => {
    writeFileSync(join(folder, 'kustomization.yaml'), 'resources: []\n')
    expect(() => bundlePolicies(folder, ['tcp-connect'])).toThrow(LabError)
    expect(readdirSync(folder)).toEqual(['kustomization.yaml'])
  })
})
