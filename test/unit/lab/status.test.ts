import { afterEach, beforeEach, expect, it } from 'vitest'
import { readStatus } from '../../../scripts/lab/status.ts'
import { LabError } from '../../../shared/lab-error.ts'
import { readLock } from '../../../shared/lock.ts'
import { parseSettings } from '../../../shared/settings/parser.ts'
import { type FakePrograms, fakePrograms } from '../support/fake-programs.ts'

let programs: FakePrograms
beforeEach(() => {
  programs = fakePrograms()
})
afterEach(() => programs.restore())

const status = (settings: object = { cluster: { name: 'lab' }, tetragon: { source: 'replay' } }) =>
  readStatus({
    settings: parseSettings(settings),
    load: async () => ({ settings: parseSettings(settings), lock: readLock(''), env: programs.env }),
  })

function runningLab(): void {
  programs.write('node', 'running')
  programs.write('.lab/kubeconfig', programs.read('kubeconfig'))
}

it('is "down" without a node, and "stopped" with one that does not run', async () => {
  expect(await status()).toMatchObject({ state: 'down', workloads: [] })
  programs.write('node', 'exited')
  expect(await status()).toMatchObject({ state: 'stopped', workloads: [] })
})

it('is "up" when every pod is ready, and "starting" before', async () => {
  runningLab()
  programs.workloads({ name: 'loki' }, { name: 'grafana' })
  expect(await status()).toMatchObject({
    state: 'up',
    source: { runs: 'none', set: 'replay', why: 'tetragon.source is set to replay' },
    workloads: [{ name: 'loki' }, { name: 'grafana' }],
  })
  programs.workloads({ name: 'loki' }, { name: 'grafana', ready: 0 })
  expect(await status()).toMatchObject({ state: 'starting' })
})

it('is not "up" when a workload is scaled to zero', async () => {
  runningLab()
  programs.workloads({ name: 'loki' }, { name: 'tetragon-operator', ready: 0, wanted: 0 })
  expect(await status()).toMatchObject({ state: 'starting' })
})

it.each([{ name: 'lab' }, { mode: 'existing', context: 'mine' }])(
  'downloads nothing without a lab (%o)',
  async cluster => {
    const { PATH } = process.env
    process.env.PATH = `${programs.folder}/path`
    const offline = async () => {
      throw new LabError({ found: 'kubectl cannot be downloaded', next: './lab status' })
    }
    expect(await readStatus({ settings: parseSettings({ cluster }), load: offline })).toMatchObject({ state: 'down' })
    process.env.PATH = PATH
  },
)

it('fails when the node runs and .lab has no kubeconfig for it', async () => {
  programs.write('node', 'running')
  await expect(status()).rejects.toMatchObject({ found: expect.stringContaining('.lab/kubeconfig, is missing') })
})

it('is "down" in a cluster of the user’s own without workloads of the lab', async () => {
  programs.write('.lab/kubeconfig', '')
  expect(await status({ cluster: { mode: 'existing', context: 'mine' } })).toMatchObject({ state: 'down' })
  expect(programs.called('kubectl')).toBe(true)
})
