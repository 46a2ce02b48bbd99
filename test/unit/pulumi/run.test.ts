import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { EngineEvent } from '../../../scripts/pulumi/events.ts'
import type { PulumiRun } from '../../../scripts/pulumi/processes.ts'
import { explainFailure, NotReadyError, runPulumi } from '../../../scripts/pulumi/run.ts'
import { LabError } from '../../../shared/lab-error.ts'
import { type FakePrograms, fakePrograms } from '../support/fake-programs.ts'

describe('runPulumi', () => {
  let programs: FakePrograms
  beforeEach(() => {
    programs = fakePrograms()
  })
  afterEach(() => programs.restore())

  it('passes on the process and the events, returns the summary, and leaves no event log', async () => {
    const runs: PulumiRun[] = []
    const events: EngineEvent[] = []
    const result = await runPulumi('up', {
      env: programs.env,
      onStart: run => runs.push(run),
      onEvent: event => events.push(event),
    })
    expect(result).toEqual({ changes: { create: 2 }, seconds: 1 })
    expect(runs).toEqual([{ pulumi: expect.any(Number), run: expect.stringMatching(/^[\da-f-]{36}$/) }])
    expect(events).toHaveLength(2)
    expect(programs.exists('.lab/logs/up.events')).toBe(false)
  })

  it('starts no Pulumi after an interruption', async () => {
    await expect(runPulumi('up', { env: programs.env, signal: AbortSignal.abort() })).rejects.toMatchObject({
      found: '`lab up` was interrupted',
    })
    expect(programs.calls()).toEqual([])
  })

  it('names the signal that killed Pulumi', async () => {
    programs.write('hang', '')
    const kill = ({ pulumi }: PulumiRun) => process.kill(pulumi, 'SIGKILL')
    await expect(runPulumi('destroy', { env: programs.env, onStart: kill })).rejects.toMatchObject({
      found: 'pulumi destroy was killed (SIGKILL)',
      next: './lab down',
    })
  })

  it('fails with what Pulumi printed, which is in the log too', async () => {
    programs.fail('^pulumi up', 'error: no space left')
    await expect(runPulumi('up', { env: programs.env })).rejects.toMatchObject({
      found: 'pulumi up failed: error: no space left',
    })
    await expect
      .poll(() => programs.exists('.lab/logs/up.log') && programs.read('.lab/logs/up.log'))
      .toContain('no space')
  })
})

describe('explainFailure', () => {
  it('returns the error that a program of the lab printed', () => {
    const printed = new LabError({ found: 'The image loki cannot be pulled', expected: 'a network', next: './lab up' })
    const errors = ['update failed', `exit status 1: running "node"\n${printed.lines().join('\n')}`]
    expect(explainFailure('up', errors, '', 'up.log')).toMatchObject({
      found: 'The image loki cannot be pulled',
      next: './lab up',
    })
  })

  it('names every resource that failed, without the count, which covers only one resource', () => {
    const helm = (name: string) =>
      `1 error occurred:\n\t* Helm release "monitoring/${name}" was created, but failed to initialize completely: context deadline exceeded\n\n`
    const error = explainFailure('up', ['update failed', helm('loki'), helm('grafana')], '', 'up.log', [
      'loki',
      'grafana',
    ])
    expect(error).toBeInstanceOf(NotReadyError)
    expect(error).toMatchObject({ failure: 'pulumi up failed for loki and grafana' })
    expect(error.found).toBe(
      'pulumi up failed for loki and grafana: Helm release "monitoring/loki" was created, but failed to initialize completely: context deadline exceeded',
    )
  })

  it('does not take an error of the API server for pods that are not ready', () => {
    expect(explainFailure('up', ['the server rejected our request'], '', 'up.log')).not.toBeInstanceOf(NotReadyError)
  })

  it('returns the first specific error of the engine in one line, and the path of the log', () => {
    const errors = ['update failed', 'Helm release "loki" failed:\ntimed out waiting']
    const error = explainFailure('up', errors, '', 'up.log')
    expect(error.found).toBe('pulumi up failed: Helm release "loki" failed: timed out waiting')
    expect(error.next).toContain('up.log')
  })
})
