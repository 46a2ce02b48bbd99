import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { findMismatches, parseCandidates } from '../../../../scripts/exercise/check/policy-check.ts'
import { runCheck } from '../../../../scripts/exercise/check/run-check.ts'
import type { PolicyCheck } from '../../../../scripts/exercise/definition/check-schema.ts'
import { exerciseSchema } from '../../../../scripts/exercise/definition/schema.ts'
import { policyMode } from '../../../../scripts/policy/model/policy-model.ts'
import { projectDir } from '../../../../shared/paths.ts'
import { fakeLabClient } from '../../../fakes/lab-client.ts'

const token = '/run/secrets/kubernetes.io/serviceaccount/..2026_11_21_09_27_25.3627401750/token'

/** Fills in the defaults of a policy check. */
const checkOf = (policy: object): PolicyCheck =>
  exerciseSchema.parse({
    title: 'x',
    track: 'stop',
    outcome: 'x',
    learned: ['x'],
    minutes: 5,
    tasks: [{ id: 'x', title: 'x', hints: ['x'], solve: 'true', check: { policy } }],
  }).tasks[0]!.check.policy!

const labPolicy = (name: string): string => readFileSync(join(projectDir, 'policies', `${name}.yaml`), 'utf8')

const policyOf = (spec: object, { kind = 'TracingPolicyNamespaced', name = 'mine' } = {}): string =>
  stringify({
    apiVersion: 'cilium.io/v1alpha1',
    kind,
    metadata: { name, ...(kind === 'TracingPolicyNamespaced' && { namespace: 'application' }) },
    spec,
  })

/** Returns a policy on security_file_open with one filter and one action. */
const fileOpen = (operator: string, values: string[], action?: string, more: object = {}): string =>
  policyOf({
    podSelector: { matchLabels: { app: 'visitor' } },
    ...more,
    kprobes: [
      {
        call: 'security_file_open',
        syscall: false,
        args: [{ index: 0, type: 'file' }],
        selectors: [
          {
            matchArgs: [{ index: 0, operator, values }],
            ...(action && { matchActions: [action === 'Override' ? { action, argError: -1 } : { action }] }),
          },
        ],
      },
    ],
  })

const mismatches = (policy: object, text: string, options?: { deadEnd?: boolean }): string[] => {
  const { candidates, problems } = parseCandidates(text, 'mine.yaml')
  expect(problems).toEqual([])
  return findMismatches(checkOf(policy), candidates[0]!, options)
}

const folder = '/run/secrets/kubernetes.io/serviceaccount'

describe('the calls that a policy matches', () => {
  const kill = { hook: 'security_file_open', catches: token, action: 'Sigkill', lint: 'off' }

  it.each([
    ['Prefix', [folder], []],
    ['Postfix', ['/token'], []],
    ['SubString', ['serviceaccount'], []],
    ['NotEqual', ['/etc/hosts'], []],
    ['Equal', [`${folder}/token`], [`it does not match ${token}: Equal ${folder}/token`]],
    ['NotPrefix', ['/run'], [`it does not match ${token}: NotPrefix /run`]],
  ])('with %s %j differ by %j', (operator, values, expected) => {
    expect(mismatches(kill, fileOpen(operator, values, 'Sigkill'))).toEqual(expected)
  })

  it('must be followed by the expected action', () => {
    expect(mismatches(kill, fileOpen('Prefix', [folder]))).toEqual([`for ${token} its action is Post, not Sigkill`])
    expect(mismatches(kill, fileOpen('Prefix', [folder], 'Override'))).toEqual([
      `for ${token} its action is Override, not Sigkill`,
    ])
    expect(mismatches({ ...kill, action: ['Sigkill', 'Override'] }, fileOpen('Prefix', [folder], 'Override'))).toEqual(
      [],
    )
  })

  it('must not include the spared ones', () => {
    const spare = { ...kill, spares: ['/etc/hosts'] }
    expect(mismatches(spare, fileOpen('Prefix', [folder], 'Sigkill'))).toEqual([])
    expect(mismatches(spare, fileOpen('Prefix', ['/'], 'Sigkill'))).toEqual(['for /etc/hosts its action is Sigkill'])
    const everything = policyOf({
      podSelector: {},
      kprobes: [{ call: 'security_file_open', syscall: false, args: [{ index: 0, type: 'file' }] }],
    })
    expect(mismatches({ hook: 'security_file_open', spares: '/etc/hosts', lint: 'off' }, everything)).toEqual([
      'it also matches /etc/hosts',
    ])
  })

  it('are decided by the first matching selector', () => {
    const text = policyOf({
      podSelector: {},
      kprobes: [
        {
          call: 'security_file_open',
          syscall: false,
          args: [{ index: 0, type: 'file' }],
          selectors: [
            { matchArgs: [{ index: 0, operator: 'Postfix', values: ['/ca.crt'] }], matchActions: [{ action: 'Post' }] },
            { matchArgs: [{ index: 0, operator: 'Prefix', values: [folder] }], matchActions: [{ action: 'Sigkill' }] },
          ],
        },
      ],
    })
    expect(mismatches({ ...kill, spares: `${folder}/ca.crt` }, text)).toEqual([])
    expect(mismatches({ ...kill, catches: `${folder}/ca.crt` }, text)).toEqual([
      `for ${folder}/ca.crt its action is Post, not Sigkill`,
    ])
  })

  it('depend on the calling program if the check names one', () => {
    const text = policyOf({
      podSelector: {},
      kprobes: [
        {
          call: 'tcp_connect',
          syscall: false,
          args: [{ index: 0, type: 'sock' }],
          selectors: [
            {
              matchBinaries: [{ operator: 'In', values: ['/usr/bin/curl'] }],
              matchArgs: [{ index: 0, operator: 'NotDAddr', values: ['10.0.0.0/8', '127.0.0.1'] }],
            },
          ],
        },
      ],
    })
    const outside = (binary: string) => ({
      hook: 'tcp_connect',
      catches: { value: '1.1.1.1:443', binary },
      lint: 'off',
    })
    expect(mismatches(outside('/usr/bin/curl'), text)).toEqual([])
    expect(mismatches(outside('/usr/bin/wget'), text)).toEqual([
      'it does not match 1.1.1.1:443: matchBinaries In /usr/bin/curl',
    ])
    expect(mismatches({ hook: 'tcp_connect', spares: '10.96.0.1:443', lint: 'off' }, text)).toEqual([])
    // Without a calling program, the policy must match every caller of a caught call, and no caller of a spared one.
    expect(mismatches({ hook: 'tcp_connect', catches: '1.1.1.1:443', lint: 'off' }, text)).toEqual([
      'it does not match 1.1.1.1:443: matchBinaries In /usr/bin/curl',
    ])
    expect(mismatches({ hook: 'tcp_connect', spares: '1.1.1.1:443', lint: 'off' }, text)).toEqual([
      'it also matches 1.1.1.1:443',
    ])
  })

  it('include those of its other hooks', () => {
    const hook = (call: string, type: string, selector: object) => ({
      call,
      syscall: false,
      args: [{ index: 0, type }],
      selectors: [selector],
    })
    const path = (value: string, action: string) => ({
      matchArgs: [{ index: 0, operator: 'Equal', values: [value] }],
      matchActions: [action === 'Override' ? { action, argError: -13 } : { action }],
    })
    const refuse = { hook: 'security_file_open', catches: '/etc/shadow', spares: '/etc/passwd', lint: 'off' }
    const with2 = (second: object) =>
      policyOf({ kprobes: [hook('security_file_open', 'file', path('/etc/shadow', 'Override')), second] })
    const override = { ...refuse, action: 'Override' }
    expect(
      mismatches(override, with2(hook('security_file_permission', 'file', path('/etc/passwd', 'Sigkill')))),
    ).toEqual(['for /etc/passwd its action is Sigkill'])
    expect(mismatches(override, with2(hook('security_file_permission', 'file', path('/etc/passwd', 'Post'))))).toEqual(
      [],
    )
    // An address is not a path, so a hook on connections does not matter for files.
    const connections = { matchActions: [{ action: 'Sigkill' }] }
    expect(mismatches(override, with2(hook('tcp_connect', 'sock', connections)))).toEqual([])
    expect(mismatches(refuse, with2(hook('security_file_permission', 'file', path('/etc/passwd', 'Post'))))).toEqual([
      'it also matches /etc/passwd',
    ])
  })
})

describe('the pods that a policy applies to', () => {
  const visitor = { namespace: 'application', labels: { app: 'visitor' } }
  const frontend = { namespace: 'application', labels: { app: 'guestbook' } }
  const dns = { namespace: 'kube-system', labels: { 'k8s-app': 'kube-dns' } }
  const hook = { kprobes: [{ call: 'security_file_open', syscall: false }] }
  const scoped = { reaches: [visitor], leaves: [frontend, dns], lint: 'off' }

  it.each([
    ['a namespace and a label', policyOf({ podSelector: { matchLabels: { app: 'visitor' } }, ...hook }), []],
    ['only a namespace', policyOf({ ...hook }), ['it also applies to guestbook in application']],
    [
      'neither',
      policyOf({ ...hook }, { kind: 'TracingPolicy' }),
      ['it also applies to guestbook in application', 'it also applies to kube-dns in kube-system'],
    ],
    [
      'a label in all namespaces',
      policyOf(
        { podSelector: { matchExpressions: [{ key: 'app', operator: 'In', values: ['visitor'] }] }, ...hook },
        { kind: 'TracingPolicy' },
      ),
      [],
    ],
    [
      'the label of the namespace',
      policyOf(
        {
          podSelector: {
            matchLabels: { 'k8s:io.kubernetes.pod.namespace': 'application' },
            matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['guestbook'] }],
          },
          ...hook,
        },
        { kind: 'TracingPolicy' },
      ),
      [],
    ],
    [
      'only the machine',
      policyOf({ hostSelector: {}, ...hook }, { kind: 'TracingPolicy' }),
      ['it does not apply to visitor in application'],
    ],
  ])('are checked for a policy that selects %s', (_, text, expected) => {
    expect(mismatches(scoped, text)).toEqual(expected)
  })
})

describe('a policy', () => {
  it('must be in the expected mode', () => {
    const monitored = fileOpen('Prefix', [folder], 'Sigkill', { options: [{ name: 'policy-mode', value: 'monitor' }] })
    expect(mismatches({ mode: 'monitor', lint: 'off' }, monitored)).toEqual([])
    expect(mismatches({ mode: 'enforce', lint: 'off' }, monitored)).toEqual([
      'it is in monitor mode: it reports its actions but does not perform them',
    ])
    expect(mismatches({ mode: 'enforce', lint: 'off' }, fileOpen('Prefix', [folder]))).toEqual([
      'it only observes: it has no enforcing action',
    ])
  })

  it('must have the expected hook, arguments, kind, name, message and tags', () => {
    const text = labPolicy('block-service-account-token')
    expect(
      mismatches(
        {
          hook: 'security_file_open',
          args: [{ type: 'file' }],
          kind: 'TracingPolicyNamespaced',
          name: '/token/',
          message: '/token/',
          tag: 'severity.critical',
          catches: token,
          action: 'Sigkill',
          mode: 'enforce',
        },
        text,
      ),
    ).toEqual([])
    expect(mismatches({ hook: ['fd_install', 'sys_openat'] }, text)).toEqual([
      'it hooks security_file_open, not fd_install or sys_openat',
    ])
    expect(mismatches({ kind: 'TracingPolicy', name: 'other', tag: 'severity.low' }, text)).toEqual([
      'it is called block-service-account-token, not other',
      'it is a TracingPolicyNamespaced, not a TracingPolicy',
      'its tags are severity.critical',
    ])
    expect(mismatches({ args: [{ index: 1, type: 'string' }] }, text)).toEqual([
      'security_file_open does not read an argument 1 of type string',
    ])
  })

  it('must have no lint errors, except in a dead end', () => {
    const broken = policyOf({
      kprobes: [{ call: 'security_file_open', syscall: true, args: [{ index: 0, type: 'file' }] }],
    })
    expect(mismatches({}, broken)[0]).toMatch(/^line \d+: /)
    expect(mismatches({}, broken, { deadEnd: true })).toEqual([])
    const unscoped = fileOpen('Prefix', [folder], 'Sigkill')
      .replace('TracingPolicyNamespaced', 'TracingPolicy')
      .replace('  namespace: application\n', '')
      .replace(/ {2}podSelector:\n {4}matchLabels:\n {6}app: visitor\n/, '')
    expect(mismatches({ findings: ['unscoped-enforcement'] }, unscoped, { deadEnd: true })).toEqual([])
    expect(
      mismatches({ findings: ['unscoped-enforcement'] }, fileOpen('Prefix', [folder], 'Sigkill'), { deadEnd: true }),
    ).toEqual(['the lint does not report unscoped-enforcement'])
  })

  it('is read as kubectl reads it: yes and no, and a Pod in the same file', () => {
    const pod = 'apiVersion: v1\nkind: Pod\nmetadata: { name: x }\n'
    const { candidates, problems } = parseCandidates(
      `${pod}---\n${labPolicy('tcp-connect').replace('syscall: false', 'syscall: no')}`,
      'mine.yaml',
    )
    expect(problems).toEqual([])
    expect(candidates.map(({ policy }) => policy.hooks.map(({ syscall }) => syscall))).toEqual([[false]])
    expect(parseCandidates(pod, 'mine.yaml').problems).toEqual(['mine.yaml: kind is Pod'])
  })

  it('can be each one of the lab', () => {
    const files = readdirSync(join(projectDir, 'policies')).filter(file => file.endsWith('.yaml'))
    expect(files.length).toBeGreaterThan(5)
    for (const file of files) {
      const { candidates, problems } = parseCandidates(readFileSync(join(projectDir, 'policies', file), 'utf8'), file)
      expect(problems, file).toEqual([])
      expect(candidates.length, file).toBeGreaterThan(0)
    }
    const [kill] = parseCandidates(labPolicy('block-service-account-token'), 'x').candidates
    const [watch] = parseCandidates(labPolicy('sensitive-file-access'), 'x').candidates
    expect([policyMode(kill!.policy), policyMode(watch!.policy)]).toEqual(['enforce', 'observe'])
  })
})

describe('the policy that is checked', () => {
  const contextWith = (answers: Parameters<typeof fakeLabClient>[0]) => ({
    lab: fakeLabClient(answers),
    work: '/nowhere',
    workPath: 'work/07-x',
    task: 'x',
    startedAt: new Date('2026-11-21T09:00:00Z'),
    now: new Date(),
  })
  const expectedCheck = { hook: 'security_file_open', catches: token, action: 'Sigkill' }

  it.each([
    ['has only policies from before the exercise', '2026-01-01T00:00:00Z', true],
    ['has a policy from after its start', '2099-01-01T00:00:00Z', undefined],
  ])('is no try while the cluster %s', async (_, creationTimestamp, untried) => {
    const item = {
      apiVersion: 'cilium.io/v1alpha1',
      kind: 'TracingPolicy',
      metadata: { name: 'tcp-connect', creationTimestamp },
      spec: { kprobes: [{ call: 'tcp_connect', syscall: false }] },
    }
    const lab = fakeLabClient({ kubectl: () => ({ stdout: JSON.stringify({ items: [item] }) }) })
    const result = await runCheck(
      { policy: checkOf({ name: 'deny-shadow', action: 'Override' }) },
      {
        ...contextWith({}),
        lab,
      },
    )
    expect(result).toMatchObject({ passed: false })
    expect(result.untried).toBe(untried)
  })

  it('is the nearest in the cluster, whatever its name', async () => {
    const object = (text: string) => parseCandidates(text, 'x').candidates[0]!.policy
    const item = (text: string, creationTimestamp: string) => {
      const { kind, name, namespace, spec } = object(text)
      return { apiVersion: 'cilium.io/v1alpha1', kind, metadata: { name, namespace, creationTimestamp }, spec }
    }
    const items = [
      item(labPolicy('tcp-connect'), '2026-11-21T10:00:00Z'),
      item(fileOpen('Equal', [`${folder}/token`], 'Sigkill'), '2026-11-21T10:05:00Z'),
    ]
    const kubectl = () => ({ stdout: JSON.stringify({ items }) })
    expect(await runCheck({ policy: checkOf(expectedCheck) }, contextWith({ kubectl }))).toMatchObject({
      passed: false,
      found: expect.stringMatching(/^mine \(namespace application\): it does not match .*\/token: Equal/),
    })
    items.push(item(fileOpen('Prefix', [folder], 'Sigkill'), '2026-11-21T10:06:00Z'))
    expect(await runCheck({ policy: checkOf(expectedCheck) }, contextWith({ kubectl }))).toMatchObject({ passed: true })
    expect(await runCheck({ policy: checkOf(expectedCheck) }, contextWith({}))).toMatchObject({
      passed: false,
      untried: true,
      found: 'no TracingPolicy in the cluster',
    })
  })

  it('is the nearest in the student’s files, and YAML errors are reported', async () => {
    const inWork = { policy: checkOf({ ...expectedCheck, in: 'work', file: 'kill.yaml' }) }
    const files = (text: string) =>
      contextWith({
        files: [
          { name: 'kill.yaml', text },
          { name: 'other.yaml', text: 'a: b' },
        ],
      })
    expect(await runCheck(inWork, files(fileOpen('Prefix', [folder], 'Sigkill')))).toMatchObject({ passed: true })
    expect(await runCheck(inWork, files('a: [1'))).toMatchObject({
      passed: false,
      found: /^work\/07-x\/kill\.yaml, line 1: /,
    })
    expect(await runCheck(inWork, files('kind: Pod'))).toMatchObject({ passed: false, found: /kind is Pod/ })
    expect(await runCheck(inWork, contextWith({}))).toMatchObject({ passed: false, untried: true })
  })
})
