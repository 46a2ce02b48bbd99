import { readFileSync, statSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { kubeconfigContext, repairRecords } from '../../../scripts/cluster/cluster-records.ts'
import { labPath } from '../../../shared/paths.ts'
import { labId } from '../../../shared/stack.ts'
import { type FakePrograms, fakePrograms } from '../support/fake-programs.ts'
import { truncatedFiles } from '../support/truncated-files.ts'

let programs: FakePrograms
beforeEach(() => {
  programs = fakePrograms()
  programs.write('node', 'running')
})
afterEach(() => programs.restore())

describe('repairRecords', () => {
  it.each(truncatedFiles)('rewrites records that say %j', async content => {
    programs.write('config', `node-labels: ${labId()}`)
    programs.write('.lab/cluster.json', content)
    programs.write('.lab/kubeconfig', content)
    expect(await repairRecords('lab', programs.env)).toEqual([
      expect.stringContaining('.lab/cluster.json'),
      expect.stringContaining('.lab/kubeconfig'),
    ])
    expect(JSON.parse(readFileSync(labPath('cluster.json'), 'utf8'))).toEqual({ name: 'lab' })
    expect(kubeconfigContext(labPath('kubeconfig'))).toBe('kind-lab')
    expect(statSync(labPath('kubeconfig')).mode & 0o777).toBe(0o600)
    expect(await repairRecords('lab', programs.env)).toEqual([])
  })

  it('writes no records of a cluster that another lab has created', async () => {
    programs.write('config', 'node-labels: another')
    programs.write('.lab/cluster.json', '{')
    expect(await repairRecords('lab', programs.env)).toEqual([])
    expect(programs.exists('.lab/kubeconfig')).toBe(false)
  })
})
