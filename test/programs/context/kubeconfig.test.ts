import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { kubectl } from '../../../scripts/cluster/kubectl.ts'
import { loadContext, loadRunningLab } from '../../../scripts/context/context.ts'
import { currentContext, userKubeconfig } from '../../../scripts/context/kubeconfig.ts'
import { connectLabClient } from '../../../scripts/exercise/check/lab-client.ts'
import { exerciseFolders } from '../../../scripts/exercise/definition/folders.ts'
import { runCommands, studentTerminal } from '../../../scripts/exercise/session/shell.ts'
import { kernelDecision } from '../../../scripts/kernel/decision.ts'
import { kubeconfigFile } from '../../../shared/kubeconfig.ts'
import { readLock } from '../../../shared/lock.ts'
import { projectDir } from '../../../shared/paths.ts'
import { parseSettings } from '../../../shared/settings/parser.ts'
import { newFolder } from '../../unit/support/folders.ts'
import { runLab } from '../../unit/support/run-lab.ts'

// The settings of this checkout are others.
let cluster = { mode: 'existing', name: 'lab', context: 'mine' } as const as {
  mode: 'existing' | 'create'
  name: string
  context: string
}
vi.mock('../../../shared/settings/stack-file.ts', async original => ({
  ...(await original<object>()),
  readSettings: () => parseSettings({ cluster }),
  readClusterTarget: () => cluster,
}))
// The salt is in the settings file of this checkout.
vi.mock('../../../scripts/pulumi/salt.ts', () => ({ removeSalt: vi.fn(), passphraseFits: () => true }))

let folder: string
const reached = (): string[] =>
  existsSync(join(folder, 'reached')) ? readFileSync(join(folder, 'reached'), 'utf8').trim().split('\n') : []
/** Returns the servers that kubectl has connected to. */
const servers = (): string[] => [...new Set(reached().map(line => line.split(' ')[0]!))]

/** A kubeconfig of a user who is working in production. */
const users = {
  apiVersion: 'v1',
  kind: 'Config',
  'current-context': 'production',
  contexts: ['production', 'mine'].map(name => ({ name, context: { cluster: name, user: name } })),
  clusters: ['production', 'mine'].map(name => ({ name, cluster: { server: `https://${name}` } })),
  users: ['production', 'mine'].map(name => ({ name, user: { token: `token-of-${name}` } })),
}

beforeEach(() => {
  folder = newFolder()
  cluster = { mode: 'existing', name: 'lab', context: 'mine' }
  const { tools } = readLock('')
  mkdirSync(join(folder, 'home', '.kube'), { recursive: true })
  writeFileSync(join(folder, 'home', '.kube', 'config'), JSON.stringify(users))
  symlinkSync(join(projectDir, 'test', 'fakes', 'two-contexts-kubectl.mjs'), join(folder, 'kubectl'))
  const program = (name: string, script: string): void =>
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  // As the Kubernetes provider, `pulumi up` reads the file of KUBECONFIG and selects the context by its name.
  program(
    'pulumi',
    `case $1 in up) kubectl --context mine apply -f release.yaml ;; version) echo v${tools.pulumi.version} ;; esac`,
  )
  program('kind', `echo v${tools.kind.version}`)
  for (const name of ['pulumi-resource-command', 'pulumi-resource-kubernetes']) program(name, '')
  // `lab` asks kubectl for its version before it uses one on PATH.
  mkdirSync(join(folder, '.lab', 'cache'), { recursive: true })
  const real = join(projectDir, 'test', 'fakes', 'two-contexts-kubectl.mjs')
  const { size, mtimeMs } = statSync(real)
  writeFileSync(
    join(folder, '.lab', 'cache', 'versions.json'),
    JSON.stringify({ [`${real} ${size} ${mtimeMs}`]: tools.kubectl.version }),
  )
  vi.stubEnv('PATH', [folder, process.env.PATH].join(delimiter))
  vi.stubEnv('HOME', join(folder, 'home'))
  vi.stubEnv('KUBECONFIG', '')
  vi.stubEnv('LAB_USER_KUBECONFIG', '')
  vi.stubEnv('LAB_DIR', join(folder, '.lab'))
  vi.stubEnv('REACHED', join(folder, 'reached'))
})
afterEach(() => vi.unstubAllEnvs())

const shell = (command: string, env: Readonly<Record<string, string | undefined>>): string =>
  execFileSync('bash', ['-c', command], { encoding: 'utf8', env: { ...process.env, ...env }, stdio: 'pipe' })

// Each command starts several programs, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 })

describe('with a cluster of the user’s own, while the user works in another one', () => {
  it('writes the one context to a file that only its owner can read', async () => {
    await loadContext()
    const text = readFileSync(kubeconfigFile(), 'utf8')
    expect(currentContext(kubeconfigFile())).toBe('mine')
    expect(text).toContain('token-of-mine')
    expect(text).not.toContain('production')
    expect(statSync(kubeconfigFile()).mode & 0o777).toBe(0o600)
  })

  it('reaches no other cluster from exercises, their checks, and the kernel probe', async () => {
    const exercise = { name: '01-one', folders: exerciseFolders() }
    await runCommands(exercise, 'the reset', 'kubectl delete tracingpolicies --all')
    const client = await connectLabClient()
    await client.run('kubectl get pods', { timeout: 60_000, work: folder })
    await client.kubectl(['get', 'policies'])
    await kernelDecision({ cluster, pull: false })
    expect(reached()).toEqual([
      'https://mine delete tracingpolicies --all',
      'https://mine get pods',
      'https://mine get policies',
      expect.stringMatching(/^https:..mine get nodes /),
    ])
  })

  it('reaches no other cluster from commands, Pulumi, and a shell of the lab', async () => {
    const { env } = await loadContext()
    shell('kubectl apply -f mine.yaml', env)
    await runLab('kubectl', 'get', 'secrets')
    await runLab('logs', 'loki')
    await runLab('policy', 'remove', 'tcp-connect')
    await runLab('pulumi', 'up')
    for (const command of ['apply -f mine.yaml', 'apply -f release.yaml', 'get secrets'])
      expect(reached()).toContain(`https://mine ${command}`)
    expect(servers()).toEqual(['https://mine'])
  })

  it('still finds the user’s kubeconfig from a shell of the lab, also after the setting has changed', async () => {
    vi.stubEnv('KUBECONFIG', join(folder, 'home', '.kube', 'config'))
    const { env } = await loadContext()
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
    cluster = { ...cluster, context: 'production' }
    const { settings, env: next } = await loadContext()
    await kubectl({ settings, env: next }, ['get', 'nodes'])
    expect(servers()).toEqual(['https://production'])
    expect(userKubeconfig()).toBe(join(folder, 'home', '.kube', 'config'))
  })

  it('finds it from the terminal of an exercise’s test too, in which plain kubectl reaches nothing', async () => {
    const terminal = studentTerminal(exerciseFolders())
    expect(() => shell('kubectl get pods', terminal)).toThrow('does not exist')
    for (const [name, value] of Object.entries(terminal)) vi.stubEnv(name, value)
    await runLab('kubectl', 'get', 'secrets')
    expect(servers()).toEqual(['https://mine'])
  })

  it('reaches nothing at all once the context is missing', async () => {
    const { env } = await loadContext()
    cluster = { ...cluster, context: 'gone' }
    await expect(loadContext()).rejects.toMatchObject({
      found: 'Your kubeconfig has no context gone',
      next: './lab pulumi config set --path tetragon-lab:cluster.context NAME',
    })
    expect(() => shell('kubectl get pods', env)).toThrow('does not exist')
    expect(reached()).toEqual([])
  })
})

it('does not use the file of the user’s own cluster for a cluster that the lab creates', async () => {
  const { env } = await loadContext()
  cluster = { mode: 'create', name: 'lab', context: '' }
  await expect(loadRunningLab()).rejects.toMatchObject({ found: 'No lab is running' })
  await loadContext()
  expect(() => shell('kubectl get pods', env)).toThrow('does not exist')
  expect(reached()).toEqual([])
})
