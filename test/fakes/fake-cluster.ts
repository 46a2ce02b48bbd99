import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { ClusterAccess } from '../../scripts/cluster/kubectl.ts'
import { projectDir } from '../../shared/paths.ts'
import { readLabPolicy } from '../../shared/policy-file.ts'
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
  /** Policies of the lab that are in the cluster, and that the agent has loaded unless it refuses them. */
  policies?: string[]
  /** The agent's message for each policy that it refuses. */
  refuses?: Record<string, string>
  /** How many questions to the agent break off before one is answered. */
  breaks?: number
  /** What a command in a pod does. */
  trigger?: FakeTrigger
}

/** What a command in a pod does to the agent. */
interface FakeTrigger {
  exitCode?: number
  /** May contain `$KUBECONFIG`. */
  prints?: string
  /** What the agent adds to its file. */
  events?: object[]
  /** The agent's counters afterwards. */
  counters?: Record<string, string>
}

/** Starts a cluster with a fake kubectl and a fake agent. */
export function startFakeCluster(options: FakeClusterOptions = {}): FakeCluster {
  const { daemonset = 'tetragon', policies = [], refuses = {}, breaks = 0, trigger = {} } = options
  const folder = mkdtempSync(join(tmpdir(), 'fake-cluster-'))
  const file = join(folder, 'cluster.json')
  symlinkSync(join(projectDir, 'test', 'fakes', 'fake-kubectl.mjs'), join(folder, 'kubectl'))
  const documents = policies.map((name, index) => {
    const { kind, metadata, spec } = readLabPolicy(name)
    const key = `${metadata.namespace ?? ''}/${metadata.name}`
    return { key, id: String(index + 1), object: { kind, metadata: { ...metadata, resourceVersion: '1' }, spec } }
  })
  const state = {
    daemonsets: [daemonset],
    refuses,
    breaks,
    trigger,
    counters: { post: '2', override: '1' },
    version: documents.length,
    objects: Object.fromEntries(documents.map(({ key, object }) => [key, object])),
    agent: Object.fromEntries(documents.map(({ key, id }) => [key, { id, requests: 1 }])),
  }
  writeFileSync(file, JSON.stringify(state))
  // Events of earlier opens.
  mkdirSync(`${file}.logs`)
  writeFileSync(`${file}.logs/tetragon.log`, '{"process_exec":{}}\n')
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
