import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readWorkloads } from '../../../scripts/cluster/workloads.ts'
import { clearUpRecord, compareWithLastUp, inputsDigest, recordUp } from '../../../scripts/lab/up-to-date.ts'
import { readLock } from '../../../shared/lock.ts'
import { parseSettings } from '../../../shared/settings/parser.ts'
import { type FakePrograms, fakePrograms } from '../support/fake-programs.ts'
import { truncatedFiles } from '../support/truncated-files.ts'

let programs: FakePrograms
beforeEach(() => {
  programs = fakePrograms()
})
afterEach(() => programs.restore())

const settings = parseSettings({ cluster: { mode: 'existing', context: 'mine' } })
const access = () => ({ settings, env: programs.env })
const compare = (inputs = 'inputs') => compareWithLastUp(access(), inputs)
const changed = { result: 'changed', broken: [] }

describe('inputsDigest', () => {
  it('changes with a setting and with the event source, and with nothing else', () => {
    const lock = readLock('')
    const digest = inputsDigest(parseSettings({}), lock, 'replay')
    expect(inputsDigest(parseSettings({}), lock, 'replay')).toBe(digest)
    expect(inputsDigest(parseSettings({}), lock, 'live')).not.toBe(digest)
    expect(inputsDigest(parseSettings({ traffic: { rate: 6 } }), lock, 'replay')).not.toBe(digest)
  })
})

describe('compareWithLastUp', () => {
  beforeEach(async () => {
    programs.resources([], { now: true })
    programs.workloads({ name: 'loki' }, { name: 'grafana' })
    recordUp(await readWorkloads(access()), 'inputs')
  })

  it('returns "same" when inputs, state and workloads are', async () => {
    expect(await compare()).toEqual({ result: 'same', broken: [] })
  })

  it('returns "changed" without a record', async () => {
    clearUpRecord()
    expect(await compare()).toEqual(changed)
  })

  it('returns "changed" for other inputs', async () => {
    expect(await compare('others')).toEqual(changed)
  })

  it('returns "changed" when an update has changed the state', async () => {
    programs.resources([{ urn: 'a::b', type: 'c' }], { now: true })
    expect(await compare()).toEqual(changed)
  })

  it('returns "drifted" when a pod is not ready', async () => {
    programs.workloads({ name: 'loki', ready: 0 }, { name: 'grafana' })
    expect(await compare()).toEqual({ result: 'drifted', broken: [] })
  })

  it('returns "drifted" and the release of a workload that is missing', async () => {
    programs.workloads({ name: 'grafana' })
    expect(await compare()).toEqual({
      result: 'drifted',
      broken: [{ release: 'loki', why: 'some of its objects were missing' }],
    })
  })

  it('returns "drifted" and the release of a workload that runs out of memory, though it is ready between two kills', async () => {
    const now = new Date().toISOString()
    const lastState = { terminated: { reason: 'OOMKilled', startedAt: now, finishedAt: now } }
    const containers = [{ ready: true, restartCount: 3, lastState }]
    programs.workloads({ name: 'loki', containers }, { name: 'grafana' })
    expect(await compare()).toEqual({
      result: 'drifted',
      broken: [{ release: 'loki', why: 'it kept running out of memory' }],
    })
  })

  it('returns "drifted" when the cluster does not respond', async () => {
    programs.fail('get deployments', 'The connection to the server was refused')
    expect(await compare()).toEqual({ result: 'drifted', broken: [] })
  })

  it.each([...truncatedFiles, '{"inputs":"inputs","state":""}'])(
    'returns "changed" when the record says %j',
    async content => {
      programs.write('.lab/stood-up.json', content)
      expect(await compare()).toEqual(changed)
    },
  )
})
