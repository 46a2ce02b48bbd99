import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, test } from 'vitest'
import { readCatalog } from '../../../../scripts/policy/catalog.ts'
import { isExpected, parsePolicyEvents } from '../../../../scripts/policy/trial/policy-events.ts'
import { readTrial, type Trial } from '../../../../scripts/policy/trial/trial.ts'
import { formatEvent } from '../../../../scripts/policy/trial/trial-report.ts'
import { checkTrial, type Seen } from '../../../../scripts/policy/trial/try-policy.ts'
import { policyFolder, policyNames } from '../../../../shared/policy-file.ts'

const catalog = readCatalog()

describe('the trials', () => {
  it('are there for every policy, and for nothing else', () => {
    expect(readdirSync(join(policyFolder, 'try')).sort()).toEqual(
      policyNames()
        .map(name => `${name}.yaml`)
        .sort(),
    )
  })

  it.each(catalog.filter(({ monitor }) => monitor).map(({ name, twin }) => [name, twin!]))(
    '%s is triggered like its twin, and nothing happens to the program',
    (name, twin) => {
      const { run, event, exit, prints } = readTrial(name)
      expect({ run, event }).toEqual({ run: readTrial(twin).run, event: readTrial(twin).event })
      expect({ exit, prints }).toEqual({ exit: 0, prints: undefined })
    },
  )

  it('expect 137 of a policy that kills, and another error of one that refuses', () => {
    const expected = catalog
      .filter(({ enforces }) => enforces)
      .map(({ name, actions, trial }) => [name, actions, trial.exit])
    expect(expected).toEqual([
      ['block-service-account-token', ['Sigkill'], 137],
      ['deny-shadow', ['Override'], 1],
      ['deny-shadow-lsm', ['Override'], 1],
      ['deny-wget', ['Override'], 126],
      ['kill-wget', ['Sigkill'], 137],
      ['sys-openat-kill', ['Sigkill'], 137],
    ])
  })

  it('expect no event only of the policies that suppress it', () => {
    const silent = catalog.filter(({ trial }) => trial.event === 'none').map(({ name }) => name)
    expect(silent).toEqual(['deny-shadow-lsm', 'deny-shadow-lsm-monitor'])
  })

  it('show no token on the terminal', () => {
    for (const { name, trial } of catalog)
      if (trial.run.includes('serviceaccount')) expect(trial.run, name).toMatch(/ > \/dev\/null$/)
  })
})

const kprobe = (fields: object): string =>
  JSON.stringify({
    process_kprobe: {
      process: { binary: '/usr/bin/wget', arguments: '-q http://frontend/', pod: { name: 'visitor-1' } },
      function_name: 'tcp_connect',
      args: [{ sock_arg: { saddr: '10.244.0.7', sport: 41234, daddr: '10.96.180.3', dport: 80 } }],
      action: 'KPROBE_ACTION_POST',
      policy_name: 'tcp-connect',
      ...fields,
    },
    time: '2026-11-21T09:27:35Z',
  })

describe('an event', () => {
  test.each<[string, string]>([
    [kprobe({}), 'tcp_connect 10.244.0.7:41234 -> 10.96.180.3:80, by wget -q http://frontend/ in visitor-1'],
    [
      kprobe({ args: [{ file_arg: { path: '/etc/shadow' } }], return: { int_arg: -13 } }),
      'tcp_connect /etc/shadow, by wget -q http://frontend/ in visitor-1, returned -13',
    ],
    [
      kprobe({ args: [{ int_arg: -100 }, { string_arg: '/etc/hostname' }], action: 'KPROBE_ACTION_SIGKILL' }),
      'tcp_connect -100 /etc/hostname, by wget -q http://frontend/ in visitor-1, Sigkill',
    ],
    [
      kprobe({ args: undefined, function_name: '__x64_sys_openat' }),
      '__x64_sys_openat, by wget -q http://frontend/ in visitor-1',
    ],
  ])('%#: is one line', (line, text) => {
    expect(parsePolicyEvents(line, 'tcp-connect').map(formatEvent)).toEqual([text])
  })

  test('belongs to the policy that it names', () => {
    const lines = [
      kprobe({ policy_name: 'tcp-connect-outside' }),
      '{"process_exec":{"process":{}}}',
      '{"half',
      '',
    ].join('\n')
    expect(parsePolicyEvents(lines, 'tcp-connect')).toEqual([])
  })

  test.each<[Exclude<Trial['event'], 'none'>, boolean]>([
    [{ process: 'wget' }, true],
    [{ process: 'wget -q', argument: ':80' }, true],
    [{ process: 'get' }, false],
    [{ process: 'wget', argument: ':8080' }, false],
  ])('is expected by %j: %s', (expected, isIt) => {
    const [event] = parsePolicyEvents(kprobe({}), 'tcp-connect')
    expect(isExpected(event!, expected)).toBe(isIt)
  })
})

describe('a check of a trial', () => {
  const trial: Trial = { run: 'x', exit: 1, prints: 'denied', event: { process: 'wget', argument: ':80' } }
  const events = parsePolicyEvents(kprobe({}), 'tcp-connect')
  const seen: Seen = { exitCode: 1, output: 'Permission denied\n', events, count: 1 }

  test.each<[what: string, Trial, Seen, counter: 'enforced' | 'would' | undefined, failed: string[]]>([
    ['everything as expected', trial, seen, 'enforced', []],
    ['another exit code', trial, { ...seen, exitCode: 0 }, 'enforced', ['exit code 0']],
    ['another output', trial, { ...seen, output: '' }, 'enforced', ['nothing']],
    ['no event', trial, { ...seen, events: [] }, 'enforced', ['no event of the policy']],
    [
      'an event of another process',
      { ...trial, event: { process: 'cat' } },
      seen,
      undefined,
      ['1 event of the policy'],
    ],
    ['an event where none is expected', { ...trial, event: 'none' }, seen, undefined, ['1 event of the policy']],
    ['a counter that did not rise', trial, { ...seen, count: 0 }, 'would', ['0 times']],
  ])('%s', (_, expected, result, counter, failed) => {
    const found = checkTrial(expected, result, counter)
      .filter(({ passed }) => !passed)
      .map(each => each.found)
    expect(found).toEqual(failed)
  })
})
