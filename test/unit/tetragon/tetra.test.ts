import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { endsWithConnection } from '../../../scripts/cluster/remote-command.ts'
import { agentCommand, replayCommand, requireReplayable } from '../../../scripts/tetragon/tetra.ts'
import { projectDir } from '../../../shared/paths.ts'
import { newFolder } from '../support/folders.ts'

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

const kubectl = ['--kubeconfig', '/lab/kubeconfig', '-n', 'monitoring', 'exec']

describe('with an agent', () => {
  it('runs tetra in the container of the agent', () => {
    expect(agentCommand(['kubectl', ...kubectl], ['getevents', '--pods', "it's"])).toEqual([
      'kubectl',
      ...kubectl,
      ...['--stdin', 'ds/tetragon', '-c', 'tetragon', '--'],
      ...endsWithConnection(['tetra', 'getevents', '--pods', "it's"]),
    ])
  })

  it('ends the remote tetra when the lab ends, however that happens', async () => {
    const dir = newFolder()
    // As a container runtime, this kubectl leaves the remote command running; only its standard input ends.
    writeFileSync(
      join(dir, 'kubectl'),
      `#!${process.execPath}
const { spawn } = require('node:child_process')
const command = process.argv.slice(process.argv.indexOf('--') + 1)
const remote = spawn(command[0], command.slice(1), { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
process.stdin.pipe(remote.stdin)
`,
      { mode: 0o755 },
    )
    writeFileSync(
      join(dir, 'tetra'),
      `#!/bin/sh\necho $$ > '${dir}/pid.part'; mv '${dir}/pid.part' '${dir}/pid'; exec sleep 300\n`,
      {
        mode: 0o755,
      },
    )
    writeFileSync(
      join(dir, 'lab.ts'),
      `import { agentCommand, run } from '${join(projectDir, 'scripts/tetragon/tetra.ts')}'
await run(agentCommand(['kubectl', 'exec'], ['getevents']), {})`,
    )
    const lab = execa(process.execPath, [join(dir, 'lab.ts')], {
      env: { PATH: `${dir}:${process.env.PATH}` },
      reject: false,
    })
    await expect.poll(() => existsSync(join(dir, 'pid')), { timeout: 15_000 }).toBe(true)
    const tetra = Number(readFileSync(join(dir, 'pid'), 'utf8'))
    expect(isRunning(tetra)).toBe(true)
    lab.kill('SIGKILL')
    await expect.poll(() => isRunning(tetra), { timeout: 15_000 }).toBe(false)
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
    const exec = fake('kubectl', 'echo "noise" >&2; shift 6; echo "$1 $2 $3"; shift 6; echo "$*"')
    const tetra = fake('tetra', '[ -p /dev/stdin ] && printf "%s|" "$@" && cat')
    const args = ['getevents', '--pods', "it's", '--match', 'a b; $HOME']
    const [program, ...rest] = replayCommand([exec, ...kubectl], [tetra, ...args])
    const { stdout, stderr } = await execa(program, rest, { stdin: 'ignore' })
    expect(stdout).toBe(`${args.join('|')}|ds/tetragon-replay -- sh\ntail -n 50 -F /var/log/tetragon/tetragon.log`)
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
