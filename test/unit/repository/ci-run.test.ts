import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { beforeEach, expect, it } from 'vitest'
import { projectDir } from '../../../shared/paths.ts'
import { newFolder } from '../support/folders.ts'

// .ci/run in a folder with a fake ./lab, npm and docker.

let folder: string
let checkout: string
let bin: string

const script = (file: string, text: string): void => writeFileSync(file, `#!/bin/sh\n${text}\n`, { mode: 0o755 })
/** Makes `docker info` succeed or fail, and `docker ps` list these containers. */
const docker = (exitCode: number, containers = ''): void =>
  script(join(bin, 'docker'), `[ "$1" = info ] || echo '${containers}'; exit ${exitCode}`)

function addRig(path: string, missing: string): void {
  mkdirSync(path, { recursive: true })
  script(join(path, 'check.sh'), missing ? `echo 'has    kind'; echo 'lacks  ${missing}'; exit 1` : 'exit 0')
  writeFileSync(join(path, 'env.sh'), 'export LAB_RIG_DIR=/rig\n')
}

beforeEach(() => {
  folder = newFolder()
  checkout = join(folder, 'checkout')
  bin = join(folder, 'bin')
  mkdirSync(join(checkout, '.ci'), { recursive: true })
  mkdirSync(bin)
  copyFileSync(join(projectDir, '.ci/run'), join(checkout, '.ci/run'))
  script(join(checkout, '.ci/linters'), 'exit 1')
  script(join(checkout, 'lab'), 'echo "lab $* ${LAB_LOCK:-} ${LAB_RIG_DIR:-}" >> calls; [ ! -e "failing-$2" ]')
  script(join(bin, 'npm'), 'exit 0')
  docker(0)
  for (const tool of ['bash', 'sh', 'dirname', 'grep', 'timeout'])
    for (const from of ['/usr/bin', '/bin'])
      try {
        symlinkSync(join(from, tool), join(bin, tool))
      } catch {
        // Both folders are one on most systems.
      }
})

async function run(env: Record<string, string> = {}) {
  const { exitCode, stdout } = await execa('bash', [join(checkout, '.ci/run')], {
    env: { PATH: bin, ...env },
    extendEnv: false,
    reject: false,
  })
  const calls = readFileSync(join(checkout, 'calls'), 'utf8').trimEnd().split('\n')
  return { exitCode, stdout, calls: calls.map(call => call.trim()) }
}

it('runs what needs only Node, and a whole lab where Docker answers', async () => {
  expect(await run()).toEqual({ exitCode: 0, stdout: '', calls: ['lab test', 'lab test programs', 'lab test e2e'] })
})

it('says so where Docker does not answer', async () => {
  docker(1)
  const { exitCode, stdout, calls } = await run()
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'e2e: skipped, because docker info fails' })
  expect(calls).toEqual(['lab test', 'lab test programs'])
})

it('skips e2e where a kind cluster named lab exists', async () => {
  docker(0, '1f0c9d2a4b6e')
  const { exitCode, stdout, calls } = await run()
  expect({ exitCode, stdout }).toEqual({
    exitCode: 0,
    stdout: 'e2e: skipped, because a kind cluster named lab exists already (kind delete cluster --name lab)',
  })
  expect(calls).toEqual(['lab test', 'lab test programs'])
})

it.each(['../shared/rig', '../other'])('uses the rig in %s', async path => {
  addRig(join(checkout, path), '')
  const { exitCode, calls } = await run(path === '../shared/rig' ? {} : { LAB_RIG: path })
  expect(exitCode).toBe(0)
  expect(calls).toEqual(['lab test', 'lab test programs', 'lab test e2e test/rig.lock.yaml /rig'])
})

it('says what a rig lacks, and does not try without it', async () => {
  addRig(join(checkout, '../shared/rig'), 'image redis')
  const { exitCode, stdout, calls } = await run()
  expect(exitCode).toBe(0)
  expect(stdout).toBe('e2e: skipped, because the rig in ../shared/rig is not complete:\nlacks  image redis')
  expect(calls).toEqual(['lab test', 'lab test programs'])
})

it('says that LAB_RIG names no rig', async () => {
  const { stdout, calls } = await run({ LAB_RIG: '/no/such/rig' })
  expect(stdout).toMatch(/^e2e: skipped, because the rig in \/no\/such\/rig is not complete:\n.*No such file/)
  expect(calls).toEqual(['lab test', 'lab test programs'])
})

it.each([
  ['', ['lab test']],
  ['programs', ['lab test', 'lab test programs']],
  ['e2e', ['lab test', 'lab test programs', 'lab test e2e']],
])('fails when lab test %s fails', async (suite, calls) => {
  writeFileSync(join(checkout, `failing-${suite}`), '')
  expect(await run()).toMatchObject({ exitCode: 1, calls })
})

it('fails on a known vulnerability, and goes on where the registry cannot tell', async () => {
  script(join(bin, 'npm'), 'echo \'{"auditReportVersion": 2}\'; exit 1')
  expect(await run()).toMatchObject({ exitCode: 1, calls: ['lab test', 'lab test programs'] })
  script(join(bin, 'npm'), 'echo "npm error 404"; echo more; exit 1')
  const { exitCode, stdout } = await run()
  expect(exitCode).toBe(0)
  expect(stdout).toBe('npm audit: skipped, because the registry does not answer it: npm error 404')
})
