import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest'
import {
  isLoopback,
  judgeNeighbours,
  judgeNode,
  judgeSockets,
  judgeVacantAddresses,
  parseListeners,
} from '../../../scripts/verify/listeners.ts'
import {
  type HostImage,
  judgeDigests,
  judgeNames,
  judgeNode as judgeNodeImage,
  judgeStarted,
  type NodeImage,
  type Started,
} from '../../../scripts/verify/running-images.ts'
import { filesThatHold, labSecrets, programsThatShow } from '../../../scripts/verify/secrets.ts'
import { judgeAdmission, judgeNetwork, judgePods, type Pod } from '../../../scripts/verify/security.ts'
import { imageRef, type LockedImage } from '../../../shared/lock.ts'
import { exceptionsWith } from '../../../shared/pod-security.ts'
import { parseSettings } from '../../../shared/settings/schema.ts'

const results = (checks: { result: string }[]) => checks.map(({ result }) => result)

describe('what listens', () => {
  const header = '  sl  local_address rem_address   st tx_queue rx_queue\n'
  const line = (local: string, state = '0A') => `   0: ${local} 00000000:0000 ${state} 00000000:00000000\n`

  test('is read from the tables of the kernel', () => {
    const table =
      header +
      line('0100007F:1F90') +
      line('00000000:0BB8') +
      line('020012AC:1920') +
      line('0100007F:9999', '01') +
      header.trimStart() +
      line('00000000000000000000000001000000:0C1C') +
      line('00000000000000000000000000000000:280A') +
      line('0000000000000000FFFF00000100007F:2382')
    expect(parseListeners(table)).toEqual([
      { address: '127.0.0.1', port: 8080 },
      { address: '0.0.0.0', port: 3000 },
      { address: '172.18.0.2', port: 6432 },
      { address: '::1', port: 3100 },
      { address: '::', port: 10250 },
      { address: '127.0.0.1', port: 9090 },
    ])
  })

  test.runIf(process.platform === 'linux')('also of this machine, where something listens', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise(resolve => server.once('listening', resolve))
    const { port } = server.address() as { port: number }
    try {
      expect(parseListeners(readFileSync('/proc/net/tcp', 'utf8'))).toContainEqual({ address: '127.0.0.1', port })
    } finally {
      server.close()
    }
  })

  test('on loopback is told from the rest', () => {
    expect(['127.0.0.1', '127.1.2.3', '::1'].map(isLoopback)).toEqual([true, true, true])
    expect(['0.0.0.0', '::', '172.18.0.2', 'fd00::1'].map(isLoopback)).toEqual([false, false, false, false])
  })

  test('beyond loopback fails, what has no socket is skipped', () => {
    const bound = [
      { address: '127.0.0.1', port: 3000 },
      { address: '127.0.0.1', port: 8080 },
    ]
    expect(judgeSockets(bound, bound)).toMatchObject({ result: 'ok', found: '127.0.0.1:3000, 127.0.0.1:8080' })
    expect(judgeSockets(bound, bound.slice(1))).toMatchObject({
      result: 'skip',
      found: expect.stringContaining('3000'),
    })
    expect(judgeSockets(bound, [...bound, { address: '::', port: 3000 }])).toMatchObject({
      result: 'fail',
      found: '[::]:3000',
    })
  })

  test('in the node is named; on the network of the machine it fails', () => {
    const listening = [
      { address: '::', port: 6443 },
      { address: '::', port: 10250 },
      { address: '127.0.0.1', port: 10257 },
      { address: '0.0.0.0', port: 4711 },
    ]
    expect(judgeNode(listening, 'kind', 'lab-control-plane')).toMatchObject({
      result: 'ok',
      found: "on Docker's network kind, not on this machine's: 4711, 6443 API server, 10250 kubelet",
    })
    expect(judgeNode(listening, 'host', 'lab-control-plane').result).toBe('fail')
  })

  test('nobody answers in the name of a Service or a pod that is not there', () => {
    const judge = (service: number, pod: number) =>
      judgeVacantAddresses(
        new Map([
          ['10.96.255.254', service],
          ['10.244.255.254', pod],
        ]),
      )
    expect(judge(7, 7).result).toBe('ok')
    expect(judge(0, 7)).toMatchObject({ result: 'fail', found: 'a stranger answers at 10.96.255.254' })
    expect(judge(7, 28)).toMatchObject({ result: 'fail', found: '10.244.255.254 is asked outside of the node' })
  })

  test('for neighbours depends on the engine', () => {
    const engine = {
      version: '28.2.2',
      product: 'Docker Engine',
      system: 'Debian',
      endpoint: 'unix:///var/run/docker.sock',
      local: true,
      rootless: false,
    }
    const judge = (more: object) => judgeNeighbours({ ...engine, ...more } as never, 'kind').result
    expect(judge({})).toBe('ok')
    expect(judge({ version: '27.5.1' })).toBe('skip')
    expect(judge({ version: '20.10.24+dfsg1' })).toBe('skip')
    expect(judge({ version: '27.5.1', rootless: true })).toBe('ok')
    expect(judge({ version: '27.5.1', product: 'Docker Desktop', local: false })).toBe('ok')
  })
})

describe('pods', () => {
  const settings = parseSettings({})
  const pod = (name: string, spec: object, more: Partial<Pod['metadata']> = {}): Pod => ({
    metadata: { name, namespace: 'application', ...more },
    spec: { containers: [{ name: 'main', securityContext: {} }], ...spec } as Pod['spec'],
  })
  const owned = (workload: string): Partial<Pod['metadata']> => ({
    labels: { 'pod-template-hash': '7d9c' },
    ownerReferences: [{ kind: 'ReplicaSet', name: `${workload}-7d9c` }],
  })
  const context = {
    runAsNonRoot: true,
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    seccompProfile: { type: 'RuntimeDefault' },
  }
  const good = { containers: [{ name: 'main', securityContext: context }] }
  const root = { containers: [{ name: 'main', securityContext: { runAsUser: 0 } }] }

  test('are restricted, or exceptions, with the reason; and an exception may do no more than it was given', () => {
    const judge = (one: Pod) => judgePods([one], exceptionsWith(settings))[0]
    expect(judge(pod('frontend-7d9c-x', good, owned('frontend')))).toMatchObject({
      result: 'ok',
      title: 'application/frontend',
    })
    expect(judge(pod('visitor-7d9c-x', root, owned('visitor')))).toMatchObject({
      result: 'skip',
      found: expect.stringContaining('because it is the careless pod'),
    })
    const worse = { ...root, volumes: [{ name: 'node', hostPath: {} }] }
    expect(judge(pod('visitor-7d9c-x', worse, owned('visitor')))).toMatchObject({
      result: 'fail',
      found: 'volumes: hostPath as node',
    })
    expect(judge(pod('nginx', {}))).toMatchObject({ result: 'fail', title: 'application/nginx' })
    // The frontend may be otherwise only where its image is the original.
    expect(judge(pod('frontend-7d9c-x', {}, owned('frontend')))?.result).toBe('fail')
  })

  test('are counted as the API server counts them', () => {
    const pods = [pod('visitor-7d9c-x', root), pod('frontend-1', good), pod('a-1', root), pod('a-2', root)]
    const warnings = `Warning: existing pods in namespace "application" violate the new PodSecurity enforce level "restricted:latest"
Warning: visitor-7d9c-x: allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot != true
Warning: a-1 (and 1 other pod): runAsUser=0
`
    expect(judgeAdmission('application', warnings, pods)).toMatchObject({
      result: 'ok',
      found: '3 of 4 pods are not restricted',
    })
    expect(judgeAdmission('application', '', pods).result).toBe('fail')
    expect(judgeAdmission('monitoring', '', pods).result).toBe('ok')
  })
})

test('network policies are enforced, or not at all, or wrong', () => {
  const all = { 'frontend:80': true, 'redis-leader:6379': false, 'redis-follower:6379': false }
  const loki = 'loki.monitoring.svc:3100'
  expect(judgeNetwork({ ...all, [loki]: false })).toMatchObject({ result: 'ok' })
  expect(judgeNetwork({ ...all, 'redis-leader:6379': true, 'redis-follower:6379': true, [loki]: true })).toMatchObject({
    result: 'skip',
  })
  expect(judgeNetwork({ ...all, [loki]: true })).toMatchObject({ result: 'fail', found: `the visitor reaches ${loki}` })
  expect(judgeNetwork({ ...all, 'frontend:80': false, [loki]: false })).toMatchObject({ result: 'fail' })
})

describe('images', () => {
  const of = (repository: string, digest?: string): LockedImage => ({ repository, tag: '1', ...(digest && { digest }) })
  const sha = (letter: string) => `sha256:${letter.repeat(64)}`
  const redis = of('docker.io/library/redis', sha('a'))
  const ref = imageRef(redis)
  const started = (id: string, image = ref): Started[] => [{ pod: 'redis-1', container: 'leader', image, id }]
  const inNode = new Map<string, NodeImage>([[ref, { config: sha('c'), target: sha('b') }]])
  const onHost = (id: string, ...digests: string[]) =>
    new Map<string, HostImage>([[ref, { id, digests: digests.map(digest => `redis@${digest}`) }]])

  beforeEach(() => {
    process.env.LAB_DIR = mkdtempSync(join(tmpdir(), 'lab-images-'))
  })
  afterEach(() => {
    rmSync(process.env.LAB_DIR!, { recursive: true, force: true })
    delete process.env.LAB_DIR
  })

  test('that run are in the lock', () => {
    expect(judgeNames(started(sha('c')), [redis]).result).toBe('ok')
    expect(judgeNames(started(sha('c'), 'docker.io/library/nginx:latest'), [redis])).toMatchObject({
      result: 'fail',
      found: 'docker.io/library/nginx:latest in redis-1',
    })
  })

  test('are followed from the container to the Docker host, with either image store', () => {
    const judge = (id: string, host: string) => judgeStarted(started(id), inNode, onHost(host)).result
    expect(judge(sha('c'), sha('c'))).toBe('ok')
    expect(judge(`docker.io/library/redis@${sha('b')}`, sha('b'))).toBe('ok')
    // The node was given another image under the name after the container had started.
    expect(judge(sha('d'), sha('c'))).toBe('fail')
    // The Docker host has another than the node.
    expect(judge(sha('c'), sha('d'))).toBe('fail')
    expect(judgeStarted(started(sha('c')), new Map(), onHost(sha('c'))).result).toBe('fail')
  })

  test('have the digest of the lock, or go by their name where no registry gave one', () => {
    expect(results(judgeDigests([redis], onHost(sha('c'), sha('a'))))).toEqual(['ok'])
    expect(results(judgeDigests([redis], onHost(sha('c'), sha('e'))))).toEqual(['fail'])
    expect(results(judgeDigests([redis], onHost(sha('c'))))).toEqual(['skip'])
    expect(results(judgeDigests([of('docker.io/library/redis')], onHost(sha('c'), sha('a'))))).toEqual(['skip'])
    writeFileSync(join(process.env.LAB_DIR!, 'remembered.json'), JSON.stringify({ [ref]: sha('f') }))
    expect(results(judgeDigests([of('docker.io/library/redis')], onHost(sha('c'), sha('a'))))).toEqual(['fail'])
  })

  test('the node is of its own', () => {
    expect(judgeNodeImage(redis, sha('c'), onHost(sha('c'), sha('a'))).result).toBe('ok')
    expect(judgeNodeImage(redis, sha('c'), onHost(sha('c'), sha('e'))).result).toBe('fail')
    expect(judgeNodeImage(redis, sha('d'), onHost(sha('c'), sha('a'))).result).toBe('fail')
    expect(judgeNodeImage(redis, sha('c'), onHost(sha('c'))).result).toBe('skip')
  })
})

describe('secrets', () => {
  let dir: string
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'lab-secrets-'))
    process.env.LAB_DIR = dir
    mkdirSync(join(dir, 'logs'))
    mkdirSync(join(dir, 'tools'))
    const key = Buffer.from('-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----\n')
    writeFileSync(join(dir, 'passphrase'), 'correct-horse\n')
    writeFileSync(
      join(dir, 'kubeconfig'),
      JSON.stringify({ users: [{ user: { 'client-key-data': key.toString('base64') } }] }),
    )
  })
  afterEach(() => {
    rmSync(dir, { recursive: true, force: true })
    delete process.env.LAB_DIR
  })

  test('are the lab’s own; a password that the user has chosen may be any word', () => {
    expect(labSecrets(parseSettings({})).map(({ file }) => file)).toEqual([
      'grafana-password',
      'passphrase',
      'kubeconfig',
    ])
    const chosen = labSecrets(parseSettings({ grafana: { password: 'admin' } }))
    expect(chosen.map(({ file }) => file)).toEqual(['passphrase', 'kubeconfig'])
  })

  test('are found wherever they were left, in every guise', () => {
    const [password, passphrase, key] = labSecrets(parseSettings({}))
    expect(filesThatHold(password!)).toEqual([])
    const text = readFileSync(join(dir, 'grafana-password'), 'utf8').trim()
    writeFileSync(join(dir, 'logs', 'up.log'), `created grafana with ${text}\n`)
    writeFileSync(join(dir, 'logs', 'request.log'), Buffer.from(`admin:${text}`).toString('base64'))
    writeFileSync(join(dir, 'state.json'), JSON.stringify({ data: Buffer.from(text).toString('base64') }))
    writeFileSync(join(dir, 'tools', 'kind'), text)
    expect(filesThatHold(password!).sort()).toEqual(['logs/request.log', 'logs/up.log', 'state.json'])
    expect(filesThatHold(passphrase!)).toEqual([])
    writeFileSync(join(dir, 'logs', 'kind.log'), 'MIIEpAIBAAKCAQEA')
    expect(filesThatHold(key!)).toEqual(['logs/kind.log'])
  })

  test.runIf(process.platform === 'linux')('are seen among arguments and in environments', async () => {
    const secrets = labSecrets(parseSettings({}))
    const { texts } = secrets[0]!
    expect(programsThatShow(secrets)).toEqual([])
    const careless = [
      spawn('sleep', ['30'], { env: { PATH: process.env.PATH, PASSWORD: texts[0] } }),
      spawn('sleep', ['30'], { argv0: texts[0] }),
    ]
    try {
      await expect
        .poll(() => programsThatShow(secrets).sort())
        .toEqual([
          expect.stringMatching(/^the password of Grafana in the cmdline of process \d+$/),
          expect.stringMatching(/^the password of Grafana in the environ of process \d+$/),
        ])
    } finally {
      for (const each of careless) each.kill('SIGKILL')
    }
  })

  it('the file of the password is for its owner alone', () => {
    labSecrets(parseSettings({}))
    const file = join(dir, 'grafana-password')
    expect(readFileSync(file, 'utf8').trim()).toMatch(/^[\w-]{24}$/)
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })
})
