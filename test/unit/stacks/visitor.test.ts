import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

const script = resolve('stacks/application/visitor/visitor.sh')

const shells: [string, string[]][] = [
  ['sh', []],
  ['busybox', ['sh']],
]

describe.each(shells)('the visitor under %s', (shell, args) => {
  const missing = spawnSync(shell, [...args, '-c', 'true']).error !== undefined
  if (missing) console.warn(`visitor: not tried under ${shell}, which is not installed here`)

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
    const said = { text: '' }
    for (const stream of [started.stdout, started.stderr]) stream.on('data', chunk => (said.text += chunk))
    return { started, said }
  }

  async function until(holds: () => boolean): Promise<void> {
    for (const end = Date.now() + 10_000; !holds(); await new Promise(done => setTimeout(done, 20)))
      if (Date.now() > end) throw new Error('not within 10 s')
  }

  test.skipIf(missing)('does its round again and again, and shows nothing of what it read', async () => {
    const { said } = start('1')
    await until(() => fetched >= 2)
    const round = said.text.split('\n').slice(0, 3)
    expect(round[0]).toBe('visitor: read /etc/passwd')
    // here there is no such token; the round goes on without it
    expect(round[1]).toMatch(/^visitor: (could not )?read \/run\/secrets\/kubernetes\.io\/serviceaccount\/token$/)
    expect(round[2]).toMatch(/^visitor: (could not )?read \/etc\/shadow$/)
    expect(said.text).not.toContain('root:')
    expect(said.text).not.toContain('hello')
    for (const line of said.text.trimEnd().split('\n')) expect(line).toMatch(/^visitor: (could not )?read \/\S+$/)
  })

  // Not with Debian's busybox, which prefers its own programs to those on PATH. Alpine's does not.
  test.skipIf(missing || shell === 'busybox')(
    'tells each step to a shell of its own, which is then its parent',
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'lab-visitor-'))
      const log = join(folder, 'log')
      writeFileSync(log, '')
      // Programs that only say how they were called, and what by.
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
    },
  )

  test.skipIf(missing)('only waits with 0, and goes at once when told to', async () => {
    const { started, said } = start('0')
    await until(() => said.text !== '')
    await new Promise(done => setTimeout(done, 200))
    expect(said.text).toBe('visitor: idle\n')
    expect(fetched).toBe(0)
    const ended = once(started, 'exit')
    started.kill('SIGTERM')
    expect(await ended).toEqual([0, null])
  })

  test.skipIf(missing)('refuses a time that is none', async () => {
    const { started, said } = start('often')
    const [code] = await once(started, 'close')
    expect(code).toBe(2)
    expect(said.text).toBe("visitor: VISIT_EVERY is 'often', not a whole number of seconds\n")
  })
})
