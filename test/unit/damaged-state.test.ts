import { randomUUID } from 'node:crypto'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { contextOf, repairRecords } from '../../scripts/cluster/kind.ts'
import { notePulumi, withLabLock } from '../../scripts/lab/run-lock.ts'
import { sinceLastUp } from '../../scripts/lab/up-to-date.ts'
import { repair } from '../../scripts/pulumi/repair.ts'
import { repairStore, stackExists, stateProblem, stateResources } from '../../scripts/pulumi/state.ts'
import { rememberDigests, rememberedDigest } from '../../scripts/supplies/remembered-digests.ts'
import { LabError } from '../../shared/lab-error.ts'
import { labId, labPath } from '../../shared/paths.ts'
import { storedSecret } from '../../shared/secrets.ts'
import { parseSettings } from '../../shared/settings/parser.ts'

// What is done about each file of .lab that was cut off, or is something else: written anew, or refused with the command that mends it.

const { LAB_DIR, PATH } = process.env
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lab-kept-'))
  process.env.LAB_DIR = join(folder, '.lab')
  // Fakes of the programs that are asked about the node: there is none, unless a test says so.
  fake('docker', 'exit 1')
  fake('kind', 'exit 1')
  process.env.PATH = `${folder}:${PATH}`
})
afterEach(() => {
  process.env.PATH = PATH
  if (LAB_DIR === undefined) delete process.env.LAB_DIR
  else process.env.LAB_DIR = LAB_DIR
  rmSync(folder, { recursive: true, force: true })
})

function fake(program: string, script: string): void {
  writeFileSync(join(folder, program), `#!/bin/sh\n${script}\n`)
  chmodSync(join(folder, program), 0o755)
}

const put = (name: string, content: string): void => writeFileSync(labPath(...name.split('/')), content)
const cutOff = ['', '{"', 'null', '[]', '{"pid": -1}', 'x\0']

describe('running.json', () => {
  it.each([...cutOff, '{"pid": 0, "action": "up", "since": "2026-11-26T10:00:00Z"}'])(
    'that says %j holds nobody up',
    async content => {
      put('running.json', content)
      expect(await withLabLock('up', async () => 'in', 1)).toBe('in')
    },
  )

  it('of before a reboot holds nobody up, though its number is taken again', async () => {
    const running = { pid: process.pid, action: 'up', since: new Date().toISOString() }
    put('running.json', JSON.stringify({ ...running, boot: 'another' }))
    expect(await withLabLock('up', async () => 'in', 1)).toBe(process.platform === 'linux' ? 'in' : undefined)
  })

  it('that somebody is writing is waited for', async () => {
    put('running.json', '')
    setTimeout(
      () => put('running.json', JSON.stringify({ pid: process.pid, action: 'down', since: new Date().toISOString() })),
      20,
    )
    await expect(withLabLock('up', async () => 'in', 300)).rejects.toThrow(/`lab down` is under way/)
  })

  it('that was damaged meanwhile does not stop what is under way', async () => {
    await withLabLock('up', async () => {
      put('running.json', '{')
      notePulumi({ pulumi: 1, run: randomUUID() })
    })
  })
})

describe('Pulumi’s state', () => {
  const file = 'state/.pulumi/stacks/tetragon-lab/dev.json'
  // As the pinned Pulumi made it, with the passphrase x.
  const salt = 'v1:2r4DnGOZc2g=:v1:rnz52nM10+eYcftI:z/JeLSY1bUKuPPJlgJLYheu3traoNg=='
  const sound = JSON.stringify({
    version: 3,
    checkpoint: {
      latest: { secrets_providers: { type: 'passphrase', state: { salt } }, resources: [{ urn: 'a::b', type: 'c' }] },
    },
  })
  const mended = (mode: 'create' | 'existing') => repair(parseSettings({ cluster: { mode, context: 'mine' } }), {})

  it.each([...cutOff, sound.slice(0, -30), '{"version":3,"checkpoint":{"latest":{"resources":[1]}}}'])(
    'that says %j is dropped',
    async content => {
      put(file, content)
      put('passphrase', 'x')
      expect([stateProblem(), stateResources()]).toEqual(['is damaged', []])
      expect(await mended('create')).toEqual(["dropped Pulumi's state, which is damaged: all is made anew"])
      expect([stackExists(), existsSync(labPath('passphrase'))]).toEqual([false, true])
    },
  )

  it('of a cluster of somebody’s own is left, with what removes what it described', async () => {
    put(file, '{')
    await expect(mended('existing')).rejects.toMatchObject({
      found: `Pulumi's state in ${labPath('state')} is damaged`,
      next: `kubectl --context mine delete namespace application monitoring && rm -r ${labPath('state')}`,
    })
    expect(stackExists()).toBe(true)
  })

  it('is kept while its passphrase opens it, and dropped when that is gone', async () => {
    put(file, sound)
    const later = Date.now() / 1000 + 10
    for (const [passphrase, problem] of [
      ['x', undefined],
      ['y', 'was locked with a passphrase that is gone'],
    ] as const) {
      put('passphrase', `${passphrase}\n`)
      utimesSync(labPath('passphrase'), later, later)
      expect(stateProblem()).toBe(problem)
    }
    expect(await mended('create')).toEqual([
      "dropped Pulumi's state, which was locked with a passphrase that is gone: all is made anew",
    ])
  })

  it('is read again when what lies beside it was damaged', () => {
    put(file, sound)
    expect(repairStore()).toBe(false)
    put('state/.pulumi/meta.yaml', 'version: 1\n')
    put(`${file}.attrs`, '{"user.cache_control":""}')
    expect(repairStore()).toBe(false)
    put('state/.pulumi/meta.yaml', '')
    put(`${file}.attrs`, '{')
    expect([repairStore(), repairStore()]).toEqual([true, false])
  })
})

describe('what is kept of the cluster', () => {
  const kubeconfig =
    'current-context: kind-lab\nclusters: [{cluster: {server: "https://127.0.0.1:1"}}]\nusers: [{user: {client-key-data: x}}]\n'
  beforeEach(() => {
    fake('docker', `case "$1" in inspect) echo running ;; cp) echo "node-labels: ${labId()}" ;; esac`)
    fake('kind', `while [ "$1" != --kubeconfig ]; do shift; done; printf '%s' '${kubeconfig}' > "$2"`)
  })

  it.each(cutOff)('is written anew where it says %j', async content => {
    put('cluster.json', content)
    put('kubeconfig', content)
    expect(await repairRecords('lab', {})).toEqual([
      'wrote .lab/cluster.json anew, which was damaged',
      'wrote .lab/kubeconfig anew, which was damaged',
    ])
    expect(JSON.parse(readFileSync(labPath('cluster.json'), 'utf8'))).toEqual({ name: 'lab' })
    expect([contextOf(labPath('kubeconfig')), statSync(labPath('kubeconfig')).mode & 0o777]).toEqual([
      'kind-lab',
      0o600,
    ])
    expect(await repairRecords('lab', {})).toEqual([])
  })

  it('is not made up for a cluster of somebody else', async () => {
    fake('docker', 'case "$1" in inspect) echo running ;; cp) echo "node-labels: another" ;; esac')
    put('cluster.json', '{')
    expect(await repairRecords('lab', {})).toEqual([])
    expect(existsSync(labPath('kubeconfig'))).toBe(false)
  })
})

describe('what else is kept', () => {
  it.each([...cutOff, '{"inputs":"same","state":""}'])(
    'stood-up.json that says %j means that nothing is known',
    async content => {
      put('stood-up.json', content)
      expect(await sinceLastUp('same')).toEqual({ is: 'changed', broken: [] })
    },
  )

  it.each(['', ' \n'])('a secret of which %j is left is made again, once', content => {
    put('passphrase', content)
    const secret = storedSecret('passphrase')
    expect(secret).toMatch(/^[\w-]{24}$/)
    expect(storedSecret('passphrase')).toBe(secret)
  })

  it.each(cutOff)('remembered.json that says %j is not trusted, and not written over', async content => {
    put('remembered.json', content)
    expect(() => rememberedDigest('x')).toThrow(LabError)
    await expect(rememberDigests({ x: 'y' })).rejects.toMatchObject({
      next: expect.stringMatching(/^rm \S+remembered\.json/),
    })
    expect(readFileSync(labPath('remembered.json'), 'utf8')).toBe(content)
  })
})
