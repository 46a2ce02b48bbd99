import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { candidatesOf, lacks, modeOf } from '../../../scripts/exercise/check/policy-check.ts'
import { make } from '../../../scripts/exercise/check/run-check.ts'
import { exerciseSchema, type PolicyCheck } from '../../../scripts/exercise/definition/schema.ts'
import { projectDir } from '../../../shared/paths.ts'
import { fakeWorld } from '../../fakes/world.ts'

const token = '/run/secrets/kubernetes.io/serviceaccount/..2026_11_21_09_27_25.3627401750/token'

/** A policy check with its defaults. */
const checkOf = (policy: object): PolicyCheck =>
  exerciseSchema.parse({
    title: 'x',
    track: 'stop',
    outcome: 'x',
    learned: ['x'],
    minutes: 5,
    tasks: [{ id: 'x', title: 'x', hints: ['x'], solve: 'true', check: { policy } }],
  }).tasks[0]!.check.policy!

const ours = (name: string): string => readFileSync(join(projectDir, 'policies', `${name}.yaml`), 'utf8')

const policyOf = (spec: object, { kind = 'TracingPolicyNamespaced', name = 'mine' } = {}): string =>
  stringify({
    apiVersion: 'cilium.io/v1alpha1',
    kind,
    metadata: { name, ...(kind === 'TracingPolicyNamespaced' && { namespace: 'application' }) },
    spec,
  })

/** A policy on security_file_open with one filter and one action. */
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

const missing = (policy: object, text: string, options?: { deadEnd?: boolean }): string[] => {
  const { candidates, problems } = candidatesOf(text, 'mine.yaml')
  expect(problems).toEqual([])
  return lacks(checkOf(policy), candidates[0]!, options)
}

const folder = '/run/secrets/kubernetes.io/serviceaccount'

describe('what a policy catches', () => {
  const kill = { hook: 'security_file_open', catches: token, action: 'Sigkill', lint: 'off' }

  it.each([
    ['Prefix', [folder], []],
    ['Postfix', ['/token'], []],
    ['SubString', ['serviceaccount'], []],
    ['NotEqual', ['/etc/hosts'], []],
    ['Equal', [`${folder}/token`], [`it does not match ${token}: Equal ${folder}/token`]],
    ['NotPrefix', ['/run'], [`it does not match ${token}: NotPrefix /run`]],
  ])('%s %s', (operator, values, expected) => {
    expect(missing(kill, fileOpen(operator, values, 'Sigkill'))).toEqual(expected)
  })

  it('is told apart by what follows', () => {
    expect(missing(kill, fileOpen('Prefix', [folder]))).toEqual([`at ${token} it does Post, not Sigkill`])
    expect(missing(kill, fileOpen('Prefix', [folder], 'Override'))).toEqual([
      `at ${token} it does Override, not Sigkill`,
    ])
    expect(missing({ ...kill, action: ['Sigkill', 'Override'] }, fileOpen('Prefix', [folder], 'Override'))).toEqual([])
  })

  it('must not be too much', () => {
    const spare = { ...kill, spares: ['/etc/hosts'] }
    expect(missing(spare, fileOpen('Prefix', [folder], 'Sigkill'))).toEqual([])
    expect(missing(spare, fileOpen('Prefix', ['/'], 'Sigkill'))).toEqual(['at /etc/hosts it does Sigkill'])
    const everything = policyOf({
      podSelector: {},
      kprobes: [{ call: 'security_file_open', syscall: false, args: [{ index: 0, type: 'file' }] }],
    })
    expect(missing({ hook: 'security_file_open', spares: '/etc/hosts', lint: 'off' }, everything)).toEqual([
      'it matches /etc/hosts too',
    ])
  })

  it('depends on the first selector that matches', () => {
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
    expect(missing({ ...kill, spares: `${folder}/ca.crt` }, text)).toEqual([])
    expect(missing({ ...kill, catches: `${folder}/ca.crt` }, text)).toEqual([
      `at ${folder}/ca.crt it does Post, not Sigkill`,
    ])
  })

  it('looks at the calling program where the check names one', () => {
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
    expect(missing(outside('/usr/bin/curl'), text)).toEqual([])
    expect(missing(outside('/usr/bin/wget'), text)).toEqual([
      'it does not match 1.1.1.1:443: matchBinaries In /usr/bin/curl',
    ])
    expect(missing({ hook: 'tcp_connect', spares: '10.96.0.1:443', lint: 'off' }, text)).toEqual([])
    // Where it names none, whichever calls is to be caught, and none is to be hit.
    expect(missing({ hook: 'tcp_connect', catches: '1.1.1.1:443', lint: 'off' }, text)).toEqual([
      'it does not match 1.1.1.1:443: matchBinaries In /usr/bin/curl',
    ])
    expect(missing({ hook: 'tcp_connect', spares: '1.1.1.1:443', lint: 'off' }, text)).toEqual([
      'it matches 1.1.1.1:443 too',
    ])
  })

  it('counts what another hook of it does as well', () => {
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
    expect(missing(override, with2(hook('security_file_permission', 'file', path('/etc/passwd', 'Sigkill'))))).toEqual([
      'at /etc/passwd it does Sigkill',
    ])
    expect(missing(override, with2(hook('security_file_permission', 'file', path('/etc/passwd', 'Post'))))).toEqual([])
    // An address is no path: what is done to connections does not count for files.
    const connections = { matchActions: [{ action: 'Sigkill' }] }
    expect(missing(override, with2(hook('tcp_connect', 'sock', connections)))).toEqual([])
    expect(missing(refuse, with2(hook('security_file_permission', 'file', path('/etc/passwd', 'Post'))))).toEqual([
      'it matches /etc/passwd too',
    ])
  })
})

describe('where a policy applies', () => {
  const visitor = { namespace: 'application', labels: { app: 'visitor' } }
  const frontend = { namespace: 'application', labels: { app: 'guestbook' } }
  const dns = { namespace: 'kube-system', labels: { 'k8s-app': 'kube-dns' } }
  const hook = { kprobes: [{ call: 'security_file_open', syscall: false }] }
  const scoped = { reaches: [visitor], leaves: [frontend, dns], lint: 'off' }

  it.each([
    ['by namespace and label', policyOf({ podSelector: { matchLabels: { app: 'visitor' } }, ...hook }), []],
    ['by namespace alone', policyOf({ ...hook }), ['it applies to guestbook in application too']],
    [
      'everywhere',
      policyOf({ ...hook }, { kind: 'TracingPolicy' }),
      ['it applies to guestbook in application too', 'it applies to kube-dns in kube-system too'],
    ],
    [
      'by label in all namespaces',
      policyOf(
        { podSelector: { matchExpressions: [{ key: 'app', operator: 'In', values: ['visitor'] }] }, ...hook },
        { kind: 'TracingPolicy' },
      ),
      [],
    ],
    [
      'by the namespace as a label',
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
      'on the machine alone',
      policyOf({ hostSelector: {}, ...hook }, { kind: 'TracingPolicy' }),
      ['it does not apply to visitor in application'],
    ],
  ])('%s', (_, text, expected) => {
    expect(missing(scoped, text)).toEqual(expected)
  })
})

describe('the rest of a policy', () => {
  it('its mode', () => {
    const monitored = fileOpen('Prefix', [folder], 'Sigkill', { options: [{ name: 'policy-mode', value: 'monitor' }] })
    expect(missing({ mode: 'monitor', lint: 'off' }, monitored)).toEqual([])
    expect(missing({ mode: 'enforce', lint: 'off' }, monitored)).toEqual([
      'it is in monitor mode: it says what it would do, and does nothing',
    ])
    expect(missing({ mode: 'enforce', lint: 'off' }, fileOpen('Prefix', [folder]))).toEqual([
      'it only observes: no action of it interferes',
    ])
  })

  it('its hook, arguments, kind, name, message and tags', () => {
    const text = ours('block-service-account-token')
    expect(
      missing(
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
    expect(missing({ hook: ['fd_install', 'sys_openat'] }, text)).toEqual([
      'it hooks security_file_open, not fd_install or sys_openat',
    ])
    expect(missing({ kind: 'TracingPolicy', name: 'other', tag: 'severity.low' }, text)).toEqual([
      'it is called block-service-account-token, not other',
      'it is a TracingPolicyNamespaced, not a TracingPolicy',
      'its tags are severity.critical',
    ])
    expect(missing({ args: [{ index: 1, type: 'string' }] }, text)).toEqual([
      'security_file_open reports no argument 1 of type string',
    ])
  })

  it('what the lint has against it, except in a dead end', () => {
    const broken = policyOf({
      kprobes: [{ call: 'security_file_open', syscall: true, args: [{ index: 0, type: 'file' }] }],
    })
    expect(missing({}, broken)[0]).toMatch(/^line \d+: /)
    expect(missing({}, broken, { deadEnd: true })).toEqual([])
    const unscoped = fileOpen('Prefix', [folder], 'Sigkill')
      .replace('TracingPolicyNamespaced', 'TracingPolicy')
      .replace('  namespace: application\n', '')
      .replace(/ {2}podSelector:\n {4}matchLabels:\n {6}app: visitor\n/, '')
    expect(missing({ findings: ['unscoped-enforcement'] }, unscoped, { deadEnd: true })).toEqual([])
    expect(
      missing({ findings: ['unscoped-enforcement'] }, fileOpen('Prefix', [folder], 'Sigkill'), { deadEnd: true }),
    ).toEqual(['the lint does not find unscoped-enforcement'])
  })

  it('every policy of the lab is read, and is what it says', () => {
    const files = readdirSync(join(projectDir, 'policies')).filter(file => file.endsWith('.yaml'))
    expect(files.length).toBeGreaterThan(5)
    for (const file of files) {
      const { candidates, problems } = candidatesOf(readFileSync(join(projectDir, 'policies', file), 'utf8'), file)
      expect(problems, file).toEqual([])
      expect(candidates.length, file).toBeGreaterThan(0)
    }
    const [kill] = candidatesOf(ours('block-service-account-token'), 'x').candidates
    const [watch] = candidatesOf(ours('sensitive-file-access'), 'x').candidates
    expect([modeOf(kill!.policy), modeOf(watch!.policy)]).toEqual(['enforce', 'observe'])
  })
})

describe('finding the policy', () => {
  const situation = (answers: Parameters<typeof fakeWorld>[0]) => ({
    world: fakeWorld(answers),
    work: '/nowhere',
    workPath: 'work/07-x',
    task: 'x',
    startedAt: new Date(),
    now: new Date(),
  })
  const wanted = { hook: 'security_file_open', catches: token, action: 'Sigkill' }

  it('in the cluster, whatever it is called', async () => {
    const object = (text: string) => candidatesOf(text, 'x').candidates[0]!.policy
    const item = (text: string, creationTimestamp: string) => {
      const { kind, name, namespace, spec } = object(text)
      return { apiVersion: 'cilium.io/v1alpha1', kind, metadata: { name, namespace, creationTimestamp }, spec }
    }
    const items = [
      item(ours('tcp-connect'), '2026-11-21T10:00:00Z'),
      item(fileOpen('Equal', [`${folder}/token`], 'Sigkill'), '2026-11-21T10:05:00Z'),
    ]
    const kubectl = () => ({ stdout: JSON.stringify({ items }) })
    expect(await make({ policy: checkOf(wanted) }, situation({ kubectl }))).toMatchObject({
      passed: false,
      found: /^mine \(namespace application\): it does not match .*\/token: Equal/,
    })
    items.push(item(fileOpen('Prefix', [folder], 'Sigkill'), '2026-11-21T10:06:00Z'))
    expect(await make({ policy: checkOf(wanted) }, situation({ kubectl }))).toMatchObject({ passed: true })
    expect(await make({ policy: checkOf(wanted) }, situation({}))).toMatchObject({
      passed: false,
      untried: true,
      found: 'no TracingPolicy in the cluster',
    })
  })

  it('in the student’s files, YAML errors included', async () => {
    const inWork = { policy: checkOf({ ...wanted, in: 'work', file: 'kill.yaml' }) }
    const files = (text: string) =>
      situation({
        files: [
          { name: 'kill.yaml', text },
          { name: 'other.yaml', text: 'a: b' },
        ],
      })
    expect(await make(inWork, files(fileOpen('Prefix', [folder], 'Sigkill')))).toMatchObject({ passed: true })
    expect(await make(inWork, files('a: [1'))).toMatchObject({
      passed: false,
      found: /^work\/07-x\/kill\.yaml, line 1: /,
    })
    expect(await make(inWork, files('kind: Pod'))).toMatchObject({ passed: false, found: /a Pod/ })
    expect(await make(inWork, situation({}))).toMatchObject({ passed: false, untried: true })
  })
})
