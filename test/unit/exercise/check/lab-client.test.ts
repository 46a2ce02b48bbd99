import { expect, it } from 'vitest'
import { requireCluster } from '../../../../scripts/exercise/check/lab-client.ts'

it('tells a missing cluster from a missing object', () => {
  const ran = (stderr: string, exitCode = 1) => requireCluster({ exitCode, stdout: '', stderr })
  expect(() =>
    ran('The connection to the server 127.0.0.1:6443 was refused - did you specify the right host?'),
  ).toThrow(/API server is not responding/)
  expect(() => ran('Error     No lab is running\nFix       ./lab up')).toThrow(/API server/)
  expect(ran('Error from server (NotFound): pods "x" not found').exitCode).toBe(1)
  expect(ran('curl: (7) Failed to connect: Connection refused').exitCode).toBe(1)
})
