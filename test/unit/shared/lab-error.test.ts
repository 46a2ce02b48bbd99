import { expect, it } from 'vitest'
import { LabError } from '../../../shared/lab-error.ts'

it('parses an error out of what another program printed', () => {
  const lines = { found: 'Port 3000 is in use', expected: 'a free port', next: './lab up' }
  const error = new LabError(lines)
  expect(LabError.parse(`noise\n${error.lines().join('\n')}\nmore`)).toMatchObject(lines)
  expect(LabError.parse(`Error: ${error.message}`)).toMatchObject(lines)
  expect(LabError.parse('nothing of the kind')).toBeUndefined()
})

it('prints and parses an error without an expectation', () => {
  const error = new LabError({ found: 'Port 3000 is in use', next: './lab up' })
  expect(error.lines()).toEqual(['Error     Port 3000 is in use', 'Fix       ./lab up'])
  expect(LabError.parse(error.lines().join('\n'))).toMatchObject({ expected: '', next: './lab up' })
})

it('removes line breaks and escape codes from names', () => {
  expect(new LabError({ found: 'a\n\u001b[31mb', next: 'c' }).lines()).toEqual(['Error     a [31mb', 'Fix       c'])
})
