import { tmpdir } from 'node:os'
import { afterAll, describe, expect, it } from 'vitest'
import { BlockShell } from '../../../../scripts/exercise/walk/block-shell.ts'

describe('the shell of a text', () => {
  const shell = new BlockShell(tmpdir(), process.env)
  afterAll(() => shell.close())

  it('keeps the variables of a block', async () => {
    expect(await shell.run('name=visitor; echo "$name" >&2')).toEqual({ exitCode: 0, output: 'visitor\n' })
    expect(await shell.run('echo "$name"')).toEqual({ exitCode: 0, output: 'visitor\n' })
  })

  it('ends a block at the first command that fails, unless it is lenient', async () => {
    expect(await shell.run('echo a\nfalse\necho b')).toEqual({ exitCode: 1, output: 'a\n' })
    expect(await shell.run('echo again')).toMatchObject({ exitCode: 0 })
    expect(await shell.run('false', { lenient: true })).toMatchObject({ exitCode: 1 })
  })

  it('kills a block that takes too long, and then runs the next', async () => {
    expect(await shell.run('echo a; sleep 60', { timeoutMs: 300 })).toEqual({ exitCode: 124, output: 'a\n' })
    expect(await shell.run('echo there')).toEqual({ exitCode: 0, output: 'there\n' })
  })

  it('interrupts commands that do not end on their own', async () => {
    const endless = 'trap "echo interrupted; exit 1" INT\nwhile echo tick; do sleep 0.1; done'
    expect(await shell.runFor(endless, 1)).toEqual({
      exitCode: 0,
      output: expect.stringMatching(/^tick\n.*interrupted\n$/s),
    })
    expect(await shell.runFor('exit 3', 5)).toMatchObject({ exitCode: 3 })
  })
})
