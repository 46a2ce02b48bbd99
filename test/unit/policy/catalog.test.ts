import { execFileSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { zstdDecompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { headerKeys, policyFile, readCatalog, readHeader } from '../../../scripts/policy/catalog.ts'
import { lintPolicy } from '../../../scripts/policy/lint/lint.ts'
import { LabError } from '../../../shared/lab-error.ts'
import { projectDir } from '../../../shared/paths.ts'
import { policyFolder } from '../../../shared/policy-file.ts'
import { parseSettings } from '../../../shared/settings/parser.ts'

interface Document {
  kind: string
  metadata: { name: string; namespace?: string }
  spec: { options?: { name: string; value: string }[]; kprobes?: { tags: string[]; message: string }[] }
}

const catalog = readCatalog()
const text = (name: string): string => readFileSync(join(policyFolder, `${name}.yaml`), 'utf8')
const document = (name: string): Document => parse(text(name)) as Document

describe.each(catalog.map(entry => [entry.name, entry] as const))('policy %s', (name, entry) => {
  test('is the only document in a file of its name, without findings', () => {
    expect(parseAllDocuments(text(name))).toHaveLength(1)
    expect(entry.file).toBe(`policies/${name}.yaml`)
    expect(lintPolicy(text(name), entry.file)).toEqual([])
  })

  test('has a header with what it shows, costs and needs, and a command that triggers it', () => {
    expect(Object.keys(readHeader(text(name))).filter(key => key !== 'lint')).toEqual([...headerKeys])
    for (const key of ['shows', 'costs', 'needs'] as const) expect(entry[key]).toMatch(/\w.*\.$/)
    expect(entry.trial.run).toMatch(/^kubectl -n application exec /)
    expect(() => execFileSync('sh', ['-n', '-c', entry.trial.run])).not.toThrow()
  })

  test('has a severity, and needs a kernel feature', () => {
    expect(entry.severity).toMatch(/^(info|low|medium|high|critical)$/)
    expect(entry.features.length).toBeGreaterThan(0)
  })
})

describe('policies on the start of a program', () => {
  // The event's process is the caller. That of a program which `kubectl exec` starts itself is the container runtime. It
  // belongs to no pod (cilium/tetragon#4152), so the export filter drops the event, and every query would lose it.
  const onStart = catalog.filter(({ hooks }) => hooks.some(hook => hook.startsWith('security_bprm_')))
  const startedInPod = /exec deploy\/\S+ (-c \S+ )?-- (sh -c|node -e) /

  test.each(onStart.map(entry => [entry.name, entry.trial.run]))(
    '%s is triggered with a program that another one starts',
    (_, command) => expect(command).toMatch(startedInPod),
  )

  test('are triggered so in every document and exercise', () => {
    const names = new RegExp(`\\b(${onStart.map(({ name }) => name).join('|')})\\b`)
    const files = globSync('{README.md,{docs,labs}/**/*.{md,yaml}}', { cwd: projectDir })
    const commands = files.flatMap(file =>
      readFileSync(join(projectDir, file), 'utf8')
        .split('\n')
        .filter(line => names.test(line) && / exec deploy\//.test(line)),
    )
    expect(commands.length).toBeGreaterThan(0)
    expect(commands.filter(line => !startedInPod.test(line))).toEqual([])
  })

  test.each(['observe-wget', 'deny-wget', 'kill-wget', 'unexpected-process-exec'])(
    '%s says which starts leave no event',
    name => expect(Object.values(readHeader(text(name))).join(' ')).toMatch(/kubectl exec.*container runtime/),
  )
})

test('Troubleshooting names the hooks of policies whose path or address compact output lacks', () => {
  // Of Tetragon 1.7.0, pkg/encoder/encoder.go. It prints only the name of any other function.
  const printed = ['sys_open', 'sys_openat', 'tcp_connect']
  const rows = readFileSync(join(projectDir, 'docs', 'troubleshooting.md'), 'utf8').split('\n')
  const row = rows.find(line => line.includes('getevents -o compact'))
  const functions = new Set(catalog.filter(({ file }) => !file.includes('lsm')).flatMap(({ hooks }) => hooks))
  const unprinted = [...functions].filter(name => !printed.includes(name))
  expect(unprinted.filter(name => !row?.includes(`\`${name}\``))).toEqual([])
})

describe('enforcing policies', () => {
  const enforcing = catalog.filter(entry => entry.enforces)

  test('have these actions and need these kernel features', () => {
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

  test.each(enforcing.map(({ name }) => name))('%s has a twin that differs only in name and mode', name => {
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

test('the policies that are loaded by default exist and only observe', () => {
  const { apply } = parseSettings({}).policies
  expect(apply).toHaveLength(4)
  for (const name of apply)
    expect(catalog.find(entry => entry.name === name)).toMatchObject({ enforces: false, monitor: false })
})

test('recorded events come from policies that still exist, with the same tags and messages', () => {
  const recording = join(projectDir, 'stacks', 'monitoring', 'replay', 'recordings', 'guestbook', 'tetragon.log.zst')
  const seen = new Map<string, { message?: string; tags?: string[] }>()
  for (const line of zstdDecompressSync(readFileSync(recording)).toString().trimEnd().split('\n')) {
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
      // The recorded sys-openat had no message.
      if (message) expect([name, kprobe.message, kprobe.tags]).toEqual([name, message, tags])
    }
})

describe('policyFile', () => {
  test('finds a policy by its name and by its path', () => {
    expect(policyFile('tcp-connect')).toBe(join(policyFolder, 'tcp-connect.yaml'))
    expect(policyFile('policies/tcp-connect.yaml')).toBe('policies/tcp-connect.yaml')
  })

  test.each(['no-such-policy', '../package', 'policies'])('refuses %s, which is neither', name => {
    expect(() => policyFile(name)).toThrow(LabError)
  })
})
