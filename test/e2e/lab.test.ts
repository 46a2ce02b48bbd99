import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { $, within } from 'zx'
import {
  containsSecret,
  filesWithSecret,
  labSecrets,
  processesWithSecret,
} from '../../scripts/verify/security/secret-exposure.ts'
import { projectDir } from '../../shared/paths.ts'
import { readSettings } from '../../shared/settings/stack-file.ts'

// The life of one lab, with the real engine, providers and cluster. Each test continues where the previous one stopped.

$.cwd = projectDir
$.verbose = false
$.nothrow = true
/** The temporary folder of all programs of the lab. */
const temporaryFolder = mkdtempSync(join(tmpdir(), 'lab-e2e-'))
$.env = { ...process.env, TMPDIR: temporaryFolder }
/** The output of every command that this test has run. */
const outputs: { command: string; text: string }[] = []
const lab = (...args: string[]) => {
  const running = $`./lab ${args}`
  void running.then(({ stdout, stderr }) => outputs.push({ command: args.join(' '), text: stdout + stderr }))
  return running
}

const userKubeconfig = join(homedir(), '.kube', 'config')
/** Lists the files in the folders where these programs store data by default. */
const filesInUserFolders = () =>
  ['.kube', '.pulumi', '.config/helm', '.cache/helm', '.local/share/helm']
    .map(folder => join(homedir(), folder))
    .flatMap(folder => (existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : []))
    .sort()
const contentOf = (file: string): string | undefined => (existsSync(file) ? readFileSync(file, 'utf8') : undefined)
let kubeconfigBefore: string | undefined
let userFilesBefore: string[]
let networkBefore: boolean
let settingsBefore: string | undefined
/** Whether no lab was up before, so that this test may remove the one that it finds afterwards. */
let mayRemove = false

// Other containers on this machine are none of the lab's business.
const labContainers = async () =>
  (await $`docker ps -a --filter label=io.x-k8s.kind.cluster=lab --format {{.Names}}`).stdout
const hasNetwork = async () => (await $`docker network ls --format {{.Name}}`).stdout.split('\n').includes('kind')

beforeAll(async () => {
  const { stdout } = await lab('status', '--json')
  expect(JSON.parse(stdout), 'a lab is up already').toMatchObject({ state: 'down' })
  mayRemove = true
  kubeconfigBefore = contentOf(userKubeconfig)
  userFilesBefore = filesInUserFolders()
  networkBefore = await hasNetwork()
  settingsBefore = contentOf(join(projectDir, 'Pulumi.dev.yaml'))
})
// Also removes the lab when a test has failed.
afterAll(async () => {
  if (mayRemove) await lab('down', '--yes')
  rmSync(temporaryFolder, { recursive: true })
})

it('starts, and no process shows a secret in its arguments or environment meanwhile', async () => {
  const shown = new Set<string>()
  let scans = 0
  let up = false
  const scan = async () => {
    while (!up) {
      for (const name of processesWithSecret(labSecrets(readSettings()))) shown.add(name)
      scans++
      await sleep(500)
    }
  }
  const scanning = process.platform === 'linux' ? scan() : undefined
  const { exitCode, stdout, stderr } = await lab('up', '--json')
  up = true
  await scanning
  expect(exitCode, stderr).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ source: expect.stringMatching(/live|replay/) })
  if (scanning) expect(scans).toBeGreaterThan(10)
  expect([...shown]).toEqual([])
})

it('passes verify', async () => {
  const { stdout, exitCode } = await lab('verify', '--json')
  const checks = JSON.parse(stdout) as { result: string; area: string }[]
  expect(checks.filter(check => check.result === 'fail')).toEqual([])
  expect(checks.filter(check => check.area === 'panels').length).toBeGreaterThan(20)
  expect(exitCode).toBe(0)
})

it('has exec, exit and kprobe events of several pods in Loki', async () => {
  for (const kind of ['process_exec', 'process_exit', 'process_kprobe']) {
    const query = `sum by (k8s_pod_name) (count_over_time({service_name="tetragon", tetragon_event_type="${kind}"} | k8s_pod_name=~".+" [15m]))`
    const response = await fetch(`http://127.0.0.1:3100/loki/api/v1/query?query=${encodeURIComponent(query)}`)
    const { data } = (await response.json()) as { data: { result: { value: [number, string] }[] } }
    expect(data.result.length, kind).toBeGreaterThan(0)
  }
})

it('stores and returns a message in the Guestbook', async () => {
  const set = await fetch('http://127.0.0.1:8080/guestbook.php?cmd=set&key=messages&value=hi')
  expect(await set.json()).toEqual({ message: 'Updated' })
  await expect
    .poll(async () => (await fetch('http://127.0.0.1:8080/guestbook.php?cmd=get&key=messages')).json(), {
      timeout: 10_000,
    })
    .toMatchObject({ data: expect.any(String) })
})

it('has applied the policies', async () => {
  const { stdout } = await lab('kubectl', 'get', 'tracingpolicies,tracingpoliciesnamespaced', '-A', '-o', 'name')
  for (const name of ['sensitive-file-access', 'tcp-connect', 'unexpected-process-exec', 'sys-openat'])
    expect(stdout).toContain(name)
})

it('changes nothing on a second up', async () => {
  const { exitCode, stdout, stderr } = await lab('up', '--json')
  expect(exitCode, stderr).toBe(0)
  const { changes } = JSON.parse(stdout) as { changes: Record<string, number> }
  expect(Object.keys(changes)).toEqual(['same'])
})

it('prints no secret in any command', async () => {
  const components = [
    'guestbook',
    'redis',
    'traffic',
    'visitor',
    'tetragon',
    'prometheus',
    'loki',
    'shipper',
    'grafana',
  ]
  const commands = [
    ...['status', 'status --json', 'doctor', 'env', 'env --json', 'verify --verbose', 'policy list', 'exercise list'],
    ...['report', 'pulumi config', 'pulumi stack output --json', 'pulumi stack export', 'pulumi preview --diff'],
    ...['kubectl config view', 'kubectl get pods,events,configmaps -A -o yaml', 'kubectl describe pods -A'],
    ...components.map(component => `logs ${component} --lines 1000`),
  ]
  for (const command of commands) await lab(...command.split(' '))
  const secrets = labSecrets(readSettings())
  expect(secrets.map(({ file }) => file)).toEqual(['grafana-password', 'passphrase', 'kubeconfig'])
  expect(outputs.length).toBeGreaterThan(commands.length)
  const leaks = outputs.flatMap(({ command, text }) =>
    secrets.filter(secret => containsSecret(text, secret)).map(({ name }) => `${name}: ./lab ${command}`),
  )
  expect(leaks).toEqual([])
  expect(outputs.filter(({ text }) => /client-key-data: [\w+/]{20}|PRIVATE KEY-----/.test(text))).toEqual([])
  for (const secret of secrets) expect(filesWithSecret(secret), secret.name).toEqual([])
})

it('shows no change in a plain pulumi preview', async () => {
  const { exitCode, stdout, stderr } =
    await $`eval "$(./lab env)" && pulumi preview --expect-no-changes --non-interactive`
  expect(exitCode, stdout + stderr).toBe(0)
})

it('leaves no trace after down', async () => {
  const mounts = await $`docker inspect lab-control-plane --format ${'{{json .Mounts}}'}`
  const volumes = (JSON.parse(mounts.stdout) as { Type: string; Name?: string }[]).flatMap(mount => mount.Name ?? [])
  expect(volumes.length).toBeGreaterThan(0)
  const { exitCode, stderr } = await lab('down', '--yes')
  expect(exitCode, stderr).toBe(0)
  expect(await labContainers()).toBe('')
  expect(await hasNetwork()).toBe(networkBefore)
  const left = (await $`docker volume ls -q`).stdout.split('\n')
  expect(volumes.filter(volume => left.includes(volume))).toEqual([])
  await within(async () => {
    const { stdout, stderr } = await $`eval "$(./lab env)" && kind get clusters`
    expect(stdout + stderr).not.toContain('lab\n')
  })
  expect(contentOf(userKubeconfig)).toBe(kubeconfigBefore)
  expect(filesInUserFolders()).toEqual(userFilesBefore)
  expect(readdirSync(temporaryFolder, { recursive: true })).toEqual([])
  await lab('down', '--yes')
  expect(contentOf(join(projectDir, 'Pulumi.dev.yaml'))).toBe(settingsBefore)
})

it('says that there is no lab on a second down', async () => {
  const { exitCode, stdout } = await lab('down', '--yes')
  expect(exitCode).toBe(0)
  expect(stdout).toContain('no lab')
})
