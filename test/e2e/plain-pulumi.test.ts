import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { $ } from 'zx'
import { projectDir } from '../../shared/paths.ts'

// `pulumi up` and `pulumi destroy` in a clone in which `./lab` was never run, with a backend of the user's own. The tests run in order.

const folder = mkdtempSync(join(tmpdir(), 'lab-plain-pulumi-'))
const clone = join(folder, 'tetragon-lab')
const temporaryFolder = join(folder, 'tmp')

$.verbose = false
$.nothrow = true

beforeAll(async () => {
  // The programs that a user would have installed.
  const { PATH } = JSON.parse((await $({ cwd: projectDir })`./lab env --json`).stdout) as { PATH: string }
  await $`git clone --quiet ${projectDir} ${clone} && mkdir -p ${temporaryFolder} ${join(folder, 'state')}`
  symlinkSync(join(projectDir, 'node_modules'), join(clone, 'node_modules'))
  const lock = process.env.LAB_LOCK && { LAB_LOCK: process.env.LAB_LOCK }
  $.cwd = clone
  $.env = {
    PATH: `${dirname(process.execPath)}:${PATH}`,
    HOME: folder,
    TMPDIR: temporaryFolder,
    PULUMI_BACKEND_URL: `file://${join(folder, 'state')}`,
    PULUMI_CONFIG_PASSPHRASE: 'a passphrase',
    PULUMI_SKIP_UPDATE_CHECK: 'true',
    ...(process.env.LAB_RIG_DIR && { LAB_RIG_DIR: process.env.LAB_RIG_DIR }),
    ...lock,
  }
  const { exitCode, stderr } = await $`pulumi stack init dev`
  expect(exitCode, stderr).toBe(0)
})
// Also removes the lab when a test has failed.
afterAll(async () => {
  await $`pulumi destroy --yes --non-interactive`
  rmSync(folder, { recursive: true, force: true })
})

it('is a template for pulumi new, under another name', async () => {
  const project = join(folder, 'my-lab')
  // A clone, because the folder of this test has node_modules, which `pulumi new` would copy.
  const template = join(folder, 'template')
  await $`git clone --quiet ${projectDir} ${template}`
  const { exitCode, stdout, stderr } =
    await $`pulumi new ${template} --dir ${project} --name my-lab --generate-only --yes`
  expect(exitCode, stdout + stderr).toBe(0)
  expect(stdout).toContain('pulumi up needs Docker')
  expect(readFileSync(join(project, 'Pulumi.yaml'), 'utf8')).toMatch(/^name: my-lab$/m)

  symlinkSync(join(projectDir, 'node_modules'), join(project, 'node_modules'))
  const inProject = $({ cwd: project })
  await inProject`pulumi stack init new && pulumi config set --path my-lab:traffic.rate often`
  const preview = await inProject`pulumi preview --non-interactive`
  expect(preview.stdout + preview.stderr).toContain('traffic.rate')
})

it('previews without Docker and without a cluster', async () => {
  const { exitCode, stdout, stderr } =
    await $`DOCKER_HOST=unix://${folder}/no-docker.sock pulumi preview --non-interactive`
  expect(exitCode, stdout + stderr).toBe(0)
  expect(stdout).toMatch(/\+ \d+ to create/)
  expect(readdirSync(join(clone, '.lab', 'charts'))).toEqual([])
})

it('creates the lab', async () => {
  const { exitCode, stdout, stderr } = await $`pulumi up --yes --skip-preview --non-interactive`
  expect(exitCode, stdout + stderr).toBe(0)
  for (const address of ['http://127.0.0.1:3000/api/health', 'http://127.0.0.1:8080/'])
    expect((await fetch(address)).status, address).toBe(200)
})

it('outputs addresses, the event source, the kubeconfig, and the password as a secret', async () => {
  const { stdout } = await $`pulumi stack output --json`
  expect(JSON.parse(stdout)).toEqual({
    addresses: expect.objectContaining({ grafana: 'http://localhost:3000' }),
    source: expect.stringMatching(/^(live|replay)$/),
    kubeconfig: join(clone, '.lab', 'kubeconfig'),
    grafanaUser: 'admin',
    grafanaPassword: '[secret]',
  })
  const password = (await $`pulumi stack output grafanaPassword --show-secrets`).stdout.trim()
  const authorization = `Basic ${Buffer.from(`admin:${password}`).toString('base64')}`
  const response = await fetch('http://127.0.0.1:3000/api/datasources', { headers: { authorization } })
  expect(response.status).toBe(200)
})

it("keeps the cluster's key out of the state and of temporary files", async () => {
  const kubeconfig = readFileSync(join(clone, '.lab', 'kubeconfig'), 'utf8')
  const key = /client-key-data: (\S+)/.exec(kubeconfig)![1]!
  const { stdout } = await $`grep -rlF -e ${key} ${join(folder, 'state')} ${temporaryFolder}`
  expect(stdout).toBe('')
})

it('has nothing to change on a second preview', async () => {
  const { exitCode, stdout, stderr } = await $`pulumi preview --expect-no-changes --non-interactive`
  expect(exitCode, stdout + stderr).toBe(0)
})

it('removes the lab', async () => {
  const { exitCode, stdout, stderr } = await $`pulumi destroy --yes --non-interactive`
  expect(exitCode, stdout + stderr).toBe(0)
  const { stdout: nodes } = await $`docker ps -aq --filter label=io.x-k8s.kind.cluster=lab`
  expect(nodes).toBe('')
  expect(readdirSync(join(clone, '.lab')).filter(name => name.startsWith('kubeconfig'))).toEqual([])
})
