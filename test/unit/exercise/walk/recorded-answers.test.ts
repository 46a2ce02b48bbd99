import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import {
  describeRecording,
  readTranscript,
  recordedPolicies,
  recordedRun,
  recordingFolder,
  withRecording,
} from '../../../../scripts/exercise/walk/recorded-answers.ts'
import { fakeLabClient } from '../../../fakes/lab-client.ts'

const token = '/run/secrets/kubernetes.io/serviceaccount/token'
const inPod = (command: string): string => `kubectl -n application exec deploy/visitor -- ${command}`
const sections = readTranscript(readFileSync(join(recordingFolder, 'transcript.txt'), 'utf8'))

it('parses a transcript into sections, commands, outputs and exit codes', () => {
  expect(sections.get('record')?.map(({ command }) => command)).toContain(`cat ${token} > /dev/null`)
  expect(sections.get('enforce')).toHaveLength(4)
  expect(sections.get('enforce')![0]).toEqual({
    command: `cat ${token}`,
    output: 'Killed\ncommand terminated with exit code 137',
    exitCode: 137,
  })
})

it('returns the recorded result of a command before and after a policy', () => {
  expect(recordedRun(inPod(`cat ${token}`), 'record')).toMatchObject({ exitCode: 0 })
  expect(recordedRun(inPod(`cat ${token}`), 'enforce')).toMatchObject({ exitCode: 137 })
  // A command that was recorded with a pipe matches.
  expect(recordedRun(inPod('cat /etc/shadow'), 'record')).toMatchObject({ exitCode: 0, stdout: '19' })
  expect(recordedRun(inPod('cat /etc/shadow'), 'enforce')).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('Permission denied'),
  })
})

it('rejects a command that was not recorded', () => {
  expect(() => recordedRun(inPod('cat /etc/hosts'), 'enforce')).toThrow(
    /no command cat \/etc\/hosts in its section enforce/,
  )
  expect(() => recordedRun(inPod('cat /etc/shadow'), 'policies')).toThrow(/no command/)
})

it('shows a recorded policy under another name', async () => {
  const recording = { agent: 'tracingpolicies.json', as: { mine: 'sensitive-file-access' } }
  expect(recordedPolicies(recording)[0]).toMatchObject({ name: 'mine', state: 'enabled' })
  expect(describeRecording(recording)).toBe('tracingpolicies.json, sensitive-file-access in place of mine')
  expect(() => recordedPolicies({ ...recording, as: { mine: 'nothing' } })).toThrow(/has no policy nothing/)
})

it('replaces only commands in Pods and the agent, and nothing else of the lab', async () => {
  const lab = withRecording(fakeLabClient({ run: () => ({ exitCode: 0, stdout: 'real' }) }), { as: {} })
  const options = { timeout: 1000, work: '/nowhere' }
  expect(await lab.run('node labs/x.ts', options)).toMatchObject({ stdout: 'real' })
  expect(await lab.run(inPod('cat x'), options)).toMatchObject({ exitCode: 1 })
  expect(await lab.agentPolicies()).toEqual([])
})
