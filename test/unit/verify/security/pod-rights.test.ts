import { describe, expect, it } from 'vitest'
import { judgeAdmission, judgePods, type Pod } from '../../../../scripts/verify/security/pod-rights.ts'
import { exceptionsWith } from '../../../../shared/pod-security.ts'
import { parseSettings } from '../../../../shared/settings/parser.ts'

const pod = (name: string, spec: object, more: Partial<Pod['metadata']> = {}): Pod => ({
  metadata: { name, namespace: 'application', ...more },
  spec: { containers: [{ name: 'main', securityContext: {} }], ...spec } as Pod['spec'],
})
const ownedBy = (workload: string): Partial<Pod['metadata']> => ({
  labels: { 'pod-template-hash': '7d9c' },
  ownerReferences: [{ kind: 'ReplicaSet', name: `${workload}-7d9c` }],
})
const securityContext = {
  runAsNonRoot: true,
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  seccompProfile: { type: 'RuntimeDefault' },
}
const restricted = { containers: [{ name: 'main', securityContext }] }
const root = { containers: [{ name: 'main', securityContext: { runAsUser: 0 } }] }

describe('judgePods', () => {
  const exceptions = exceptionsWith(parseSettings({}))
  const judge = (one: Pod) => judgePods([one], exceptions)[0]

  it('passes a restricted pod under the name of its workload', () => {
    expect(judge(pod('frontend-7d9c-x', restricted, ownedBy('frontend')))).toMatchObject({
      result: 'ok',
      title: 'application/frontend',
    })
  })

  it('skips an exception, with its reason', () => {
    const { why } = exceptions.find(({ workload }) => workload === 'visitor')!
    expect(judge(pod('visitor-7d9c-x', root, ownedBy('visitor')))).toMatchObject({
      result: 'skip',
      found: expect.stringMatching(/^not restricted \(.*runAsUser.*\), because /),
    })
    expect(judge(pod('visitor-7d9c-x', root, ownedBy('visitor')))!.found).toContain(`because ${why}`)
  })

  it('fails an exception that breaks more rules than its entry names', () => {
    const worse = { ...root, volumes: [{ name: 'node', hostPath: {} }] }
    expect(judge(pod('visitor-7d9c-x', worse, ownedBy('visitor')))).toMatchObject({
      result: 'fail',
      found: 'volumes: hostPath as node',
    })
  })

  it('fails any other pod that is not restricted, also one whose exception needs another setting', () => {
    expect(judge(pod('nginx', {}))).toMatchObject({ result: 'fail', title: 'application/nginx' })
    // The frontend is an exception only with guestbook.images: upstream.
    expect(judge(pod('frontend-7d9c-x', {}, ownedBy('frontend')))?.result).toBe('fail')
  })
})

describe('judgeAdmission', () => {
  const pods = [pod('visitor-7d9c-x', root), pod('frontend-1', restricted), pod('a-1', root), pod('a-2', root)]

  it('passes when the API server counts the same pods', () => {
    const warnings = `Warning: existing pods in namespace "application" violate the new PodSecurity enforce level "restricted:latest"
Warning: visitor-7d9c-x: allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot != true
Warning: a-1 (and 1 other pod): runAsUser=0
`
    expect(judgeAdmission('application', warnings, pods)).toMatchObject({
      result: 'ok',
      found: '3 of 4 pods are not restricted',
    })
    expect(judgeAdmission('monitoring', '', pods).result).toBe('ok')
  })

  it('fails when the API server counts fewer', () => {
    expect(judgeAdmission('application', '', pods).result).toBe('fail')
  })
})
