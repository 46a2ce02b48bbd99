import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { deleteCluster, ensureCluster, startCluster } from '../../../scripts/cluster/kind.ts'
import { labId } from '../../../shared/stack.ts'
import { type FakeDocker, fakeDocker } from '../support/fake-docker.ts'
import { newFolder } from '../support/folders.ts'

const nodeImage = { repository: 'docker.io/kindest/node', tag: 'v1.36.1' }
const redis = { repository: 'docker.io/library/redis', tag: '8' }
const spec = { name: 'kind-test', config: 'kind: Cluster\n', nodeImage, images: [redis] }

let docker: FakeDocker
let folder: string
let log: string[]
/** The programs are found on PATH. */
const env = {}

/** Writes a fake program that records its arguments. */
function fake(program: string, script: string): void {
  writeFileSync(join(folder, program), `#!/bin/sh\necho "${program} $*" >> '${folder}/calls'\n${script}\n`, {
    mode: 0o755,
  })
}
const calls = (): string[] =>
  existsSync(join(folder, 'calls')) ? readFileSync(join(folder, 'calls'), 'utf8').trimEnd().split('\n') : []
const inLab = (name: string): string => join(process.env.LAB_DIR!, name)

/** Adds a node in this state, created by the lab with this id. */
function addNode(state: string, id: string): void {
  writeFileSync(join(folder, 'node-state'), `${state}\n`)
  writeFileSync(join(folder, 'node-config'), `node-labels: ${id}\n`)
}

beforeEach(() => {
  folder = newFolder()
  vi.stubEnv('LAB_DIR', newFolder())
  docker = fakeDocker()
  for (const { repository, tag } of [nodeImage, redis]) docker.put('host', `${repository}:${tag} -`)
  const [engineFolder] = process.env.PATH!.split(':')
  // Answers questions about the node, and leaves everything else to the fake engine.
  const dockerScript = `#!/bin/sh
case "$1" in
  inspect) cat '${folder}/node-state' 2>/dev/null ;;
  cp) cat '${folder}/node-config' 2>/dev/null ;;
  *) exec '${engineFolder}/docker' "$@" ;;
esac
`
  writeFileSync(join(folder, 'docker'), dockerScript, { mode: 0o755 })
  vi.stubEnv('PATH', `${folder}:${process.env.PATH}`)
  log = []
  fake('kind', `while [ $# -gt 0 ]; do case $1 in --kubeconfig) echo 'kind: Config' > "$2" ;; esac; shift; done`)
  fake('kubectl', `case "$*" in *readyz*) echo ok ;; *) echo True ;; esac`)
})
afterEach(() => {
  vi.unstubAllEnvs()
  docker.restore()
})

const ensure = (changes = {}) => ensureCluster({ ...spec, ...changes }, env, line => log.push(line))
const hasNetworkRules = (): boolean => docker.calls().some(call => call.startsWith('iptables --wait'))

describe('ensureCluster', () => {
  test('creates and records a cluster, with its images and network rules in the node', async () => {
    expect(await ensure()).toBe('kind-test-control-plane')
    expect(calls().filter(call => call.startsWith('kind'))).toEqual([
      `kind create cluster --name kind-test --kubeconfig ${inLab('kubeconfig')} --image docker.io/kindest/node:v1.36.1 --config - --wait 0s -q`,
    ])
    expect(JSON.parse(readFileSync(inLab('cluster.json'), 'utf8'))).toEqual({ name: 'kind-test' })
    expect(docker.read('node')).toContain('docker.io/library/redis:8')
    expect(hasNetworkRules()).toBe(true)
    expect(log).toEqual(expect.arrayContaining(['creating the node', 'the API responds']))
  })

  test('keeps its own running cluster', async () => {
    addNode('running', labId())
    await ensure()
    expect(calls().filter(call => /^kind (create|delete)/.test(call))).toEqual([])
    expect(docker.read('node')).toContain('docker.io/library/redis:8')
  })

  test('recreates its own cluster when the node has no kubeconfig yet', async () => {
    addNode('running', labId())
    fake('kind', `case "$1" in export) exit 1 ;; create) : > '${inLab('kubeconfig')}' ;; esac`)
    await ensure()
    expect(calls().map(call => call.split(' ').slice(0, 2).join(' '))).toEqual(
      expect.arrayContaining(['kind delete', 'kind create']),
    )
  })

  test('rejects a cluster of the same name that another lab created', async () => {
    addNode('running', 'another-lab')
    await expect(ensure()).rejects.toMatchObject({
      found: 'The kind cluster kind-test was not created by this lab',
      next: './lab pulumi config set --path tetragon-lab:cluster.name kind-test-2',
    })
    expect(calls()).toEqual([])
  })

  test('refuses images that are not published for the engine, before it pulls anything', async () => {
    const frontend = { repository: 'example.org/frontend', tag: 'v5', platforms: ['linux/arm64' as const] }
    docker.remove('docker.io/kindest/node:v1.36.1')
    await expect(ensure({ images: [redis, frontend] })).rejects.toMatchObject({
      found: 'The image example.org/frontend:v5 is not published for linux/amd64',
      next: './lab pulumi config set --path tetragon-lab:guestbook.images lab',
    })
    expect(docker.calls().filter(call => call.startsWith('pull'))).toEqual([])
    expect(calls()).toEqual([])
  })

  test('reports the error line of kind', async () => {
    fake('kind', "echo 'ERROR: failed to create cluster: no space left' >&2; echo 'Stack Trace: x' >&2; exit 1")
    await expect(ensure({ images: [] })).rejects.toMatchObject({
      found: 'kind failed: failed to create cluster: no space left',
    })
    // The rules are added at the same time; the fake engine must exist until then.
    await vi.waitFor(() => expect(hasNetworkRules()).toBe(true))
  })
})

describe('startCluster', () => {
  test.each([
    ['paused', 'unpause'],
    ['exited', 'start'],
  ])('changes a node that is %s with docker %s', async (state, command) => {
    expect(await startCluster('kind-test', state, env, line => log.push(line))).toBe(true)
    expect(docker.calls()).toContain(`${command} kind-test-control-plane`)
    expect(log).toEqual([`starting the node, which was ${state}`, 'the cluster is ready'])
  })
})

describe('deleteCluster', () => {
  test('keeps a cluster that another lab created', async () => {
    addNode('running', 'another-lab')
    await deleteCluster('kind-test', env, line => log.push(line))
    expect(calls()).toEqual([])
    expect(log).toEqual(['keeping the cluster kind-test, which this lab did not create'])
  })

  test('deletes its own cluster and the records', async () => {
    addNode('running', labId())
    for (const file of ['cluster.json', 'kubeconfig']) appendFileSync(inLab(file), '')
    await deleteCluster('kind-test', env, line => log.push(line))
    expect(calls()).toEqual([`kind delete cluster --name kind-test --kubeconfig ${inLab('kubeconfig')}`])
    expect([existsSync(inLab('cluster.json')), existsSync(inLab('kubeconfig'))]).toEqual([false, false])
  })
})
