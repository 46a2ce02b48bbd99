import { describe, expect, it } from 'vitest'
import { checkIn } from '../../../fakes/checks.ts'
import type { FakeLab } from '../../../fakes/lab-client.ts'

describe('kube', () => {
  it('counts objects in a namespace, selected by labels', async () => {
    const calls: (readonly string[])[] = []
    const answers: FakeLab = {
      kubectl: args => {
        calls.push(args)
        return { stdout: 'pod/a\npod/b\n' }
      },
    }
    const check = { kube: { get: 'pods', selector: 'app=visitor', count: '>= 2' } }
    expect(await checkIn(check, answers)).toMatchObject({ passed: true, found: '2 pods -l app=visitor in application' })
    expect(calls).toEqual([['get', 'pods', '-n', 'application', '-l', 'app=visitor', '-o', 'name']])
  })

  it('compares a field', async () => {
    const check = { kube: { get: 'deployment/frontend', jsonpath: '{.spec.replicas}', is: '>= 4' } }
    expect(await checkIn(check, { kubectl: () => ({ stdout: '3' }) })).toMatchObject({
      passed: false,
      found: 'deployment/frontend in application: 3',
      expected: 'at least 4',
    })
    expect(await checkIn(check, { kubectl: () => ({ stdout: '4' }) })).toMatchObject({ passed: true })
    expect(await checkIn(check)).toMatchObject({ passed: false, found: /NotFound/ })
  })
})
