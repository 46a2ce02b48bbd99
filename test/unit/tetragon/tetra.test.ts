import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { agentCommand, replayCommand, requireReplayable } from '../../../scripts/tetragon/tetra.ts'

const kubectl = ['--kubeconfig', '/lab/kubeconfig', '-n', 'monitoring', 'exec']

describe('with an agent', () => {
  it('runs tetra in the container of the agent', () => {
    expect(agentCommand(['kubectl', ...kubectl], ['getevents', '--pods', "it's"])).toEqual([
      'kubectl',
      ...kubectl,
      ...['ds/tetragon', '-c', 'tetragon', '--', 'tetra'],
      ...['getevents', '--pods', "it's"],
    ])
  })
})

describe('with a recording', () => {
  let dir: string
  const fake = (name: string, script: string): string => {
    const file = join(dir, name)
    writeFileSync(file, `#!/bin/sh\n${script}\n`)
    chmodSync(file, 0o755)
    return file
  }
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'lab tetra-'))
  })
  afterAll(() => rmSync(dir, { recursive: true }))

  it('passes the replayed events to tetra through a real pipe, and every argument unchanged', async () => {
    const exec = fake('kubectl', 'echo "noise" >&2; echo "$*"')
    const tetra = fake('tetra', '[ -p /dev/stdin ] && printf "%s|" "$@" && cat')
    const args = ['getevents', '--pods', "it's", '--match', 'a b; $HOME']
    const [program, ...rest] = replayCommand([exec, ...kubectl], [tetra, ...args])
    const { stdout, stderr } = await execa(program, rest, { stdin: 'ignore' })
    expect(stdout).toBe(
      `${args.join('|')}|${kubectl.join(' ')} ds/tetragon-replay -- tail -n 50 -F /var/log/tetragon/tetragon.log`,
    )
    expect(stderr).toBe('')
  })

  it("returns tetra's exit code", async () => {
    const [program, ...rest] = replayCommand([fake('kubectl', 'exit 0')], [fake('tetra', 'exit 3')])
    expect(await execa(program, rest, { reject: false })).toMatchObject({ exitCode: 3 })
  })

  it('refuses a command that only an agent can answer', () => {
    expect(() => requireReplayable(['getevents', '-o', 'compact'])).not.toThrow()
    expect(() => requireReplayable(['version'])).not.toThrow()
    expect(() => requireReplayable(['status', '--retries', '1'])).toThrow(
      expect.objectContaining({
        found: 'tetra status --retries 1 needs an agent, and none is running: the lab replays a recording',
        exitCode: 1,
      }),
    )
  })
})
