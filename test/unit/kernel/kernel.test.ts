import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { release } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { dockerEndpoint } from '../../../scripts/engine/endpoint.ts'
import { kernelDecision } from '../../../scripts/kernel/decision.ts'
import { atLeast, judgeKernel, parseProbe } from '../../../scripts/kernel/features.ts'
import { projectDir } from '../../../shared/paths.ts'
import { type FakeDocker, fakeDocker } from '../support/fake-docker.ts'
import { newFolder } from '../support/publisher.ts'

// What probe.sh prints, by machine.

const hooks = 'security_bprm_committing_creds security_file_open acct_process disassociate_ctty tcp_connect fd_install'

const debian = `release=6.1.0-28-cloud-amd64
arch=x86_64
pid_namespace=pid:[4026531836]
btf_bytes=5126713
kprobe_pmu=yes
kprobe_events=yes
symbols= ${hooks} register_ftrace_direct bpf_lsm_file_open
lsm=lockdown,capability,landlock,yama,apparmor,bpf
lockdown=none
error_injection=no
cgroup=2
CONFIG_BPF_SYSCALL=y
CONFIG_BPF_EVENTS=y
CONFIG_SECURITY=y
CONFIG_KPROBE_EVENTS=y
CONFIG_BPF_KPROBE_OVERRIDE=n
`

const ubuntu = `release=6.8.0-60-generic
arch=x86_64
pid_namespace=pid:[4026531836]
btf_bytes=6700000
kprobe_pmu=yes
kprobe_events=unknown
symbols= ${hooks} register_fprobe register_ftrace_direct bpf_override_return bpf_lsm_file_open
lsm=lockdown,capability,landlock,yama,apparmor
lockdown=integrity
error_injection=unknown
cgroup=2
CONFIG_BPF_KPROBE_OVERRIDE=y
`

/** No /proc/config.gz, no lockdown, no fprobe, no error injection, and a process namespace of its own. */
const wsl = `release=6.18.20.1-microsoft-standard-WSL2
arch=x86_64
pid_namespace=pid:[4026532241]
btf_bytes=6000000
kprobe_pmu=yes
kprobe_events=yes
symbols= ${hooks} register_ftrace_direct bpf_lsm_file_open
lsm=capability,landlock,yama,safesetid,selinux
lockdown=no
error_injection=no
cgroup=2
`

/** From a container in its virtual machine, on Apple silicon. */
const dockerDesktop = `release=6.10.14-linuxkit
arch=aarch64
pid_namespace=pid:[4026531836]
btf_bytes=4900000
kprobe_pmu=yes
kprobe_events=yes
symbols= ${hooks} register_ftrace_direct bpf_override_return
lsm=capability
lockdown=no
error_injection=yes
cgroup=2
`

/** BTF and all symbols are there, and yet no kprobe can be attached. */
const microVm = `release=6.18.44
arch=x86_64
pid_namespace=pid:[4026531836]
btf_bytes=5516713
kprobe_pmu=no
kprobe_events=no
symbols= ${hooks} register_ftrace_direct bpf_lsm_file_open
lsm=lockdown,capability,landlock,bpf
lockdown=integrity
error_injection=no
cgroup=1
CONFIG_KPROBES=n
`

const decide = (probe: string, rootless = false) => judgeKernel(parseProbe(probe, rootless))
const change = (probe: string, key: string, value: string): string => {
  expect(probe).toMatch(new RegExp(`^${key}=`, 'm'))
  return probe.replace(new RegExp(`^${key}=.*$`, 'm'), `${key}=${value}`)
}

describe('kernels that can run Tetragon', () => {
  test('Debian 12: what `tetra probe` said on such a kernel', () => {
    expect(decide(debian)).toEqual({
      source: 'live',
      why: 'Linux 6.1.0-28-cloud-amd64 can run Tetragon',
      features: {
        btf: true,
        kprobes: true,
        kprobeMulti: false,
        sigkill: true,
        override: false,
        overrideSecurity: true,
        lsm: true,
        uprobes: false,
        hostPids: true,
      },
    })
  })

  test('Ubuntu 24.04, asked without root', () => {
    const { source, features } = decide(ubuntu)
    expect(source).toBe('live')
    expect(features).toMatchObject({ kprobeMulti: true, override: true, overrideSecurity: true, lsm: false })
  })

  test('WSL 2: no override of system calls, and names only for what starts after Tetragon', () => {
    const { source, why, features } = decide(wsl)
    expect(source).toBe('live')
    expect(why).toContain('a namespace of its own')
    expect(features).toMatchObject({
      sigkill: true,
      override: false,
      overrideSecurity: true,
      kprobeMulti: false,
      lsm: false,
      hostPids: false,
    })
  })

  test('Docker Desktop on Apple silicon', () => {
    expect(decide(dockerDesktop)).toMatchObject({
      source: 'live',
      features: { override: true, overrideSecurity: true, lsm: false },
    })
  })

  test('one that tells almost nothing to an ordinary user: only what is known to be missing counts', () => {
    const quiet = ['symbols', 'lsm', 'lockdown', 'error_injection', 'kprobe_events'].reduce(
      (probe, key) => change(probe, key, 'unknown'),
      debian.replace(/^CONFIG_.*\n/gm, ''),
    )
    const { source, features } = decide(quiet)
    expect(source).toBe('live')
    expect(features).toMatchObject({ sigkill: true, override: false, overrideSecurity: false, lsm: false })
  })

  test('before 4.17 kprobes show in tracefs alone', () => {
    const rhel = change(change(debian, 'release', '4.18.0-553.el8.x86_64'), 'kprobe_pmu', 'no')
    expect(decide(rhel)).toMatchObject({
      source: 'live',
      features: { kprobes: true, sigkill: false, overrideSecurity: false },
    })
  })

  test('arm64 has trampolines from 6.0 on', () => {
    const arm = change(debian, 'arch', 'aarch64')
    expect(decide(change(arm, 'release', '5.15.0')).features).toMatchObject({
      overrideSecurity: false,
      lsm: false,
      sigkill: true,
    })
    expect(decide(arm).features).toMatchObject({ overrideSecurity: true, lsm: true })
  })
})

test('functions of programs, and the tracing file system', () => {
  const modern = `${debian}uprobe_pmu=yes\ntracefs=unmounted\n`
  expect(decide(modern)).toMatchObject({ source: 'live', features: { uprobes: true } })
  expect(parseProbe(modern).tracefs).toBe('unmounted')
  expect(decide(change(modern, 'tracefs', 'none'))).toMatchObject({ source: 'replay', lack: 'tracefs' })
})

describe('kernels that cannot', () => {
  test('a micro-VM without kprobes, BTF or not', () => {
    expect(decide(microVm)).toEqual({
      source: 'replay',
      lack: 'kprobes',
      why: 'Linux 6.18.44 cannot run Tetragon: it cannot attach kprobes (CONFIG_KPROBE_EVENTS)',
      features: {
        btf: true,
        kprobes: false,
        kprobeMulti: false,
        sigkill: false,
        override: false,
        overrideSecurity: false,
        lsm: false,
        uprobes: false,
        hostPids: true,
      },
    })
  })

  test.each([
    ['btf_bytes', '', /no type information/],
    ['lockdown', 'confidentiality', /locked down/],
    ['symbols', 'acct_process fd_install', /no security hooks/],
    ['symbols', 'security_bprm_committing_creds fd_install', /when a process ends/],
    ['CONFIG_SECURITY', 'n', /no security hooks/],
    ['CONFIG_BPF_EVENTS', 'n', /BPF is switched off/],
  ])('%s=%s', (key, value, why) => {
    const verdict = decide(change(debian, key, value))
    expect(verdict.source).toBe('replay')
    expect(verdict.why).toMatch(why)
    expect(verdict.features).toMatchObject({ kprobes: false, sigkill: false, overrideSecurity: false, lsm: false })
  })

  test('any, when Docker runs without root', () => {
    expect(decide(debian, true)).toMatchObject({ source: 'replay', why: expect.stringMatching(/rootless/) })
  })
})

test('releases are compared as numbers', () => {
  expect(atLeast('5.10.0', [5, 7])).toBe(true)
  expect(atLeast('6.1.0-28-cloud-amd64', [5, 18])).toBe(true)
  expect(atLeast('5.4.0', [5, 7])).toBe(false)
  expect(atLeast('not a kernel', [4, 0])).toBe(false)
})

test.runIf(process.platform === 'linux')('the probe speaks the language that is read', () => {
  const probe = execFileSync('sh', [join(projectDir, 'scripts/kernel/probe.sh')], { encoding: 'utf8' })
  const facts = parseProbe(probe)
  expect(facts.release).toBe(release())
  expect(probe.split('\n').filter(line => line !== '' && !/^\w+=/.test(line))).toEqual([])
  for (const key of [
    'arch',
    'pid_namespace',
    'btf_bytes',
    'kprobe_pmu',
    'uprobe_pmu',
    'tracefs',
    'symbols',
    'lsm',
    'lockdown',
    'error_injection',
    'cgroup',
  ])
    expect(probe).toMatch(new RegExp(`^${key}=`, 'm'))
})

describe('whose kernel is asked', () => {
  let docker: FakeDocker
  let engine: Server | undefined
  let socket: string

  /** A fake engine that answers /version, as far as the lab asks. */
  async function startEngine(kernel: string): Promise<void> {
    engine = createServer((_, response) =>
      response.end(
        JSON.stringify({ Version: '28.2.2', ApiVersion: '1.50', Os: 'linux', Arch: 'amd64', KernelVersion: kernel }),
      ),
    )
    await new Promise<void>(resolve => engine!.listen(socket, resolve))
  }

  beforeEach(() => {
    const folder = newFolder()
    process.env.LAB_DIR = folder
    socket = join(folder, 'docker.sock')
    process.env.DOCKER_HOST = `unix://${socket}`
    docker = fakeDocker()
    docker.put('probe', debian)
    docker.put('info', '["name=seccomp,profile=builtin"]')
  })
  afterEach(async () => {
    docker.restore()
    delete process.env.LAB_DIR
    delete process.env.DOCKER_HOST
    await new Promise<void>(resolve => (engine ? engine.close(() => resolve()) : resolve()))
    engine = undefined
  })

  const runs = (): string[] => docker.calls().filter(call => call.startsWith('run'))

  test("the engine's, from a labelled container that is gone afterwards, once", async () => {
    await startEngine('6.10.14-linuxkit')
    docker.put('host', 'docker.io/kindest/node:v1.36.1 -')
    expect(await kernelDecision()).toMatchObject({ source: 'live', asked: 'engine' })
    expect(runs()).toHaveLength(1)
    expect(runs()[0]).toMatch(/^run --rm -i --label io\.tetragon-lab=\S+ --privileged --pid=host --network=none /)
    expect(await kernelDecision()).toMatchObject({ source: 'live', asked: 'engine' })
    expect(runs()).toHaveLength(1)
  })

  test.each(['', '{"key": "', 'null', '{"key": 1}'])('again, when what was kept says %j', async content => {
    await startEngine('6.10.14-linuxkit')
    docker.put('host', 'docker.io/kindest/node:v1.36.1 -')
    writeFileSync(join(process.env.LAB_DIR!, 'kernel.json'), content)
    expect(await kernelDecision()).toMatchObject({ source: 'live', asked: 'engine' })
    expect(await kernelDecision()).toMatchObject({ source: 'live', asked: 'engine' })
    expect(runs()).toHaveLength(1)
  })

  test('nobody within the time that is given, when the engine takes longer; that is not kept either', async () => {
    await startEngine('6.10.14-linuxkit')
    docker.put('host', 'docker.io/kindest/node:v1.36.1 -')
    docker.put('hangs', 'run')
    const { asked, why } = await kernelDecision({ patience: 500 })
    expect({ asked, why }).toEqual({ asked: 'nobody', why: 'The kernel was not asked: the engine took too long' })
    expect(existsSync(join(process.env.LAB_DIR!, 'kernel.json'))).toBe(false)
  })

  test("again, when the engine's kernel is another", async () => {
    await startEngine('6.10.14-linuxkit')
    docker.put('host', 'docker.io/kindest/node:v1.36.1 -')
    await kernelDecision()
    await new Promise<void>(resolve => engine!.close(() => resolve()))
    await startEngine('6.12.5-linuxkit')
    await kernelDecision()
    expect(runs()).toHaveLength(2)
  })

  test('nobody, as long as the node image is not here and may not be pulled; that is not kept', async () => {
    await startEngine('6.10.14-linuxkit')
    expect(await kernelDecision({ pull: false })).toMatchObject({ source: 'replay', asked: 'nobody' })
    expect(existsSync(join(process.env.LAB_DIR!, 'kernel.json'))).toBe(false)
    docker.put(
      'registry',
      'docker.io/kindest/node:v1.36.1 docker.io/kindest/node@sha256:3489c7674813ba5d8b1a9977baea8a6e553784dab7b84759d1014dbd78f7ebd5',
    )
    expect(await kernelDecision()).toMatchObject({ source: 'live', asked: 'engine' })
  })

  test.runIf(process.platform === 'linux')(
    "this machine's, when the engine shares it; rootless is found out",
    async () => {
      await startEngine(release())
      expect(await kernelDecision()).toMatchObject({ asked: 'this machine', why: expect.stringContaining(release()) })
      expect(runs()).toEqual([])
      const calls = docker.calls().length
      await kernelDecision()
      expect(docker.calls()).toHaveLength(calls)
    },
  )

  test.runIf(process.platform === 'linux')("this machine's, when no engine answers", async () => {
    expect(await kernelDecision()).toMatchObject({ asked: 'no engine' })
    expect(docker.calls()).toEqual([])
  })
})

describe('whose kernel is asked with a cluster of one’s own', () => {
  const cluster = { mode: 'existing', context: 'school' } as const
  const { LAB_DIR, PATH } = process.env
  let folder: string

  /** A fake of kubectl: two nodes, of which the first takes no pods, and a pod that says what the probe would. */
  function fakeKubectl({ boot = 'a', run = `cat >/dev/null; cat <<'PROBE'\n${debian}\nPROBE` } = {}): void {
    const node = (name: string, spec: object) => ({
      metadata: { name },
      spec,
      status: { nodeInfo: { kernelVersion: '6.1.0', architecture: 'amd64', bootID: boot } },
    })
    const nodes = { items: [node('leader', { taints: [{ effect: 'NoSchedule' }] }), node('worker', {})] }
    const script = `#!/bin/sh
echo "$*" >> '${folder}/calls'
case "$3" in
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
      .filter(call => call.startsWith(`--context school ${verb} `))

  beforeEach(() => {
    folder = newFolder()
    process.env.LAB_DIR = folder
    process.env.PATH = `${folder}:${PATH}`
  })
  afterEach(() => {
    process.env.PATH = PATH
    if (LAB_DIR === undefined) delete process.env.LAB_DIR
    else process.env.LAB_DIR = LAB_DIR
  })

  test('that of a node which takes pods, once for each boot of it, from a pod that is removed', async () => {
    fakeKubectl()
    expect(await kernelDecision({ cluster })).toMatchObject({ source: 'live', asked: 'node' })
    expect(await kernelDecision({ cluster, pull: false })).toMatchObject({ source: 'live', asked: 'node' })
    expect(calls('run')).toHaveLength(1)
    expect(calls('run')[0]).toMatch(/"nodeName":"worker","hostPID":true.* --privileged /)
    expect(calls('delete')).toHaveLength(2)
    fakeKubectl({ boot: 'b' })
    await kernelDecision({ cluster })
    expect(calls('run')).toHaveLength(2)
  })

  test('nobody’s, by a command that makes nothing; that is not kept', async () => {
    fakeKubectl()
    expect(await kernelDecision({ cluster, pull: false })).toMatchObject({ source: 'replay', asked: 'nobody' })
    expect(calls('run')).toEqual([])
    expect(await kernelDecision({ cluster })).toMatchObject({ asked: 'node' })
  })

  test('nobody’s, where the cluster will not have such a pod: it says why, and a recording is played', async () => {
    fakeKubectl({ run: 'echo \'violates PodSecurity "baseline:latest"\' >&2; exit 1' })
    const { source, asked, why } = await kernelDecision({ cluster })
    expect({ source, asked }).toEqual({ source: 'replay', asked: 'nobody' })
    expect(why).toMatch(/The kernel was not asked: kubectl run.*violates PodSecurity/)
    expect(calls('delete')).toHaveLength(2)
  })

  test('nobody’s, where there is no such cluster: up says so, the doctor goes on', async () => {
    writeFileSync(join(folder, 'kubectl'), '#!/bin/sh\necho \'error: context "school" does not exist\' >&2; exit 1\n', {
      mode: 0o755,
    })
    await expect(kernelDecision({ cluster })).rejects.toMatchObject({
      found: 'the cluster of context school does not answer: error: context "school" does not exist',
    })
    expect(await kernelDecision({ cluster, pull: false })).toMatchObject({ asked: 'nobody' })
  })
})

test('the engine is looked for where the docker command would go', () => {
  const { DOCKER_HOST, DOCKER_CONTEXT, DOCKER_CONFIG } = process.env
  try {
    process.env.DOCKER_CONFIG = newFolder()
    delete process.env.DOCKER_HOST
    delete process.env.DOCKER_CONTEXT
    expect(dockerEndpoint()).toBe('unix:///var/run/docker.sock')
    process.env.DOCKER_HOST = 'ssh://far'
    expect(dockerEndpoint()).toBe('ssh://far')
  } finally {
    Object.assign(process.env, { DOCKER_HOST, DOCKER_CONTEXT, DOCKER_CONFIG })
    for (const [name, value] of Object.entries({ DOCKER_HOST, DOCKER_CONTEXT, DOCKER_CONFIG }))
      if (value === undefined) delete process.env[name]
  }
})
