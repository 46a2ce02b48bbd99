import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { release } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { kernelDecision } from '../../../scripts/kernel/decision.ts'
import { type FakeDocker, fakeDocker } from '../support/fake-docker.ts'
import { newFolder } from '../support/folders.ts'
import { arch, debian, devContainer } from './probes.ts'

describe('the kernel under the Docker engine', () => {
  let docker: FakeDocker
  let engine: Server | undefined
  let socket: string

  /** Starts a fake engine that answers GET /version. */
  async function startEngine(kernel: string): Promise<void> {
    engine = createServer((_, response) =>
      response.end(
        JSON.stringify({ Version: '28.2.2', ApiVersion: '1.50', Os: 'linux', Arch: 'amd64', KernelVersion: kernel }),
      ),
    )
    await new Promise<void>(resolve => engine!.listen(socket, resolve))
  }
  const stopEngine = () => new Promise<void>(resolve => (engine ? engine.close(() => resolve()) : resolve()))
  const putNodeImage = () => docker.put('host', 'docker.io/kindest/node:v1.36.1 -')
  const cacheFile = (): string => join(process.env.LAB_DIR!, 'kernel.json')
  const runs = (): string[] => docker.calls().filter(call => call.startsWith('run'))

  beforeEach(() => {
    const folder = newFolder()
    vi.stubEnv('LAB_DIR', folder)
    socket = join(folder, 'docker.sock')
    process.env.DOCKER_HOST = `unix://${socket}`
    docker = fakeDocker()
    docker.put('probe', debian)
    docker.put('info', '["name=seccomp,profile=builtin"]')
  })
  afterEach(async () => {
    docker.restore()
    vi.unstubAllEnvs()
    delete process.env.DOCKER_HOST
    await stopEngine()
    engine = undefined
  })

  test('is probed once, from a labelled container that Docker removes', async () => {
    await startEngine('6.10.14-linuxkit')
    putNodeImage()
    expect(await kernelDecision()).toMatchObject({ source: 'live', probed: 'engine' })
    expect(runs()).toHaveLength(1)
    expect(runs()[0]).toMatch(/^run --rm -i --label io\.tetragon-lab=\S+ --privileged --pid=host --network=none /)
    expect(await kernelDecision()).toMatchObject({ source: 'live', probed: 'engine' })
    expect(runs()).toHaveLength(1)
  })

  test('keeps the keys of .lab/kernel.json', async () => {
    await startEngine('6.10.14-linuxkit')
    putNodeImage()
    await kernelDecision()
    expect(JSON.parse(readFileSync(cacheFile(), 'utf8'))).toEqual({
      key: expect.stringContaining('6.10.14-linuxkit'),
      asked: 'engine',
      rootless: false,
      probe: expect.stringContaining(debian.trimEnd()),
    })
  })

  test.each(['', '{"key": "', 'null', '{"key": 1}'])('is probed again when the cache holds %j', async content => {
    await startEngine('6.10.14-linuxkit')
    putNodeImage()
    writeFileSync(cacheFile(), content)
    expect(await kernelDecision()).toMatchObject({ source: 'live', probed: 'engine' })
    expect(await kernelDecision()).toMatchObject({ source: 'live', probed: 'engine' })
    expect(runs()).toHaveLength(1)
  })

  test('is probed again when the cache is from an older probe, which did not read the BTF header', async () => {
    await startEngine('6.10.14-linuxkit')
    putNodeImage()
    await kernelDecision()
    const cached = JSON.parse(readFileSync(cacheFile(), 'utf8'))
    writeFileSync(cacheFile(), JSON.stringify({ ...cached, key: cached.key.replace(/^probe \d+/, 'probe 2') }))
    docker.put('probe', arch)
    expect(await kernelDecision()).toMatchObject({ source: 'replay', blocker: 'btfHeader' })
    expect(runs()).toHaveLength(2)
  })

  test('leads to a replay when the engine runs in a container', async () => {
    docker.put('probe', devContainer)
    await startEngine('6.10.14-linuxkit')
    putNodeImage()
    expect(await kernelDecision()).toMatchObject({ source: 'replay', blocker: 'container', probed: 'engine' })
  })

  test('stays unprobed and uncached when the engine exceeds the timeout', async () => {
    await startEngine('6.10.14-linuxkit')
    putNodeImage()
    docker.put('hangs', 'run')
    const { probed, why } = await kernelDecision({ timeoutMs: 500 })
    expect({ probed, why }).toEqual({ probed: 'none', why: 'The kernel was not probed: the engine took too long' })
    expect(existsSync(cacheFile())).toBe(false)
  })

  test('is probed again when its release changes', async () => {
    await startEngine('6.10.14-linuxkit')
    putNodeImage()
    await kernelDecision()
    await stopEngine()
    await startEngine('6.12.5-linuxkit')
    await kernelDecision()
    expect(runs()).toHaveLength(2)
  })

  test('stays unprobed and uncached without the node image, until it may be pulled', async () => {
    await startEngine('6.10.14-linuxkit')
    expect(await kernelDecision({ pull: false })).toMatchObject({ source: 'replay', probed: 'none' })
    expect(existsSync(cacheFile())).toBe(false)
    docker.put(
      'registry',
      'docker.io/kindest/node:v1.36.1 docker.io/kindest/node@sha256:3489c7674813ba5d8b1a9977baea8a6e553784dab7b84759d1014dbd78f7ebd5',
    )
    expect(await kernelDecision()).toMatchObject({ source: 'live', probed: 'engine' })
  })

  test.runIf(process.platform === 'linux')('is this machine’s kernel for a local engine', async () => {
    await startEngine(release())
    expect(await kernelDecision()).toMatchObject({ probed: 'this machine', why: expect.stringContaining(release()) })
    expect(runs()).toEqual([])
    const calls = docker.calls().length
    await kernelDecision()
    expect(docker.calls()).toHaveLength(calls)
  })

  test.runIf(process.platform === 'linux')('is this machine’s kernel when no engine responds', async () => {
    expect(await kernelDecision()).toMatchObject({ probed: 'no engine' })
    expect(docker.calls()).toEqual([])
  })
})

describe('the kernel under an existing cluster', () => {
  const cluster = { mode: 'existing', name: 'lab', context: 'school' } as const
  let folder: string
  let env: Record<string, string>

  /**
   * Writes a fake kubectl that knows two nodes, of which the first accepts no pods, and prints the probe's output for a
   * pod.
   */
  function fakeKubectl({ boot = 'a', run = `cat >/dev/null; cat <<'PROBE'\n${debian}\nPROBE` } = {}): void {
    const node = (name: string, spec: object) => ({
      metadata: { name },
      spec,
      status: { nodeInfo: { kernelVersion: '6.1.0', architecture: 'amd64', bootID: boot } },
    })
    const nodes = { items: [node('leader', { taints: [{ effect: 'NoSchedule' }] }), node('worker', {})] }
    const script = `#!/bin/sh
echo "$*" >> '${folder}/calls'
case "$5" in
  get) echo '${JSON.stringify(nodes)}' ;;
  run) ${run}
  ;;
esac
`
    writeFileSync(join(folder, 'kubectl'), script, { mode: 0o755 })
  }
  const calls = (verb: string): string[] =>
    readFileSync(join(folder, 'calls'), 'utf8')
      .split('\n')
      .filter(call => call.includes(` --context school ${verb} `))

  beforeEach(() => {
    folder = newFolder()
    vi.stubEnv('LAB_DIR', folder)
    env = { PATH: `${folder}:${process.env.PATH}` }
  })
  afterEach(() => {
    vi.unstubAllEnvs()
  })

  test('is that of a node that accepts pods, probed once per boot from a pod that is removed', async () => {
    fakeKubectl()
    expect(await kernelDecision({ cluster, env })).toMatchObject({ source: 'live', probed: 'node' })
    expect(await kernelDecision({ cluster, env, pull: false })).toMatchObject({ source: 'live', probed: 'node' })
    expect(calls('run')).toHaveLength(1)
    expect(calls('run')[0]).toMatch(/"nodeName":"worker","hostPID":true.*"runAsUser":0.* --privileged /)
    expect(calls('delete')).toHaveLength(2)
    fakeKubectl({ boot: 'b' })
    await kernelDecision({ cluster, env })
    expect(calls('run')).toHaveLength(2)
  })

  test('is live on a node that is itself a container, because its owner has decided that', async () => {
    fakeKubectl({ run: `cat >/dev/null; cat <<'PROBE'\n${devContainer}\nPROBE` })
    expect(await kernelDecision({ cluster, env })).toMatchObject({ source: 'live', probed: 'node' })
  })

  test('stays unprobed and uncached for a command that creates nothing', async () => {
    fakeKubectl()
    expect(await kernelDecision({ cluster, env, pull: false })).toMatchObject({ source: 'replay', probed: 'none' })
    expect(calls('run')).toEqual([])
    expect(await kernelDecision({ cluster, env })).toMatchObject({ probed: 'node' })
  })

  test('stays unprobed, with the cluster’s own message, when the cluster rejects the pod', async () => {
    fakeKubectl({ run: 'echo \'violates PodSecurity "baseline:latest"\' >&2; exit 1' })
    const { source, probed, why } = await kernelDecision({ cluster, env })
    expect({ source, probed }).toEqual({ source: 'replay', probed: 'none' })
    expect(why).toMatch(/The kernel was not probed: kubectl run.*violates PodSecurity/)
    expect(calls('delete')).toHaveLength(2)
  })

  test('fails for a context that does not exist, and stays unprobed for a command that creates nothing', async () => {
    writeFileSync(join(folder, 'kubectl'), '#!/bin/sh\necho "error: cannot locate context school" >&2; exit 1\n', {
      mode: 0o755,
    })
    await expect(kernelDecision({ cluster, env })).rejects.toMatchObject({
      found: 'Your kubeconfig has no context school',
    })
    expect(await kernelDecision({ cluster, env, pull: false })).toMatchObject({ probed: 'none' })
  })
})
