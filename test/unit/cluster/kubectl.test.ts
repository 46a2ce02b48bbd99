import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { kubeArgs, kubectl, kubectlJson } from '../../../scripts/cluster/kubectl.ts'
import { labPath } from '../../../shared/paths.ts'
import { parseSettings } from '../../../shared/settings/parser.ts'
import { type FakePrograms, fakePrograms } from '../support/fake-programs.ts'

let programs: FakePrograms
beforeEach(() => {
  programs = fakePrograms()
})
afterEach(() => programs.restore())

const existing = parseSettings({ cluster: { mode: 'existing', context: 'mine' } })
const access = (env = programs.env) => ({ settings: existing, env })

describe('kubeArgs', () => {
  it('selects the kubeconfig of the lab, and by its name the context in it', () => {
    programs.write('.lab/kubeconfig', '')
    expect(kubeArgs(parseSettings({}))).toEqual(['--kubeconfig', labPath('kubeconfig'), '--context', 'kind-lab'])
    expect(kubeArgs(existing)).toEqual(['--kubeconfig', labPath('kubeconfig'), '--context', 'mine'])
  })

  it('fails when no lab is running', () => {
    expect(() => kubeArgs(parseSettings({}))).toThrow('No lab is running')
  })
})

describe('kubectl', () => {
  it('runs the kubectl that the passed PATH leads to, and not that of this process', async () => {
    await kubectl(access(), ['version'])
    expect(programs.callsOf('kubectl')).toEqual([
      `kubectl --kubeconfig ${labPath('kubeconfig')} --context mine version`,
    ])
    const noPrograms = { ...programs.env, PATH: `${programs.folder}/none` }
    await expect(kubectl(access(noPrograms), ['version'])).rejects.toMatchObject({ found: 'kubectl is not on PATH' })
  })

  it('ends a kubectl that hangs, with what it was asked and for how long', async () => {
    programs.write('kubectl', '#!/bin/sh\nsleep 60\n')
    await expect(kubectl(access(), ['get', 'pods', '-A'], { timeoutMs: 50 })).rejects.toMatchObject({
      found: expect.stringMatching(/^kubectl get pods did not respond within \d+ s$/),
      next: './lab status',
    })
  })

  it('keeps its cache in .lab', async () => {
    programs.write('kubectl', '#!/bin/sh\necho "$KUBECACHEDIR"\n')
    expect(await kubectl(access(), ['version'])).toBe(labPath('cache', 'kubectl'))
  })

  it.each([
    ['error: the server refused', 'kubectl get pods failed: error: the server refused', './lab status'],
    ['error: no such resource', 'kubectl get pods failed: error: no such resource', './lab kubectl get pods'],
    [
      'Error from server: User "kubernetes-admin" cannot list resource "pods"',
      'The cluster is still starting: RBAC is not ready yet',
      'run ./lab status again in a few seconds',
    ],
  ])('turns %j into an error that says what to run', async (stderr, found, next) => {
    programs.fail('^kubectl', stderr)
    await expect(kubectl(access(), ['get', 'pods', '-A'])).rejects.toMatchObject({ found, next })
  })
})

it('does not suggest to repeat a broken `kubectl exec` without its arguments', async () => {
  programs.fail('^kubectl', 'error: websocket: close 1006')
  await expect(kubectl(access(), ['exec', '-n', 'monitoring', 'tetragon-x'])).rejects.toMatchObject({
    found: 'kubectl exec failed: error: websocket: close 1006',
    next: './lab status',
  })
})

describe('kubectlJson', () => {
  it('returns what kubectl prints with -o json, parsed', async () => {
    expect(await kubectlJson(access(), ['get', 'pods'])).toEqual({ items: [] })
    expect(programs.callsOf('kubectl')).toEqual([expect.stringMatching(/ --context mine get pods -o json$/)])
  })
})
