import { describe, expect, it } from 'vitest'
import { checkIn } from '../../../fakes/checks.ts'

describe('run', () => {
  it('compares exit code and output', async () => {
    const check = { run: { command: 'cat x', exit: 137 } }
    expect(await checkIn(check, { run: () => ({ exitCode: 137 }) })).toMatchObject({ passed: true })
    expect(await checkIn(check, { run: () => ({ exitCode: 0, stdout: 'secret' }) })).toMatchObject({
      passed: false,
      found: 'cat x exited with 0 and printed: secret',
      expected: 'exit code 137',
    })
    const denied = { run: { command: 'cat x', exit: 1, stderr: '/Permission denied/' } }
    expect(await checkIn(denied, { run: () => ({ exitCode: 1, stderr: 'cat: Permission denied' }) })).toMatchObject({
      passed: true,
    })
    expect(await checkIn(denied)).toMatchObject({ passed: false })
  })

  it('replaces $since by the time since the exercise was started', async () => {
    const check = { run: { command: 'younger-than $since' } }
    expect(
      await checkIn(check, { run: command => ({ exitCode: command === 'younger-than 600s' ? 0 : 1 }) }),
    ).toMatchObject({ passed: true })
  })
})
