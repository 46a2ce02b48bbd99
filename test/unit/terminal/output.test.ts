import { describe, expect, it, vi } from 'vitest'
import { report } from '../../../scripts/terminal/output.ts'
import { LabError } from '../../../shared/lab-error.ts'

function reported(error: unknown): { exitCode: number; text: string } {
  const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  try {
    const exitCode = report(error)
    return { exitCode, text: write.mock.calls.map(([text]) => text).join('') }
  } finally {
    write.mockRestore()
  }
}

const systemError = (code: string, path?: string): Error => Object.assign(new Error(code), { code, path })

describe('report', () => {
  it('prints the lines of a LabError and returns its exit code', () => {
    expect(reported(new LabError({ found: 'Port 1 is in use', next: './lab up', exitCode: 2 }))).toEqual({
      exitCode: 2,
      text: 'Error     Port 1 is in use\nFix       ./lab up\n',
    })
  })

  it('explains a file system error', () => {
    expect(reported(systemError('EACCES', '/etc/shadow'))).toEqual({
      exitCode: 1,
      text: [
        'Error     /etc/shadow cannot be used: permission denied',
        'Expected  a file or folder that you own',
        'Fix       ls -ld /etc/shadow\n',
      ].join('\n'),
    })
  })

  it('names the lab’s own folder when a full disk has no path', () => {
    expect(reported(systemError('ENOSPC')).text).toMatch(/^Error {5}\S+ cannot be used: no space is left on the disk\n/)
  })

  it('prints anything else as a bug with its stack', () => {
    const { exitCode, text } = reported(systemError('EACCES'))
    expect(exitCode).toBe(1)
    expect(text).toMatch(/^This is a bug in the lab:\nError: EACCES\n {4}at /)
  })
})
