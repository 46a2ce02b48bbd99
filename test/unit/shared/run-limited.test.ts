import { expect, it } from 'vitest'
import { runLimited } from '../../../shared/run-limited.ts'

const sh = (script: string, timeoutMs: number) => runLimited('sh', ['-c', script], { timeoutMs })

it('returns what a program prints, and how it ends', async () => {
  expect(await sh('echo out; echo err >&2; exit 3', 60_000)).toMatchObject({
    failed: true,
    timedOut: false,
    exitCode: 3,
    stdout: 'out',
    stderr: 'err',
    all: expect.stringMatching(/^(out\nerr|err\nout)$/),
  })
  expect(await runLimited('no-such-program', [], { timeoutMs: 60_000 })).toMatchObject({ failed: true, code: 'ENOENT' })
})

it('ends a program, although one that it has started keeps its output open', async () => {
  // Waiting for `sleep` would exceed the time limit of the test.
  expect(await sh('sleep 60; echo done', 50)).toMatchObject({ failed: true, timedOut: true })
})
