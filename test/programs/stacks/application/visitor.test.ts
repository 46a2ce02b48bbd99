import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

const script = resolve('stacks/application/visitor/visitor.sh')

const shells: [string, string[]][] = [
  ['sh', []],
  ['busybox', ['sh']],
]

describe.each(shells)('the visitor under %s', (shell, args) => {
  const missing = spawnSync(shell, [...args, '-c', 'true']).error !== undefined
  if (missing) console.warn(`visitor.test.ts: ${shell} is not installed`)

  let child: ChildProcess | undefined
  let server: Server
  let fetched = 0
  beforeEach(async () => {
    fetched = 0
    server = createServer((_request, response) => {
      fetched++
      response.end('hello')
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  afterEach(() => {
    child?.kill('SIGKILL')
    server.close()
  })

  function start(every: string, path = process.env.PATH) {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const started = spawn(shell, [...args, script], {
      env: { PATH: path, VISIT_EVERY: every, GUESTBOOK_URL: url },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child = started
    const output = { text: '' }
    for (const stream of [started.stdout, started.stderr]) stream.on('data', chunk => (output.text += chunk))
    return { started, output }
  }

  const until = (condition: () => boolean) => vi.waitUntil(condition, { timeout: 10_000, interval: 20 })

  test.skipIf(missing)('repeats its visits and does not print what it read', async () => {
    const { output } = start('1')
    await until(() => fetched >= 2)
    const round = output.text.split('\n').slice(0, 3)
    expect(round[0]).toBe('visitor: read /etc/passwd')
    // This machine has no such token. The visit continues anyway.
    expect(round[1]).toMatch(/^visitor: (could not )?read \/run\/secrets\/kubernetes\.io\/serviceaccount\/token$/)
    expect(round[2]).toMatch(/^visitor: (could not )?read \/etc\/shadow$/)
    expect(output.text).not.toContain('root:')
    expect(output.text).not.toContain('hello')
    for (const line of output.text.trimEnd().split('\n')) expect(line).toMatch(/^visitor: (could not )?read \/\S+$/)
  })

  // Debian's busybox prefers its own programs to those on PATH. Alpine's does not.
  test.skipIf(missing || shell === 'busybox')('runs each step in its own shell, which is the parent', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'lab-visitor-'))
    const log = join(folder, 'log')
    writeFileSync(log, '')
    // Programs that log their arguments and their parent.
    for (const name of ['cat', 'ls', 'curl'])
      writeFileSync(join(folder, name), `#!/bin/sh\necho "${name} $* < $(ps -o args= -p $PPID)" >>'${log}'\n`, {
        mode: 0o755,
      })
    start('60', `${folder}:${process.env.PATH}`)
    await until(() => readFileSync(log, 'utf8').includes('curl'))
    const steps = readFileSync(log, 'utf8').trimEnd().split('\n')
    rmSync(folder, { recursive: true })
    expect(steps.map(step => step.split(' ')[0])).toEqual(['cat', 'cat', 'cat', 'ls', 'curl'])
    for (const step of steps) {
      const [called, by] = step.split(' < ')
      expect(by).toMatch(/^\S*sh -c /)
      expect(by).toContain(called)
    }
  })

  test.skipIf(missing)('makes no visit with 0, and exits on SIGTERM', async () => {
    const { started, output } = start('0')
    await until(() => output.text !== '')
    const exited = once(started, 'exit')
    started.kill('SIGTERM')
    expect(await exited).toEqual([0, null])
    expect(output.text).toBe('visitor: idle\n')
    expect(fetched).toBe(0)
  })

  test.skipIf(missing)('rejects an interval that is not a number', async () => {
    const { started, output } = start('often')
    const [code] = await once(started, 'close')
    expect(code).toBe(2)
    expect(output.text).toBe("visitor: VISIT_EVERY must be a whole number of seconds, not 'often'\n")
  })
})
