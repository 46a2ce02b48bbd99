import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readClusterTarget, readStackConfig } from '../../../../shared/settings/stack-file.ts'
import { newFolder } from '../../support/folders.ts'

function stackFile(config: string): string {
  const file = join(newFolder(), 'Pulumi.dev.yaml')
  writeFileSync(file, `config:\n  ${config}\n`)
  return file
}

describe('readStackConfig', () => {
  it('lets the full name of a section win over its bare name', () => {
    const file = stackFile('traffic: {rate: 3}\n  tetragon-lab:traffic: {rate: 4}\n  kubernetes:context: x')
    expect(readStackConfig(file)).toEqual({ traffic: { rate: 4 } })
  })

  it('returns no sections where there is no file', () => {
    expect(readStackConfig(join(newFolder(), 'Pulumi.dev.yaml'))).toEqual({})
  })
})

describe('readClusterTarget', () => {
  it.each([
    ['tetragon-lab:cluster: {mode: existing, context: school}', ['existing', 'lab', 'school']],
    ['cluster: {mode: existing, context: school}\n  tetragon-lab:traffic: {rat: 3}', ['existing', 'lab', 'school']],
    ['tetragon-lab:cluster: {mode: create, name: lab-2}', ['create', 'lab-2', '']],
    ['tetragon-lab:cluster: existing', ['create', 'lab', '']],
    ['tetragon-lab:traffic: {rate: 3}', ['create', 'lab', '']],
    ['tetragon-lab:cluster: {mode: "exist', ['create', 'lab', '']],
  ])('reads the cluster of `%s`, even if other settings are wrong', (config, [mode, name, context]) => {
    expect(readClusterTarget(stackFile(config))).toEqual({ mode, name, context })
  })
})
