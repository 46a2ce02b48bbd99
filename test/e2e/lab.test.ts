import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { $, within } from 'zx'
import { filesThatHold, holds, labSecrets, programsThatShow } from '../../scripts/verify/secrets.ts'
import { projectDir } from '../../shared/paths.ts'
import { readSettings } from '../../shared/settings/stack-file.ts'

// The whole life of a lab, with the real engine, providers and cluster. Each test goes on from where the one before it stopped.

$.cwd = projectDir
$.verbose = false
$.nothrow = true
/** Where every program of the lab puts what it needs for a moment. */
const temporary = mkdtempSync(join(tmpdir(), 'lab-e2e-'))
$.env = { ...process.env, TMPDIR: temporary }
/** All that the commands of this test have printed. */
const printed: { command: string; text: string }[] = []
const lab = (...args: string[]) => {
  const running = $`./lab ${args}`
  void running.then(({ stdout, stderr }) => printed.push({ command: args.join(' '), text: stdout + stderr }))
  return running
}

const userKubeconfig = join(homedir(), '.kube', 'config')
/** All that the programs of the lab keep in a user's own folder, unless they are told otherwise. */
const kept = () =>
  ['.kube', '.pulumi', '.config/helm', '.cache/helm', '.local/share/helm']
    .map(folder => join(homedir(), folder))
    .flatMap(folder => (existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : []))
    .sort()
const contentOf = (file: string): string | undefined => (existsSync(file) ? readFileSync(file, 'utf8') : undefined)
let kubeconfigBefore: string | undefined
let keptBefore: string[]
let networkBefore: boolean
let settingsBefore: string | undefined

// Other containers of this machine come and go; only the lab's own are of interest.
const containers = async () =>
  (await $`docker ps -a --filter label=io.x-k8s.kind.cluster=lab --format {{.Names}}`).stdout
const hasNetwork = async () => (await $`docker network ls --format {{.Name}}`).stdout.split('\n').includes('kind')

beforeAll(async () => {
  const { stdout } = await lab('status', '--json')
  expect(JSON.parse(stdout), 'no lab may be up').toMatchObject({ state: 'down' })
  kubeconfigBefore = contentOf(userKubeconfig)
  keptBefore = kept()
  networkBefore = await hasNetwork()
  settingsBefore = contentOf(join(projectDir, 'Pulumi.dev.yaml'))
})
// Whatever failed in between: nothing stays.
afterAll(async () => {
  await lab('down', '--yes')
  rmSync(temporary, { recursive: true })
})

it('stands up, and meanwhile no program shows a secret in its arguments or its environment', async () => {
  const shown = new Set<string>()
  let looks = 0
  let up = false
  const look = async () => {
    while (!up) {
      for (const one of programsThatShow(labSecrets(readSettings()))) shown.add(one)
      looks++
      await sleep(500)
    }
  }
  const looking = process.platform === 'linux' ? look() : undefined
  const { exitCode, stdout, stderr } = await lab('up', '--json')
  up = true
  await looking
  expect(exitCode, stderr).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ source: expect.stringMatching(/live|replay/) })
  if (looking) expect(looks).toBeGreaterThan(10)
  expect([...shown]).toEqual([])
})

it('keeps its promises', async () => {
  const { stdout, exitCode } = await lab('verify', '--json')
  const checks = JSON.parse(stdout) as { result: string; area: string }[]
  expect(checks.filter(check => check.result === 'fail')).toEqual([])
  expect(checks.filter(check => check.area === 'panels').length).toBeGreaterThan(20)
  expect(exitCode).toBe(0)
})

it('holds exec, exit and kprobe events that are told apart by pod', async () => {
  for (const kind of ['process_exec', 'process_exit', 'process_kprobe']) {
    const query = `sum by (k8s_pod_name) (count_over_time({service_name="tetragon", tetragon_event_type="${kind}"} | k8s_pod_name=~".+" [15m]))`
    const answer = await fetch(`http://127.0.0.1:3100/loki/api/v1/query?query=${encodeURIComponent(query)}`)
    const { data } = (await answer.json()) as { data: { result: { value: [number, string] }[] } }
    expect(data.result.length, kind).toBeGreaterThan(0)
  }
})

it('answers the classic guestbook', async () => {
  const set = await fetch('http://127.0.0.1:8080/guestbook.php?cmd=set&key=messages&value=hi')
  expect(await set.json()).toEqual({ message: 'Updated' })
  await expect
    .poll(async () => (await fetch('http://127.0.0.1:8080/guestbook.php?cmd=get&key=messages')).json(), {
      timeout: 10_000,
    })
    .toMatchObject({ data: expect.any(String) })
})

it('lists the policies', async () => {
  const { stdout } = await lab('kubectl', 'get', 'tracingpolicies,tracingpoliciesnamespaced', '-A', '-o', 'name')
  for (const name of ['sensitive-file-access', 'tcp-connect', 'unexpected-process-exec', 'sys-openat'])
    expect(stdout).toContain(name)
})

it('has nothing to do the second time', async () => {
  const { exitCode, stdout, stderr } = await lab('up', '--json')
  expect(exitCode, stderr).toBe(0)
  const { changes } = JSON.parse(stdout) as { changes: Record<string, number> }
  expect(Object.keys(changes)).toEqual(['same'])
})

it('prints no secret, whatever it is asked', async () => {
  const parts = ['guestbook', 'redis', 'traffic', 'visitor', 'tetragon', 'prometheus', 'loki', 'shipper', 'grafana']
  const asked = [
    ...['status', 'status --json', 'doctor', 'env', 'env --json', 'verify --verbose', 'policy list', 'exercise list'],
    ...['report', 'pulumi config', 'pulumi stack output --json', 'pulumi stack export', 'pulumi preview --diff'],
    ...['kubectl config view', 'kubectl get pods,events,configmaps -A -o yaml', 'kubectl describe pods -A'],
    ...parts.map(part => `logs ${part} --lines 1000`),
  ]
  for (const command of asked) await lab(...command.split(' '))
  const secrets = labSecrets(readSettings())
  expect(secrets.map(({ file }) => file)).toEqual(['grafana-password', 'passphrase', 'kubeconfig'])
  expect(printed.length).toBeGreaterThan(asked.length)
  const leaks = printed.flatMap(({ command, text }) =>
    secrets.filter(secret => holds(text, secret)).map(({ name }) => `${name}: ./lab ${command}`),
  )
  expect(leaks).toEqual([])
  expect(printed.filter(({ text }) => /client-key-data: [\w+/]{20}|PRIVATE KEY-----/.test(text))).toEqual([])
  for (const secret of secrets) expect(filesThatHold(secret), secret.name).toEqual([])
})

it('is the same stack for plain pulumi', async () => {
  const { exitCode, stdout, stderr } =
    await $`eval "$(./lab env)" && pulumi preview --expect-no-changes --non-interactive`
  expect(exitCode, stdout + stderr).toBe(0)
})

it('goes without a trace', async () => {
  const mounts = await $`docker inspect lab-control-plane --format ${'{{json .Mounts}}'}`
  const volumes = (JSON.parse(mounts.stdout) as { Type: string; Name?: string }[]).flatMap(mount => mount.Name ?? [])
  expect(volumes.length).toBeGreaterThan(0)
  const { exitCode, stderr } = await lab('down', '--yes')
  expect(exitCode, stderr).toBe(0)
  expect(await containers()).toBe('')
  expect(await hasNetwork()).toBe(networkBefore)
  const left = (await $`docker volume ls -q`).stdout.split('\n')
  expect(volumes.filter(volume => left.includes(volume))).toEqual([])
  await within(async () => {
    const { stdout, stderr } = await $`eval "$(./lab env)" && kind get clusters`
    expect(stdout + stderr).not.toContain('lab\n')
  })
  expect(contentOf(userKubeconfig)).toBe(kubeconfigBefore)
  expect(kept()).toEqual(keptBefore)
  expect(readdirSync(temporary, { recursive: true })).toEqual([])
  await lab('down', '--yes')
  expect(contentOf(join(projectDir, 'Pulumi.dev.yaml'))).toBe(settingsBefore)
})

it('has nothing to remove where there is nothing', async () => {
  const { exitCode, stdout } = await lab('down', '--yes')
  expect(exitCode).toBe(0)
  expect(stdout).toContain('no lab')
})
