import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { release } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { prepareProgram } from '../../../scripts/pulumi/prepare-program.ts'
import { newFolder } from '../support/folders.ts'

let folder: string
const { prepareStackTrace } = Error

beforeEach(() => {
  folder = newFolder()
  vi.stubEnv('LAB_DIR', join(folder, '.lab'))
  vi.stubEnv('LAB_STACK', '')
  vi.stubEnv('KUBECONFIG', '')
  vi.stubEnv('LAB_USER_KUBECONFIG', '')
  vi.stubEnv('PATH', `${folder}:/usr/bin:/bin`)
})
afterEach(() => {
  vi.unstubAllEnvs()
  // The program removes it.
  Error.prepareStackTrace = prepareStackTrace
})

const program = (name: string, script = ''): void =>
  writeFileSync(join(folder, name), `#!/bin/sh\necho "$*" >> '${folder}/calls'\n${script}\n`, { mode: 0o755 })
const calls = (): string => (existsSync(join(folder, 'calls')) ? readFileSync(join(folder, 'calls'), 'utf8') : '')
const prepare = (settings: Record<string, object>, { preview }: { preview: boolean }) => {
  const config = Object.entries(settings).map(([key, value]) => [`tetragon-lab:${key}`, JSON.stringify(value)])
  return prepareProgram(Object.fromEntries(config), { stack: 'dev', preview })
}

describe('a preview with a cluster of the user’s own', () => {
  const preview = () => prepare({ cluster: { mode: 'existing', context: 'work' } }, { preview: true })

  it('needs no cluster', async () => {
    program('kubectl', 'echo "error: cannot locate context work" >&2; exit 1')
    expect(await preview()).toMatchObject({ source: 'replay', settings: { cluster: { context: 'work' } } })
    expect(calls()).not.toMatch(/ run /)
  })

  it('starts no probe in the cluster', async () => {
    const nodeInfo = { kernelVersion: '6.1.0', architecture: 'amd64', bootID: 'a' }
    const nodes = { items: [{ metadata: { name: 'worker' }, spec: {}, status: { nodeInfo } }] }
    program('kubectl', `echo '${JSON.stringify(nodes)}'`)
    expect(await preview()).toMatchObject({ source: 'replay' })
    expect(calls()).toMatch(/ get nodes /)
    expect(calls()).not.toMatch(/ run /)
  })
})

describe('a preview with a cluster that the lab creates', () => {
  const preview = () => prepare({ cluster: { mode: 'create' } }, { preview: true })

  /** Previews while an engine with this kernel responds. */
  async function previewWithEngine(kernel: string) {
    const socket = join(folder, 'docker.sock')
    vi.stubEnv('DOCKER_HOST', `unix://${socket}`)
    const engine = createServer((_, response) => response.end(JSON.stringify({ Arch: 'amd64', KernelVersion: kernel })))
    await new Promise<void>(resolve => engine.listen(socket, resolve))
    try {
      return await preview()
    } finally {
      engine.close()
    }
  }

  it('does not pull the node image of an engine in a VM', async () => {
    const noImage = 'echo "Error response from daemon: No such image" >&2; exit 1'
    program('docker', `case $1 in info) echo '[]' ;; image) ${noImage} ;; esac`)
    expect(await previewWithEngine('6.10.14-linuxkit')).toMatchObject({ source: 'replay' })
    expect(calls()).toMatch(/^image inspect /m)
    expect(calls()).not.toMatch(/^(pull|run) /m)
  })

  it('needs no docker command', async () => {
    vi.stubEnv('PATH', folder)
    expect(await previewWithEngine(release())).toMatchObject({ source: 'replay' })
  })
})

it('names a program that the update needs and PATH does not have', async () => {
  vi.stubEnv('PATH', folder)
  for (const name of ['docker', 'kubectl']) program(name)
  await expect(prepare({ tetragon: { source: 'replay' } }, { preview: false })).rejects.toMatchObject({
    name: 'LabError',
    found: 'kind is not on PATH',
  })
})
