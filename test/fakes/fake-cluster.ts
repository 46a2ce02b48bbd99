import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { ClusterAccess } from '../../scripts/cluster/kubectl.ts'
import { projectDir } from '../../shared/paths.ts'
import { parseSettings } from '../../shared/settings/parser.ts'

/** A cluster with a fake kubectl and a fake agent. */
export interface FakeCluster {
  access: ClusterAccess
  folder: string
  /** Returns how many times kubectl was run with this verb. */
  calls(verb: string): number
  remove(): void
}

/** What a fake cluster starts with. */
export interface FakeClusterOptions {
  daemonset?: 'tetragon' | 'tetragon-replay'
  /** Names of cluster-wide policies, or of `NAMESPACE/NAME`. */
  policies?: string[]
  /** The agent's message for each policy that it refuses. */
  refuses?: Record<string, string>
}

/** Starts a cluster with a fake kubectl and a fake agent. */
export function startFakeCluster({
  daemonset = 'tetragon',
  policies = [],
  refuses = {},
}: FakeClusterOptions = {}): FakeCluster {
  const folder = mkdtempSync(join(tmpdir(), 'fake-cluster-'))
  const file = join(folder, 'cluster.json')
  symlinkSync(join(projectDir, 'test', 'fakes', 'fake-kubectl.mjs'), join(folder, 'kubectl'))
  const keys = policies.map(policy => (policy.includes('/') ? policy : `/${policy}`))
  const objects = keys.map(key => {
    const [namespace, name] = key.split('/')
    return [key, { metadata: { name, ...(namespace && { namespace }), resourceVersion: '1' } }]
  })
  const agent = keys.map((key, index) => [key, { id: String(index + 1), asked: 0 }])
  const state = {
    daemonsets: [daemonset],
    refuses,
    version: 1,
    objects: Object.fromEntries(objects),
    agent: Object.fromEntries(agent),
  }
  writeFileSync(file, JSON.stringify(state))
  return {
    access: {
      settings: parseSettings({ cluster: { mode: 'existing', context: 'fake' } }),
      env: { PATH: [folder, dirname(process.execPath), process.env.PATH].join(':'), FAKE_CLUSTER: file },
    },
    folder,
    calls: verb =>
      readFileSync(`${file}.log`, 'utf8')
        .split('\n')
        .filter(line => line.startsWith(`${verb} `)).length,
    remove: () => rmSync(folder, { recursive: true }),
  }
}
