import type { DoctorFacts } from '../../../scripts/doctor/facts/gather-facts.ts'
import type { EngineFacts } from '../../../scripts/engine/engine-facts.ts'
import { noFeatures } from '../../../scripts/kernel/features.ts'

export const gibi = 1024 ** 3

const goodEngine: EngineFacts = {
  endpoint: 'unix:///var/run/docker.sock',
  product: 'Docker Engine',
  wsl: false,
  kernel: '6.8.0',
  proxy: { http: '', https: '', no: '' },
  version: '28.2.2',
  platform: 'linux/amd64',
  system: 'Ubuntu 24.04.3 LTS',
  local: true,
  rootless: false,
  cpus: 8,
  memoryBytes: 16 * gibi,
  cgroup: 2,
  dataRoot: '/var/lib/docker',
  clockAhead: 0.2,
  outsideContainer: false,
}

/** The facts of a machine without any problem. */
export const goodFacts: DoctorFacts = {
  os: 'linux',
  osName: 'Ubuntu 24.04.3 LTS',
  wsl: false,
  engine: goodEngine,
  kernel: {
    source: 'live',
    why: 'Linux 6.8.0 can run Tetragon',
    probed: 'this machine',
    features: { ...noFeatures, btf: true, kprobes: true, sigkill: true, hostPids: true },
  },
  ports: [
    { name: 'guestbook', number: 8080, state: 'free' },
    { name: 'grafana', number: 3000, state: 'free' },
  ],
  running: false,
  foreignCluster: false,
  otherClusters: [],
  tetragonAgents: 0,
  availableMemoryBytes: 9 * gibi,
  freeDiskBytes: 80e9,
  inotify: { watches: 524_288, instances: 512 },
  tools: [{ name: 'kind 0.32.0', present: true, host: 'github.com' }],
  charts: [{ name: 'loki 18.11.0', present: true, host: 'github.com' }],
  changedCharts: [],
  versionMismatches: [],
  images: [
    {
      name: 'docker.io/grafana/loki:3.7.6',
      present: true,
      host: 'registry-1.docker.io',
      platforms: ['linux/amd64', 'linux/arm64'],
      copied: true,
      downloadBytes: 45e6,
      diskBytes: 150e6,
    },
  ],
  proxies: { onLoopback: false, coversLabPorts: false },
  hosts: new Map(),
}

/** Returns a good engine with some facts changed. */
export const withEngine = (facts: Partial<EngineFacts>): Pick<DoctorFacts, 'engine'> => ({
  engine: { ...goodEngine, ...facts },
})
