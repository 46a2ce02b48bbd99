import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import {
  readTranscript,
  recordedPolicies,
  recordedRun,
  recordedWorld,
  recordingFolder,
  recordingWords,
} from '../../../scripts/exercise/walk/recorded-lab.ts'
import { fakeWorld } from '../../fakes/world.ts'

const token = '/run/secrets/kubernetes.io/serviceaccount/token'
const inPod = (command: string): string => `kubectl -n application exec deploy/visitor -- ${command}`
const sections = readTranscript(readFileSync(join(recordingFolder, 'transcript.txt'), 'utf8'))

it('reads the transcript: sections, commands, what they said and how they ended', () => {
  expect(sections.get('record')?.map(({ command }) => command)).toContain(`cat ${token} > /dev/null`)
  expect(sections.get('enforce')).toHaveLength(4)
  expect(sections.get('enforce')![0]).toEqual({
    command: `cat ${token}`,
    output: 'Killed\ncommand terminated with exit code 137',
    exitCode: 137,
  })
})

it('gives a command what the same command got, before and after', () => {
  expect(recordedRun(inPod(`cat ${token}`), 'record')).toMatchObject({ exitCode: 0 })
  expect(recordedRun(inPod(`cat ${token}`), 'enforce')).toMatchObject({ exitCode: 137 })
  // What was piped on is the same program.
  expect(recordedRun(inPod('cat /etc/shadow'), 'record')).toMatchObject({ exitCode: 0, stdout: '19' })
  expect(recordedRun(inPod('cat /etc/shadow'), 'enforce')).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('Permission denied'),
  })
})

it('has no answer to another command', () => {
  expect(() => recordedRun(inPod('cat /etc/hosts'), 'enforce')).toThrow(
    /no command cat \/etc\/hosts in a section enforce/,
  )
  expect(() => recordedRun(inPod('cat /etc/shadow'), 'policies')).toThrow(/no command/)
})

it('lets a recorded policy stand in for another, and says so', async () => {
  const recording = { agent: 'tracingpolicies.json', as: { mine: 'sensitive-file-access' } }
  expect(recordedPolicies(recording)[0]).toMatchObject({ name: 'mine', state: 'TP_STATE_ENABLED' })
  expect(recordingWords(recording)).toBe('tracingpolicies.json, sensitive-file-access in place of mine')
  expect(() => recordedPolicies({ ...recording, as: { mine: 'nothing' } })).toThrow(/has no policy nothing/)
})

it('answers for pods and the agent alone: what else a check looks at is the lab’s own', async () => {
  const world = recordedWorld(fakeWorld({ run: () => ({ exitCode: 0, stdout: 'real' }) }), { as: {} })
  const options = { timeout: 1000, work: '/nowhere' }
  expect(await world.run('node labs/x.ts', options)).toMatchObject({ stdout: 'real' })
  expect(await world.run(inPod('cat x'), options)).toMatchObject({ exitCode: 1 })
  expect(await world.agentPolicies()).toEqual([])
})
