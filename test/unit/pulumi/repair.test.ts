import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { repair, requireNoOtherUpdate } from '../../../scripts/pulumi/repair.ts'
import { stateResources } from '../../../scripts/pulumi/state.ts'
import { readLock } from '../../../shared/lock.ts'
import { labPath } from '../../../shared/paths.ts'
import { parseSettings } from '../../../shared/settings/parser.ts'
import { labId } from '../../../shared/stack.ts'
import { type FakePrograms, fakePrograms } from '../support/fake-programs.ts'
import { fakePulumi } from '../support/fake-pulumi.ts'

vi.mock('../../../scripts/pulumi/salt.ts', () => ({ removeSalt: vi.fn(), passphraseFits: () => false }))

let programs: FakePrograms
beforeEach(() => {
  programs = fakePrograms()
})
afterEach(() => programs.restore())

const node = { urn: 'urn:pulumi:dev::tetragon-lab::command:local:Command::cluster-node', type: 'command:local:Command' }
const release = (name: string) => ({
  urn: `urn:pulumi:dev::tetragon-lab::kubernetes:helm.sh/v3:Release::${name}`,
  type: 'kubernetes:helm.sh/v3:Release',
})
const stateFile = '.lab/state/.pulumi/stacks/tetragon-lab/dev.json'

const repairWith = (cluster: object) =>
  repair({ settings: parseSettings({ cluster }), lock: readLock(''), env: programs.env })
const repairLab = () => repairWith({ name: 'lab' })

/** A node that this lab created. */
function ownNode(state: string): void {
  programs.write('node', state)
  programs.write('config', `node-labels: ${labId()}`)
  programs.write('.lab/cluster.json', JSON.stringify({ name: 'lab' }))
  programs.write('.lab/kubeconfig', programs.read('kubeconfig'))
}

const records = (...list: { name: string; status: string }[]) =>
  programs.write(
    'secrets.json',
    JSON.stringify({ items: list.map(labels => ({ metadata: { name: `sh.helm.${labels.name}`, labels } })) }),
  )

describe('repair', () => {
  it('repairs nothing when there is no lab', async () => {
    expect(await repairLab()).toEqual({ done: [], deletedReleases: [] })
  })

  it('repairs nothing in a lab that runs', async () => {
    ownNode('running')
    programs.resources([node, release('loki')], { now: true })
    records({ name: 'loki', status: 'deployed' })
    expect(await repairLab()).toEqual({ done: [], deletedReleases: [] })
  })

  it('deletes a cluster whose node was created from other settings', async () => {
    ownNode('running')
    programs.resources([{ ...node, inputs: { triggers: ['of another port'] } }], { now: true })
    expect((await repairLab()).done).toEqual(['deleted a cluster that had another port, image or setting'])
  })

  it('removes the lock of a killed update', async () => {
    programs.write('.lab/state/.pulumi/locks/x.json', '{"pid": 1073741824}')
    expect((await repairLab()).done).toEqual(['removed the lock of an update that was killed'])
  })

  it('deletes a damaged state, and keeps the passphrase for the next one', async () => {
    programs.write(stateFile, '{"')
    programs.write('.lab/passphrase', 'x')
    expect((await repairLab()).done).toEqual([
      "deleted Pulumi's state, which is damaged. The lab is created from scratch",
    ])
    expect([programs.exists(stateFile), programs.exists('.lab/passphrase')]).toEqual([false, true])
  })

  it('keeps a damaged state of the user’s own cluster, and prints what removes the resources', async () => {
    programs.write(stateFile, '{')
    await expect(repairWith({ mode: 'existing', context: 'mine' })).rejects.toMatchObject({
      found: `Pulumi's state in ${labPath('state')} is damaged`,
      next: `kubectl --context mine delete namespace application monitoring && rm -r ${labPath('state')}`,
    })
    expect(programs.exists(stateFile)).toBe(true)
  })

  it('clears the state of a cluster that is gone', async () => {
    programs.resources([node], { now: true })
    expect((await repairLab()).done).toEqual(['cleared the state of a cluster that no longer exists'])
    expect(stateResources()).toEqual([])
  })

  it.each(['exited', 'paused'])('starts a node that is %s', async state => {
    ownNode(state)
    programs.resources([node], { now: true })
    expect((await repairLab()).done).toEqual([`started the node, which was ${state}`])
    expect(programs.read('node')).toBe('running\n')
  })

  it('deletes the records of releases that are pending, or that Pulumi does not know', async () => {
    ownNode('running')
    programs.resources([node, release('loki'), release('grafana')], { now: true })
    records(
      { name: 'loki', status: 'deployed' },
      { name: 'grafana', status: 'pending-upgrade' },
      { name: 'tetragon', status: 'deployed' },
    )
    expect(await repairLab()).toEqual({
      done: [
        'deleted the record of the unfinished release grafana',
        'deleted the record of the unfinished release tetragon',
      ],
      deletedReleases: ['grafana', 'tetragon'],
    })
    expect(programs.callsOf('kubectl').at(-1)).toMatch(
      /delete secret -n monitoring sh\.helm\.grafana sh\.helm\.tetragon$/,
    )
  })

  it('deletes a cluster that this lab has no record of', async () => {
    ownNode('running')
    programs.remove('.lab/cluster.json')
    expect((await repairLab()).done).toEqual(['deleted a cluster that this lab had created, but had no record of'])
    expect(programs.exists('node')).toBe(false)
  })

  it('deletes a cluster that does not respond, and clears its state', async () => {
    ownNode('running')
    programs.resources([node], { now: true })
    programs.fail('^kubectl', 'The connection to the server was refused')
    programs.fail('^kind export', 'refused')
    expect((await repairLab()).done).toEqual(['deleted a cluster that did not respond'])
    expect([programs.exists('node'), stateResources()]).toEqual([false, []])
  })
})

describe('requireNoOtherUpdate', () => {
  const lock = '.lab/state/.pulumi/locks/organization/tetragon-lab/dev/x.json'

  it('fails while a Pulumi that was started by hand works on the stack', async () => {
    const pulumi = fakePulumi('up')
    programs.write(lock, JSON.stringify({ pid: pulumi.pid }))
    await expect(requireNoOtherUpdate()).rejects.toMatchObject({
      found: `A pulumi that you started by hand is working on the lab (pid ${pulumi.pid})`,
    })
    pulumi.end()
    await pulumi.exit
    await expect(requireNoOtherUpdate()).resolves.toBeUndefined()
  })
})
