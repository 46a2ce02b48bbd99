import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { lintFiles } from '../../../../scripts/policy/lint-files.ts'
import { projectDir } from '../../../../shared/paths.ts'
import { readTestPolicy, summarize } from '../../support/policies.ts'

const trials = readTestPolicy('trials/misread-and-refused.tsv')
  .split('\n')
  .filter(line => line !== '' && !line.startsWith('#'))
  .map(line => line.split('\t'))
  .map(([file, findings]) => ({ file: file!, findings: findings!.split(', ') }))

describe('a policy that Tetragon misreads or refuses', () => {
  test.each(trials)('$file has the findings $findings', ({ file, findings }) => {
    const found = summarize(lintFiles([join(projectDir, 'test', 'policies', 'trials', file)]).findings)
    expect(found).toEqual(expect.arrayContaining(findings))
    const errors = (all: string[]): string[] => all.filter(finding => finding.includes(' error '))
    expect(errors(found)).toEqual(errors(findings))
  })
})
