import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { execaSync } from 'execa'
import { describe, expect, test } from 'vitest'
import { projectDir } from '../../../shared/paths.ts'
import { newFolder } from '../support/folders.ts'

/** Returns the candidates for the last word of a command line, without their descriptions. */
const complete = (line: string, checkout = projectDir): string[] =>
  linesOf(execaSync(join(checkout, 'lab'), ['--complete', ...line.split(' ')]).stdout)
const linesOf = (text: string): string[] =>
  text
    .split('\n')
    .filter(Boolean)
    .map(row => row.split('\t')[0]!)

const policies = readdirSync(join(projectDir, 'policies'))
  .filter(file => file.endsWith('.yaml'))
  .map(file => basename(file, '.yaml'))

test.each([
  ['stat', ['status']],
  ['policy s', ['show', 'symbols']],
  ['policy show deny-wget', ['deny-wget-monitor', 'deny-wget']],
  ['policy show policies/deny-w', [':files']],
  ['policy bundle out deny-wget', ['deny-wget-monitor', 'deny-wget']],
  ['policy kustomize ', [':folders']],
  ['policy lint --format ', ['text', 'json', 'sarif', 'github']],
  ['policy lint --format=sa', ['--format=sarif']],
  ['policy lint --kernel ', [':files']],
  ['policy lint --explain late', ['late-kill']],
  ['--lo', ['--lock']],
  ['up --lo', ['--lock']],
  ['up --lock ', [':files']],
  ['--lock my.lock.yaml stat', ['status']],
  ['exercise start 0', Array.from({ length: 10 }, (_, number) => expect.stringMatching(`^0${number}-`))],
  ['logs -n 3 shi', ['shipper']],
  ['test fau', ['faults']],
  ['test unit ', [':files']],
  ['query p', ['promql']],
  ['completion ', ['bash', 'zsh', 'fish']],
  ['pulumi c', ['config']],
  ['pulumi config set --path tetragon-lab:ports.g', ['tetragon-lab:ports.guestbook', 'tetragon-lab:ports.grafana']],
  ['pulumi config set tetragon-lab:traffic.enabled ', ['true', 'false']],
  ['plan --set ports.gr', [':nospace', 'ports.grafana=']],
  ['plan --set tetragon.source=l', ['tetragon.source=live']],
  // What stands after a subcommand that does not exist, or is free text, has no candidates.
  ['nonsense ', []],
  ['exercise answer pod ', []],
  ['policy apply --timeout ', []],
])('%j', (line, candidates) => {
  expect(complete(line)).toEqual(candidates)
})

test('a policy is offered wherever one is named', () => {
  for (const command of ['show', 'apply', 'remove', 'check'])
    expect(complete(`policy ${command} `).toSorted()).toEqual(policies.toSorted())
})

test('policies and exercises are read from the checkout, and nothing else is started', () => {
  const checkout = newFolder()
  for (const file of ['lab', 'scripts/completion/complete.sh', 'scripts/completion/complete.awk', 'policies/mine.yaml'])
    mkdirSync(dirname(join(checkout, file)), { recursive: true })
  for (const file of ['complete.sh', 'complete.awk', 'commands.tsv'])
    copyFileSync(join(projectDir, 'scripts/completion', file), join(checkout, 'scripts/completion', file))
  copyFileSync(join(projectDir, 'lab'), join(checkout, 'lab'))
  writeFileSync(join(checkout, 'policies/mine.yaml'), '')
  mkdirSync(join(checkout, 'labs/20-own'), { recursive: true })
  writeFileSync(join(checkout, 'labs/20-own/exercise.yaml'), '')
  mkdirSync(join(checkout, 'labs/no-exercise'))
  expect(complete('policy show ', checkout)).toEqual(['mine'])
  expect(complete('exercise start ', checkout)).toEqual(['20-own'])
  expect(readdirSync(checkout)).not.toContain('.lab')
})

describe('every awk gives the same candidates', () => {
  test.each([
    ['gawk', ['gawk']],
    ['mawk', ['mawk']],
    ['busybox awk', ['busybox', 'awk']],
  ])('%s', (name, [program, ...args]) => {
    if (execaSync('sh', ['-c', `command -v ${program}`], { reject: false }).failed)
      return console.log(`Completion is not tested with ${name}, which is not installed`)
    const bin = newFolder()
    writeFileSync(join(bin, 'awk'), `#!/bin/sh\nexec ${[program, ...args].join(' ')} "$@"\n`, { mode: 0o755 })
    for (const line of ['policy lint --format=sa', 'plan --set tetragon.source=', 'ex start 04', 'policy show deny']) {
      const { stdout } = execaSync(join(projectDir, 'lab'), ['--complete', ...line.split(' ')], {
        env: { PATH: `${bin}:${process.env.PATH}` },
      })
      expect(linesOf(stdout)).toEqual(complete(line))
    }
  })
})
