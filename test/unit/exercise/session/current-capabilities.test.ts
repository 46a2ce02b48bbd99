import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { currentCapabilities } from '../../../../scripts/exercise/session/current-capabilities.ts'
import { newFolder } from '../../support/folders.ts'
import { runLab } from '../../support/run-lab.ts'

beforeEach(() => {
  const folder = newFolder()
  vi.stubEnv('LAB_DIR', join(folder, '.lab'))
  // No engine, no docker and no kubectl: a fresh machine.
  vi.stubEnv('DOCKER_HOST', `unix://${join(folder, 'docker.sock')}`)
  vi.stubEnv('PATH', [folder, dirname(process.execPath)].join(':'))
})
afterEach(() => {
  vi.unstubAllEnvs()
  vi.unstubAllGlobals()
})

it('finds no lab on a machine without Docker and without the lab’s programs', async () => {
  expect(await currentCapabilities()).toMatchObject({ running: false })
})

it.each(['exercise start 1', 'verify', 'query promql up', 'tetra getevents', 'policy check tcp-connect'])(
  '%s says that no lab is running, and downloads nothing',
  async command => {
    const download = vi.fn(async () => new Response('', { status: 404 }))
    vi.stubGlobal('fetch', download)
    const { stderr, exitCode } = await runLab(...command.split(' '))
    expect({ stderr, exitCode }).toEqual({ stderr: 'Error     No lab is running\nFix       ./lab up\n', exitCode: 1 })
    expect(download).not.toHaveBeenCalled()
  },
)
